/** What was written down as waiting for a batch is told to its target's gate, which knows when one goes. */
import { bytesInBatch, WAITS_FOR_ITS_BATCH } from "../core/batch/batch.ts";
import type { Tenant } from "../core/tenant.ts";
import { type GateCallPorts, tellGate } from "./gate-call.ts";
import { targetKey } from "./receivers.ts";
import type { Settled } from "./send-again.ts";

/** One call for each target. Never rejects: what a gate does not hear, the sweeper tells it. */
export async function tellBatches(
  settled: readonly Settled[],
  tenants: ReadonlyMap<string, Tenant | null>,
  ports: GateCallPorts,
): Promise<void> {
  const resting = settled.filter(({ result: { state, lastError } }) => {
    return state === "parked" && lastError === WAITS_FOR_ITS_BATCH;
  });
  const byTarget = Map.groupBy(resting, ({ result }) => targetKey(result));
  await Promise.all(
    [...byTarget.values()].map(async (own) => {
      const [first] = own;
      const id = first?.result ?? { tenant: "", target: "" };
      const config = tenants.get(id.tenant)?.targets.get(id.target)?.gate;
      if (config === undefined) return;
      const bytes = own.reduce((sum, { held }) => sum + bytesInBatch(held.bodyBytes), 0);
      const waiting = { count: own.length, bytes };
      await tellGate(id, config, { report: null, parked: null, waiting }, ports);
    }),
  );
}
