/** One attempt of a batch: its gate and the isolate hear of it, and a target that says it is gone is closed. */
import type { DeliveryResult } from "../ports/ledger.ts";
import { attempt, recorded } from "./deliver.ts";
import { disableTarget, GONE } from "./disable-target.ts";
import type { GatedDuty, GateSession } from "./gate-session.ts";
import type { DeliverPorts } from "./ports.ts";
import { targetKey } from "./receivers.ts";

/** `closed`: targets that this batch has closed. Null when no attempt could be made. Never rejects. */
export async function beginAttempt(
  gated: GatedDuty,
  gates: GateSession,
  closed: Set<string>,
  ports: DeliverPorts,
): Promise<DeliveryResult | null> {
  const { duty, outgoing } = gated;
  const key = targetKey(duty);
  if (closed.has(key)) {
    gates.leave(duty);
    return recorded(duty, "parked", "target disabled");
  }
  const begunAtMs = ports.clock.nowMs();
  const answered = gates.begin(gated);
  const attempted = await attempt(duty, outgoing, ports);
  answered(attempted?.answer ?? null);
  ports.receivers.answered(key, ports.clock.nowMs() - begunAtMs);
  if (attempted?.targetGone && !closed.has(key)) {
    closed.add(key);
    await disableTarget(duty, outgoing.target.gate.version, GONE, ports);
  }
  return attempted?.result ?? null;
}
