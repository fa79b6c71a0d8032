/** Runs an admin operation: reads and validates what came, and writes the answer. */
import type { Context } from "hono";
import type * as z from "zod";
import type { App } from "../../src/compose.ts";
import { isJsonObject, type Json, parseJsonDocument, stringifyJson } from "../../src/core/json.ts";
import { ADMIN_BODY_BYTES_MAX } from "../../src/core/limits.ts";
import { type Fault, PROBLEMS } from "../../src/core/problem.ts";
import { type IfVersion, NO_VERSION } from "../../src/ports/config.ts";
import type { OpenDeed } from "../../src/ports/deeds.ts";
import { readBody } from "../ingest.ts";
import { problemResponse } from "../problems.ts";
import { beginDeed, deedOf, endDeed, toldBy } from "./deed.ts";
import { duplicateFaults, faultsOf } from "./faults.ts";
import {
  type Call,
  type Deployment,
  invalid,
  type Operation,
  Overtaken,
  Refusal,
  type Reply,
} from "./operation.ts";

export async function run(
  operation: Operation,
  params: Readonly<Record<string, string>>,
  context: Context,
  app: App,
  key: string,
): Promise<Response> {
  let deed: OpenDeed | null = null;
  try {
    const told = toldBy(context);
    const start = deedOf(operation, params, key, context, app);
    const stores = await app.adminStores(start ?? undefined);
    deed = stores.deed;
    const common = {
      app,
      stores,
      params,
      told,
      ...deploymentOf(context, app),
      ifVersion: ifVersionOf(context),
      defer: (work: Promise<unknown>) => context.executionCtx.waitUntil(work),
    };
    const query = readQuery(operation, context);
    const document = await readDocument(operation, context, app);
    const reply = await perform(operation, document, { ...common, query });
    await endDeed(deed, reply.status, app.deliver.log);
    return respond(reply);
  } catch (error) {
    const problem = error instanceof Refusal ? error.problem : null;
    await endDeed(deed, problem === null ? 500 : PROBLEMS[problem.slug].status, app.deliver.log);
    if (problem === null) throw error;
    return problemResponse(context, problem);
  }
}

/** How often an operation begins that others overtake. */
const BEGINNINGS_MAX = 5;

type Unread = Omit<Call<unknown, unknown>, "body" | "sent" | "before">;

/** Validates a document, as it was sent or as it would be sent, and does what the operation does. */
export async function perform(
  operation: Operation,
  document: Document,
  call: Unread,
): Promise<Reply> {
  for (let beginnings = 1; beginnings <= BEGINNINGS_MAX; beginnings += 1) {
    try {
      return await performOnce(operation, document, call);
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
    }
  }
  const detail = "Others change it at the same time; nothing was saved.";
  throw new Refusal({ slug: "unavailable", detail, retryAfterMs: 1_000 });
}

async function performOnce(operation: Operation, document: Document, call: Unread): Promise<Reply> {
  const raw = { ...call, sent: document.value };
  const { sent, before } = (await operation.complete?.(document.value, raw)) ?? {
    sent: document.value,
    before: null,
  };
  const base = { ...raw, before };
  const validated = validate(operation, call, sent);
  const faults = [
    ...duplicateFaults(document.duplicates),
    ...validated.faults,
    ...((await operation.faults?.(sent, base)) ?? []),
  ];
  if (faults.length > 0) throw invalid(faults);
  await beginDeed(operation, validated.body, call);
  return operation.handle({ ...base, sent, body: validated.body });
}

/** Where private addresses are allowed, others are on this machine too: then the port tells them apart. */
function deploymentOf(context: Context, app: App): Deployment {
  const { policy } = app.config.guard;
  const { hostname, host } = new URL(context.req.url);
  const named = policy.ownHosts.find((own) => !own.startsWith("*."));
  return {
    addresses: { ...policy, ownHosts: [...policy.ownHosts, policy.allowPrivate ? host : hostname] },
    origin: named?.replace(/:\d+$/, "") ?? hostname,
  };
}

