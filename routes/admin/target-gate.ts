/** What limits a target, as operators see it, and its gate set back. */
import * as z from "zod";
import { resetGate } from "../../src/flows/configure-gate.ts";
import { limitsOfTarget } from "../../src/flows/target-limits.ts";
import type { GateId } from "../../src/ports/gates.ts";
import { isoOrNull } from "./change.ts";
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

const Gate = z
  .object({
    limits: z.array(Limitation),
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
  { app, stores }: Asked,
) {
  const lastRuleEnded = () => stores.ruleEnds.last(tenant.id, target.id);
  const limits = await limitsOfTarget(tenant, target, lastRuleEnded, app.deliver);
  const id = { tenant: tenant.id, target: target.id };
  const batch = target.gate.batch === undefined ? {} : { batch: await batchView(id, app.deliver) };
  return { limits: limits.map(limitationView), ...batch };
}

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
    responses: { 200: "Empty `limits`: nothing does.", 404: "No such target." },
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
