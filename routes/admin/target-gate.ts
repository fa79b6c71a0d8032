/** What limits a target, as operators see it, and its gate set back. */
import * as z from "zod";
import { PARKED_COUNT_MAX } from "../../src/core/gate/limits.ts";
import { resetGate } from "../../src/flows/configure-gate.ts";
import { LIMIT_PARTS, limitsOfTarget } from "../../src/flows/target-limits.ts";
import { viewParts } from "../../src/flows/view-parts.ts";
import type { GateId } from "../../src/ports/gates.ts";
import type { Waiting } from "../../src/ports/ledger.ts";
import { iso, isoOrNull } from "./change.ts";
import { Limitation, limitationView } from "./limitation.ts";
import { type Call, notFound, type Operation, operation } from "./operation.ts";
import { Count, Time } from "./schemas.ts";

const PATH = "/admin/tenants/{tenant}/targets/{target}/gate";

const Batch = z.object({
  waiting: Count.describe("They go with the next batches."),
  sending: Count.describe("They are in one that is under way."),
  retrying: Count.describe("They failed, and wait again later."),
  nextAt: Time.nullable().describe("When the next one goes; null: nothing waits, or one goes now."),
});

const Parked = z.object({
  count: Count.describe(
    `At most ${PARKED_COUNT_MAX}: of more, what is least urgent and newest becomes a dead letter.`,
  ),
  oldestReceivedAt: Time,
});

const PARTS = [...LIMIT_PARTS, "batch", "parked"] as const;

const Gate = z
  .object({
    limits: z.array(Limitation),
    parked: Parked.nullable().describe("What waits in the ledger for it; null: nothing."),
    unknown: z
      .array(z.enum(PARTS))
      .describe("What did not answer in time: of this nothing is known, and the rest is as ever."),
    batch: Batch.optional().describe("Of a target that gets batches."),
  })
  .meta({ id: "Gate" });

type Asked = Pick<Call<never, never>, "app" | "stores" | "params">;

async function targetOf({ app, params }: Asked) {
  const tenant = await app.deliver.directory.refresh(params.tenant ?? "");
  const target = tenant?.targets.get(params.target ?? "");
  if (tenant === null || target === undefined) throw notFound("target");
  return { tenant, target };
}

async function gateView(
  { tenant, target }: Awaited<ReturnType<typeof targetOf>>,
  { app: { deliver }, stores }: Asked,
) {
  const id = { tenant: tenant.id, target: target.id };
  const parts = viewParts<(typeof PARTS)[number]>("gate", deliver);
  const lastRuleEnded = () => stores.ruleEnds.last(id.tenant, id.target);
  const waiting = () => deliver.ledger.waiting(id.tenant, id.target, PARKED_COUNT_MAX);
  const [limits, parked, batch] = await Promise.all([
    limitsOfTarget(tenant, target, lastRuleEnded, parts, deliver),
    parts.read("parked", waiting, null),
    target.gate.batch === undefined
      ? undefined
      : parts.read("batch", () => batchView(id, deliver), undefined),
  ]);
  return {
    limits: limits.map(limitationView),
    parked: parkedView(parked),
    unknown: parts.unknown(),
    ...(batch === undefined ? {} : { batch }),
  };
}

const parkedView = (parked: Waiting | null): z.infer<typeof Parked> | null =>
  parked && { count: parked.count, oldestReceivedAt: iso(parked.oldestAtMs) };

async function batchView(
  id: GateId,
  { gates, pulls }: Asked["app"]["deliver"],
): Promise<z.infer<typeof Batch>> {
  const rows = await (await pulls()).backlog(id);
  const sum = (of: "waiting" | "leased" | "delayed") =>
    rows.reduce((all, each) => all + each[of], 0);
  const nextAtMs = await gates.nextBatchMs(id);
  return {
    ...{ waiting: sum("waiting"), sending: sum("leased"), retrying: sum("delayed") },
    nextAt: isoOrNull(nextAtMs),
  };
}

export const targetGateOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: PATH,
    summary:
      "What limits a target right now: its own limits, its receiver, its breaker, its rules, their queues, its tenant, or a person.",
    responses: { 200: "Empty `limits` and `unknown`: nothing does.", 404: "No such target." },
    answer: Gate,
    handle: async (call) => ({ status: 200, body: await gateView(await targetOf(call), call) }),
  }),
  operation({
    method: "post",
    path: `${PATH}/reset`,
    summary:
      "Closes a target's breaker and forgets its receiver's Retry-After: what is parked goes out at its pace.",
    responses: { 200: "What still limits it.", 404: "No such target." },
    answer: Gate,
    async handle(call) {
      const found = await targetOf(call);
      const { tenant, target } = found;
      await resetGate({ tenant: tenant.id, target: target.id }, target.gate, call.app.deliver);
      return { status: 200, body: await gateView(found, call) };
    },
  }),
];
