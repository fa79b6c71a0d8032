/** Closing a target and opening it again: a pause, and a receiver's permission. */
import * as z from "zod";
import { type Json, parseJsonDocument } from "../../src/core/json.ts";
import { configureGate } from "../../src/flows/configure-gate.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { announce, writtenAnew } from "./change.ts";
import { type Call, notFound, type Operation, operation, Refusal } from "./operation.ts";
import { Count, Slug } from "./schemas.ts";
import { askAgain, PermissionAnswer } from "./target-handshake.ts";

const PATH = "/admin/tenants/{tenant}/targets/{target}";

/** Lets the parked deliveries of an open target go out, by its gate if it has one; answers how many. */
export async function release({ app: { deliver }, params, defer }: Call<unknown, undefined>) {
  const [tenant, target] = [params.tenant ?? "", params.target ?? ""];
  const released = await deliver.ledger.release(tenant, target);
  if (released > 0) defer(sweep("overdue", deliver));
  return released;
}

/** Sets or clears `paused`; opening a target also forgives what closed it. */
async function setPaused(call: Call<undefined, undefined>, paused: boolean) {
  const { stores, params } = call;
  const tenant = params.tenant ?? "";
  const id = params.target ?? "";
  const stored = await stores.config.resource(tenant, "target", id);
  if (stored === null) throw notFound("target");
  const read = parseJsonDocument(stored.doc);
  const { disabled, ...doc } = (read.ok ? read.value : {}) as Record<string, Json>;
  if (!paused && doc.handshake !== undefined && doc.permission === undefined) {
    const detail = "Its receiver has not permitted deliveries: POST …/handshake asks it again.";
    throw new Refusal({ slug: "conflict", detail });
  }
  if ((doc.paused ?? false) === paused && (paused || disabled === undefined)) {
    // It is so already; whoever was not told of it is told now.
    await announce(call, tenant, stored.version);
    return { id, version: stored.version };
  }
  const next = { ...doc, ...(paused && disabled !== undefined ? { disabled } : {}), paused };
  const value = { doc: JSON.stringify(next), secrets: undefined };
  const result = writtenAnew(
    await stores.config.putResource(tenant, "target", id, value, stored.version),
    "target",
  );
  await announce(call, tenant, result.revision);
  return { id, version: result.revision };
}

const Paused = z.object({ id: Slug, paused: z.boolean() });

export const targetStateOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: `${PATH}/pause`,
    recorded: "with-change",
    summary: "Pauses a target: its deliveries are parked until it is resumed.",
    responses: { 200: "Paused.", 404: "No such target." },
    answer: Paused,
    async handle(call) {
      const { id, version } = await setPaused(call, true);
      return { status: 200, body: { id, paused: true }, version };
    },
  }),
  operation({
    method: "post",
    path: `${PATH}/resume`,
    recorded: "with-change",
    summary: "Opens a paused or disabled target: parked deliveries go out.",
    responses: {
      200: "Resumed; `released` says how many deliveries go out.",
      404: "No such target.",
      409: "Its receiver has not permitted deliveries.",
    },
    answer: Paused.extend({ released: Count }),
    async handle(call) {
      const { id, version } = await setPaused(call, false);
      const released = await release(call);
      // Its gate looks at what waits for a batch, or for room.
      const { tenant = "" } = call.params;
      call.defer(configureGate({ tenant, target: id }, call.app.deliver));
      return { status: 200, body: { id, paused: false, released }, version };
    },
  }),
  operation({
    method: "post",
    path: `${PATH}/handshake`,
    recorded: "with-change",
    summary: "Asks a target's receiver once more whether it wants to be sent to.",
    responses: {
      200: "Asked. Permitted: parked deliveries go out. Refused: the target is closed and says why.",
      404: "No such target.",
      409: "The target asks its receiver for nothing.",
    },
    answer: z.object({
      id: Slug,
      permission: PermissionAnswer.nullable(),
      reason: z.string().nullable().describe("Why there is no permission, or none that is new."),
      released: Count,
    }),
    async handle(call) {
      const asked = await askAgain(call);
      const id = { tenant: call.params.tenant ?? "", target: call.params.target ?? "" };
      call.defer(configureGate(id, call.app.deliver));
      const released = asked.isOpen ? await release(call) : 0;
      return { status: 200, body: { ...asked.body, released }, version: asked.version };
    },
  }),
];