/** `If-Match: "7"`, or `*` for whatever is there (RFC 9110 §13.1.1); an absent header asks for nothing. */
function ifVersionOf(context: Context): IfVersion {
  const header = context.req.header("if-match")?.trim();
  if (header === undefined) return null;
  if (header === "*") return "any";
  const version = /^"(\d{1,15})"$/.exec(header)?.[1];
  // A tag that was never given out matches no version.
  return version === undefined ? NO_VERSION : Number(version);
}

function readQuery(operation: Operation, context: Context): unknown {
  if (operation.query === undefined) return undefined;
  const parsed = operation.query.safeParse(context.req.query());
  if (parsed.success) return parsed.data;
  throw new Refusal({
    slug: "malformed-request",
    detail: "A query parameter is not valid.",
    errors: faultsOf(parsed.error).map((fault) => ({
      ...fault,
      pointer: `?${fault.pointer.slice(1)}`,
    })),
  });
}

interface Document {
  readonly value: Json;
  readonly duplicates: readonly string[];
}

async function readDocument(operation: Operation, context: Context, app: App): Promise<Document> {
  const nothing: Document = { value: {}, duplicates: [] };
  if (operation.body === undefined) return nothing;
  const bytes = await readBody(context.req.raw, ADMIN_BODY_BYTES_MAX);
  if (bytes === null) {
    const detail = `Admin bodies have at most ${ADMIN_BODY_BYTES_MAX} bytes.`;
    const extensions = { bytesMax: ADMIN_BODY_BYTES_MAX };
    throw new Refusal({ slug: "payload-too-large", detail, extensions });
  }
  if (bytes.length === 0 && operation.bodyOptional === true) return nothing;
  const text = app.accept.text.decode(bytes);
  if (text === null) throw malformed("The body is not UTF-8.");
  const document = parseJsonDocument(text);
  if (document.ok) return document;
  const { line, column, expected } = document;
  throw malformed(`The body is not JSON: line ${line}, column ${column}: expected ${expected}.`);
}

const malformed = (detail: string): Refusal => new Refusal({ slug: "malformed-request", detail });

/** Members that answers have and a PUT of a changed copy may bring back; they are not the caller's to set. */
const READ_ONLY: ReadonlySet<string> = new Set([
  "id",
  "tenant",
  "version",
  "createdAt",
  "updatedAt",
  "pausedAt",
  "disabled",
  "permission",
  "shadow",
  "locked",
]);

function validate(
  operation: Operation,
  deployment: Deployment,
  sent: Json,
): { body: unknown; faults: readonly Fault[] } {
  if (operation.body === undefined) return { body: undefined, faults: [] };
  const schema = typeof operation.body === "function" ? operation.body(deployment) : operation.body;
  const isCopy = operation.method === "put" && isJsonObject(sent);
  const own = isCopy
    ? Object.fromEntries(Object.entries(sent).filter(([name]) => !READ_ONLY.has(name)))
    : sent;
  const parsed = schema.safeParse(own, { reportInput: true });
  if (parsed.success) return { body: parsed.data, faults: [] };
  return { body: undefined, faults: faultsOf(parsed.error) };
}

function respond(reply: Reply): Response {
  const headers = new Headers({ "cache-control": "no-store" });
  if (reply.version !== undefined) headers.set("etag", `"${reply.version}"`);
  if (reply.location !== undefined) headers.set("location", reply.location);
  if (reply.raw !== undefined) {
    headers.set("content-type", reply.raw.contentType);
    // The bytes are a stranger's: a browser must not take them for a page of ours.
    headers.set("x-content-type-options", "nosniff");
    headers.set("content-security-policy", "sandbox");
    return new Response(reply.raw.body, { status: reply.status, headers });
  }
  if (reply.body === undefined) return new Response(null, { status: reply.status, headers });
  headers.set("content-type", "application/json");
  return new Response(stringifyJson(reply.body), { status: reply.status, headers });
}
