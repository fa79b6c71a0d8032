/** What limits a target, as operators see it, and its gate set back. */
import * as z from "zod";
import { resetGate } from "../../src/flows/configure-gate.ts";
import { limitsOfTarget } from "../../src/flows/target-limits.ts";
import { Limitation, limitationView } from "./limitation.ts";
import { type Call, notFound, type Operation, operation } from "./operation.ts";

const PATH = "/admin/tenants/{tenant}/targets/{target}/gate";

const Gate = z.object({ limits: z.array(Limitation) }).meta({ id: "Gate" });

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
  return { limits: limits.map(limitationView) };
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
