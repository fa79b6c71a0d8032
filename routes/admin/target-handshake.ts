/** Targets whose receivers are asked before they are sent anything. */
import * as z from "zod";
import { afterHandshake, type Handshake } from "../../src/core/deliver/handshake.ts";
import type { Json } from "../../src/core/json.ts";
import type { TargetDoc } from "../../src/core/stored-target.ts";
import { askPermission } from "../../src/flows/ask-permission.ts";
import { announce, iso, writtenAnew } from "./change.ts";
import { type Call, notFound, Refusal } from "./operation.ts";
import { Count, Time } from "./schemas.ts";

export const PermissionAnswer = z.object({
  origin: z.string().describe("The router's name, or * for anybody."),
  ratePerMinute: Count.nullable().describe("Requests a minute that the receiver takes."),
  at: Time,
});

type HttpDoc = Extract<TargetDoc, { kind: "http" }>;

/** What a target that is about to be saved keeps of its handshake. */
export async function shakeHands(
  call: Call<unknown, undefined>,
  doc: TargetDoc,
): Promise<ReturnType<typeof afterHandshake>> {
  const { url } = doc as HttpDoc;
  const before = call.before === null ? undefined : (JSON.parse(call.before.doc) as HttpDoc);
  const handshake = await ask(call, url);
  // Another address has permitted nothing yet.
  const permission = before?.url === url ? before.permission : undefined;
  return afterHandshake(handshake, permission, iso(call.app.deliver.clock.nowMs()));
}

/** Asks the receiver of a saved target, and writes down what it answers. */
export async function askAgain(call: Call<undefined, undefined>) {
  const { app, stores, params } = call;
  const [tenant, id] = [params.tenant ?? "", params.target ?? ""];
  const stored = await stores.config.resource(tenant, "target", id);
  if (stored === null) throw notFound("target");
  const { disabled, permission, ...doc } = JSON.parse(stored.doc) as HttpDoc;
  if (doc.handshake === undefined) {
    const detail = 'This target asks its receiver for nothing: it has no "handshake".';
    throw new Refusal({ slug: "conflict", detail });
  }
  const handshake = await ask(call, doc.url);
  const kept = afterHandshake(handshake, permission, iso(app.deliver.clock.nowMs()));
  // A receiver that answered 410 and now permits deliveries is there again; one that is silent is not.
  const still = handshake.kind === "permitted" || disabled === undefined ? {} : { disabled };
  const next = { ...doc, ...still, ...kept };
  const value = { doc: JSON.stringify(next), secrets: undefined };
  const { revision } = writtenAnew(
    await stores.config.putResource(tenant, "target", id, value, stored.version),
    "target",
  );
  await announce(call, tenant, revision);
  const shown = "permission" in kept ? { ...kept.permission } : null;
  const reason = handshake.kind === "permitted" ? null : handshake.reason;
  return {
    version: revision,
    isOpen: !("disabled" in next) && doc.paused !== true,
    body: { id, permission: shown, reason } satisfies Record<string, Json>,
  };
}

const ask = (
  { app, origin }: Pick<Call<never, never>, "app" | "origin">,
  url: string,
): Promise<Handshake> => askPermission(url, origin, app.deliver);
