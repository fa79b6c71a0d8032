/** One call of a target's gate, within its time. */
import type { Ask, GateReport } from "../core/gate/index.ts";
import { GATE_HORIZON_MS, GATE_TIMEOUT_MS, GATE_WAIT_MS } from "../core/gate-limits.ts";
import { timeOrderedId } from "../core/ids.ts";
import { LEASE_MARGIN_MS } from "../core/limits.ts";
import type { Gate } from "../core/tenant.ts";
import { type Clock, type Random, within } from "../ports/clock.ts";
import type { GateAnswered, GateId, Gates, GateTold } from "../ports/gates.ts";
import { errorText, type Log } from "../ports/log.ts";
import { type HeldLease, holdLease } from "./gate-lease.ts";
import { targetKey } from "./receivers.ts";

export interface GateCallPorts {
  readonly clock: Clock;
  readonly gates: Pick<Gates, "tell">;
  readonly log: Log;
  readonly random: Random;
}

export interface GateWish extends Pick<Ask, "want" | "priority" | "isReleased" | "mayWait"> {
  /** Of one attempt. */
  readonly timeoutMs: number;
}

const unreachable = (id: GateId, error: unknown, { log }: GateCallPorts): void =>
  log.warn("gate-unreachable", { gate: targetKey(id), error: errorText(error) });

/** Of a lease: what it grants has begun, and ended, by then. */
const ttlMsOf = (timeoutMs: number): number => GATE_HORIZON_MS + timeoutMs + LEASE_MARGIN_MS;

const late = () => new Error("the gate did not answer in time");

/** Who waits at the gate for a slot gets the time for it. */
const call = (id: GateId, told: GateTold, { clock, gates }: GateCallPorts) =>
  within(
    gates.tell(id, told),
    GATE_TIMEOUT_MS + (told.ask?.mayWait === true ? GATE_WAIT_MS : 0),
    clock,
    late,
  );

/** Null: it did not answer, and has no limits of its own, so that all may pass. Never rejects. */
export async function askGate(
  { tenant, target }: GateId,
  config: Gate,
  { timeoutMs, ...wish }: GateWish,
  ports: GateCallPorts,
): Promise<HeldLease | null> {
  const { clock, random } = ports;
  const lease = timeOrderedId("", clock.nowMs(), random.bytes(10));
  const ask = { ...wish, lease, ttlMs: ttlMsOf(timeoutMs) };
  try {
    const told = { config, report: null, parked: null, ask };
    return holdLease(lease, await call({ tenant, target }, told, ports), config, clock);
  } catch (error) {
    unreachable({ tenant, target }, error, ports);
    // A limit that was set holds; without one the gate would only have helped.
    return config.isSet ? holdLease(lease, null, config, clock) : null;
  }
}

/** More for the slots of a lease that is at work; null: the gate did not answer. Never rejects. */
export async function askMore(
  { tenant, target }: GateId,
  config: Gate,
  { timeoutMs, ...wish }: Omit<GateWish, "mayWait">,
  of: { readonly lease: string; readonly report: GateReport },
  ports: GateCallPorts,
): Promise<GateAnswered | null> {
  const ask = { ...wish, lease: of.lease, isMore: true, ttlMs: ttlMsOf(timeoutMs) };
  try {
    return await call({ tenant, target }, { config, report: of.report, parked: null, ask }, ports);
  } catch (error) {
    unreachable({ tenant, target }, error, ports);
    return null;
  }
}

/**
 * How many deliveries it has parked, as it believes; null when it was not told. Never rejects: its slots come back
 * with their time, and the sweeper brings it what is parked.
 */
export async function tellGate(
  { tenant, target }: GateId,
  config: Gate,
  told: Pick<GateTold, "report" | "parked" | "waiting">,
  ports: GateCallPorts,
): Promise<number | null> {
  if (told.report === null && told.parked === null && told.waiting === undefined) return null;
  try {
    const answered = await call({ tenant, target }, { config, ask: null, ...told }, ports);
    return answered?.parked ?? 0;
  } catch (error) {
    unreachable({ tenant, target }, error, ports);
    return null;
  }
}
