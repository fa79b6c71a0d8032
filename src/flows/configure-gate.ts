/** A target's gate hears of new limits at once: nobody may ask it for long, and what is parked goes by the old ones. */
import { Retryable } from "../core/errors.ts";
import { GATE_TIMEOUT_MS } from "../core/gate-limits.ts";
import type { Gate } from "../core/tenant.ts";
import { within } from "../ports/clock.ts";
import type { GateId } from "../ports/gates.ts";
import { errorText } from "../ports/log.ts";
import type { DeliverPorts } from "./ports.ts";

/** Its receiver is another, or a person says that it is well. Rejects when the gate does not answer. */
export async function resetGate(id: GateId, gate: Gate, ports: DeliverPorts): Promise<void> {
  await within(ports.gates.reset(id, gate), GATE_TIMEOUT_MS, ports.clock, late);
}

/** The same of a target that a PUT has moved. Never rejects: the gate goes on with what it knows, until it is reset. */
export async function moveGate(id: GateId, ports: DeliverPorts): Promise<void> {
  try {
    const gate = (await ports.directory.refresh(id.tenant))?.targets.get(id.target)?.gate;
    if (gate !== undefined) await resetGate(id, gate, ports);
  } catch (error) {
    const gate = `${id.tenant}/${id.target}`;
    ports.log.warn("gate-unreachable", { gate, error: errorText(error) });
  }
}

const late = () => new Retryable("the gate did not answer in time");

/** Never rejects: who asks the gate next tells it as well, and so does the sweeper where something is parked. */
export async function configureGate(id: GateId, ports: DeliverPorts): Promise<void> {
  const { clock, directory, gates, log } = ports;
  try {
    const gate = (await directory.refresh(id.tenant))?.targets.get(id.target)?.gate;
    if (gate === undefined) return;
    const telling = gates.tell(id, { config: gate, report: null, parked: null, ask: null });
    await within(telling, GATE_TIMEOUT_MS, clock, late);
  } catch (error) {
    log.warn("gate-unreachable", { gate: `${id.tenant}/${id.target}`, error: errorText(error) });
  }
}
