/** When a lease should end, by how long the receiver's answers take: its slots are free then. */
import { GATE_AHEAD_MS, GATE_HORIZON_MS } from "../gate-limits.ts";
import { type GateLease, type GateState, totalOf } from "./state.ts";

/**
 * Never, where nothing has been answered yet, or where one answer takes as long as a lease should: then nobody knows,
 * and the rest between two leases is short beside them. Nor while its holder has more than it was granted.
 */
export function endAtMs(
  { attemptMs }: Pick<GateState, "attemptMs">,
  { lastTurnMs, left, slots, beside }: GateLease,
): number {
  const isUnknown = attemptMs === null || attemptMs > GATE_HORIZON_MS;
  if (isUnknown || beside > 0) return Number.POSITIVE_INFINITY;
  return lastTurnMs + Math.ceil(totalOf(left) / slots) * attemptMs;
}

/** It should end in a moment; what is overdue for longer hangs, and is waited for by nobody. */
export function isEnding(state: GateState, lease: GateLease, nowMs: number): boolean {
  return Math.abs(endAtMs(state, lease) - nowMs) <= GATE_AHEAD_MS;
}
