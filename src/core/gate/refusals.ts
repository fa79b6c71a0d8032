/** Which reasons have kept deliveries from a target lately. */
import { GATE_LIMITED_MS } from "../gate-limits.ts";
import { dayOf, type GateReason, type GateState } from "./state.ts";

/** A reason limits a target since it first refused something, until it has refused nothing for a while. */
export function refusing(state: GateState, reason: GateReason, nowMs: number): GateState {
  const sinceMs = limitedSinceMs(state, reason, nowMs) ?? nowMs;
  const refusals = { ...state.refusals, [reason]: { sinceMs, lastMs: nowMs } };
  return { ...state, refusals, troubleAtMs: nowMs };
}

/** Since when a reason has refused deliveries, if it still does. */
export function limitedSinceMs(state: GateState, by: GateReason, nowMs: number): number | null {
  const refusal = state.refusals[by];
  if (refusal === undefined) return null;
  const { sinceMs, lastMs } = refusal;
  // What is used up stays so for the rest of its day.
  const isStill =
    by === "quota" ? dayOf(sinceMs) === dayOf(nowMs) : nowMs < lastMs + GATE_LIMITED_MS;
  return isStill ? sinceMs : null;
}
