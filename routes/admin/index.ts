/** The admin door: the token, the table of operations, and the document that describes them. */
import type { Context } from "hono";
import type { App } from "../../src/compose.ts";
import { encodeHex } from "../../src/core/bytes.ts";
import type { Crypto, Text } from "../../src/core/crypto.ts";
import { ADMIN_TOKEN_LENGTH_MIN } from "../../src/core/limits.ts";
import { problemResponse } from "../problems.ts";
import { deadLetterOperations } from "./dead-letters.ts";
import { deedOperations } from "./deeds.ts";
import { deliveryOperations } from "./deliveries.ts";
import { encryptionOperations } from "./encryption.ts";
import { eventSearchOperations } from "./event-search.ts";
import { eventOperations } from "./events.ts";
import { explainOperations } from "./explain.ts";
import { fanOutOperations } from "./fan-outs.ts";
import { jobOperations } from "./jobs.ts";
import { openApiDocument } from "./openapi.ts";
import type { Operation } from "./operation.ts";
import { poisonOperations } from "./poison-messages.ts";
import { pullOperations } from "./pulls.ts";
import { queueOperations } from "./queues.ts";
import { reconcileOperations } from "./reconcile.ts";
import { replayOperations } from "./replays.ts";
import { rulePreviewOperations } from "./rule-preview.ts";
import { ruleTestOperations } from "./rule-test.ts";
import { ruleVersionOperations } from "./rule-versions.ts";
import { ruleOperations } from "./rules.ts";
import { run } from "./run.ts";
import { sagaBulkOperations } from "./saga-bulk.ts";
import { sagaCommandOperations } from "./saga-commands.ts";
import { sagaInstanceOperations } from "./saga-instances.ts";
import { sagaTestOperations } from "./saga-test.ts";
import { sagaVersionOperations } from "./saga-versions.ts";
import { sagaOperations } from "./sagas.ts";
import { sourceOperations } from "./sources.ts";
import { targetGateOperations } from "./target-gate.ts";
import { targetOperations } from "./targets.ts";
import { tenantLimitOperations } from "./tenant-limits.ts";
import { tenantOperations } from "./tenants.ts";
import { waitingOperations } from "./waiting.ts";

export const OPERATIONS: readonly Operation[] = [
  ...tenantOperations,
  ...tenantLimitOperations,
  ...sourceOperations,
  ...targetOperations,
  ...pullOperations,
  ...targetGateOperations,
  ...ruleTestOperations,
  ...rulePreviewOperations,
  ...ruleOperations,
  ...sagaTestOperations,
  ...sagaOperations,
  ...sagaInstanceOperations,
  ...sagaCommandOperations,
  ...sagaBulkOperations,
  ...sagaVersionOperations,
  ...ruleVersionOperations,
  ...eventSearchOperations,
  ...eventOperations,
  ...explainOperations,
  ...deadLetterOperations,
  ...deliveryOperations,
  ...jobOperations,
  ...encryptionOperations,
  ...replayOperations,
  ...fanOutOperations,
  ...queueOperations,
  ...waitingOperations,
  ...poisonOperations,
  ...reconcileOperations,
  ...deedOperations,
];

const table = OPERATIONS.map((operation) => ({
  operation,
  // Parameters are slugs and ids: no slash, nothing that would need decoding.
  match: new RegExp(`^${operation.path.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`),
}));

export async function handleAdmin(context: Context, app: App): Promise<Response> {
  const { adminToken } = app.config;
  if (adminToken.length < ADMIN_TOKEN_LENGTH_MIN) {
    const detail = `ADMIN_TOKEN is ${adminToken === "" ? "not set" : "too short"}: at least ${ADMIN_TOKEN_LENGTH_MIN} characters open the admin routes.`;
    return problemResponse(context, { slug: "admin-closed", detail, retryAfterMs: 60_000 });
  }
  if (!holdsToken(context.req.header("authorization"), adminToken, app.accept)) {
    const detail = "Send the admin token as `Authorization: Bearer …`.";
    return problemResponse(context, { slug: "unauthenticated", detail });
  }
  const path = new URL(context.req.url).pathname;
  // Of an answer to HEAD the body is left out where it leaves the program.
  const method = context.req.method === "HEAD" ? "get" : context.req.method.toLowerCase();
  const here = table.flatMap(({ operation, match }) => {
    const found = match.exec(path);
    return found === null ? [] : [{ operation, params: { ...found.groups } }];
  });
  const found = here.find(({ operation }) => operation.method === method);
  if (found !== undefined) {
    return run(found.operation, found.params, context, app, keyId(adminToken, app.accept));
  }
  if (here.length === 0) {
    return problemResponse(context, { slug: "not-found", detail: "No admin route has this path." });
  }
  const allow = here
    .map(({ operation: { method } }) => (method === "get" ? "GET, HEAD" : method.toUpperCase()))
    .join(", ");
  const detail = `Here are ${allow}.`;
  return problemResponse(context, { slug: "method-not-allowed", detail, allow });
}

/** Both sides are hashed first, so that the comparison takes the same time for every length. */
function holdsToken(
  header: string | undefined,
  token: string,
  { crypto, text }: { crypto: Crypto; text: Text },
): boolean {
  const sent = /^Bearer (.+)$/i.exec(header ?? "")?.[1] ?? "";
  return crypto.equal(crypto.sha256(text.encode(sent)), crypto.sha256(text.encode(token)));
}

/** Names a token to people: so short a part of its hash tells nothing of it. */
function keyId(token: string, { crypto, text }: { crypto: Crypto; text: Text }): string {
  const hash = crypto.sha256(text.encode(`signalbox key id\n${token}`));
  return `key_${encodeHex(hash.subarray(0, 4))}`;
}

export const openApi = (origin: string): object => openApiDocument(OPERATIONS, origin);
