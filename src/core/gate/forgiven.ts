/** A gate that holds nothing against its receiver any more: it is another one, or a person has said that it is well. */
import { type GateState, newGate } from "./state.ts";

/**
 * What it has found out of the receiver is gone; what is under way, parked, or taken of the rate and of the day stays.
 * Leases from before say nothing of the breaker as it is now. `version` is the target's that it is set back for.
 */
export function forgiven(state: GateState, nowMs: number, version = 0): GateState {
  const { block, allowed, breaker, adaptive, attemptMs } = newGate(nowMs);
  const { breaker: _, "retry-after": __, ...refusals } = state.refusals;
  return {
    ...state,
    ...{ block, allowed, attemptMs, refusals },
    resetVersion: Math.max(state.resetVersion ?? 0, version),
    breaker: { ...breaker, openings: state.breaker.openings + 1 },
    // A decrease for what was in flight before is one too many.
    adaptive: { ...adaptive, generation: state.adaptive.generation + 1 },
  };
}
