/** The gate of a target, as operators see it and set it back. */
import * as z from "zod";
import type { App } from "../../src/compose.ts";
import { GATE_REASONS } from "../../src/core/gate/index.ts";
import { resetGate } from "../../src/flows/configure-gate.ts";
import { iso } from "./change.ts";
import { type Call, notFound, type Operation, operation } from "./operation.ts";
import { Time } from "./schemas.ts";

const PATH = "/admin/tenants/{tenant}/targets/{target}/gate";

const Limitation = z.object({
  by: z.enum(GATE_REASONS),
  since: Time,
  until: Time.nullable().describe("Null: until something is reported."),
  detail: z.string(),
});

const Gate = z.object({ limits: z.array(Limitation) }).meta({ id: "Gate" });

async function gateView({ deliver }: App, params: Call<never, never>["params"]) {
  const [id, name] = [params.tenant ?? "", params.target ?? ""];
  const target = (await deliver.directory.refresh(id))?.targets.get(name);
  if (target === undefined) throw notFound("target");
  const config = { ...target.gate, isPaused: target.closed !== null };
  const limits = await deliver.gates.limits({ tenant: id, target: name }, config);
  return {
    limits: limits.map(({ by, sinceMs, untilMs, detail }) => ({
      by,
      ...{ since: iso(sinceMs), until: untilMs === null ? null : iso(untilMs), detail },
    })),
  };
}

export const targetGateOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: PATH,
    summary:
      "What limits a target right now: its own limits, its receiver, its breaker, or a person.",
    responses: { 200: "Empty `limits`: nothing does.", 404: "No such target." },
    answer: Gate,
    handle: async ({ app, params }) => ({ status: 200, body: await gateView(app, params) }),
  }),
  operation({
    method: "post",
    path: `${PATH}/reset`,
    summary:
      "Closes a target's breaker and forgets its receiver's Retry-After: what is parked goes out at its pace.",
    responses: { 200: "What still limits it.", 404: "No such target." },
    answer: Gate,
    async handle({ app, params }) {
      await gateView(app, params);
      await resetGate({ tenant: params.tenant ?? "", target: params.target ?? "" }, app.deliver);
      return { status: 200, body: await gateView(app, params) };
    },
  }),
];
