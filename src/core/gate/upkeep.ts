/** What time alone does to a gate: leases expire, tokens for retries come, a new day begins. */
import { RETRIES_PER_SECOND_MIN, RETRY_TOKENS_MAX } from "../gate-limits.ts";
import { probesUnderWay, reopen } from "./breaker.ts";
import { type Breaker, dayOf, type GateState, isCounted } from "./state.ts";

/** The state as it is at `nowMs`; every decision begins with it. */
export function atTime(before: GateState, nowMs: number): GateState {
  const state = withClock(before, nowMs);
  const { quota, retryTokens } = state;
  const passedMs = Math.max(0, nowMs - retryTokens.atMs);
  const count = retryTokens.count + (passedMs * RETRIES_PER_SECOND_MIN) / 1_000;
  return {
    ...withoutExpired(state, nowMs),
    quota: isCounted(quota, nowMs) ? quota : { day: dayOf(nowMs), sent: 0 },
    // A clock that went back gives nothing twice.
    retryTokens: {
      count: Math.min(RETRY_TOKENS_MAX, count),
      atMs: Math.max(nowMs, retryTokens.atMs),
    },
  };
}

/**
 * A clock that went back takes the turns with it, which lie as far ahead as before, and the time of the tokens: nothing
 * else would bring them back, and nothing would start for as long as it went back.
 */
export function withClock(state: GateState, nowMs: number): GateState {
  const backMs = Math.max(0, (state.clockMs ?? nowMs) - nowMs);
  const { lastTurnMs, retryTokens } = state;
  return {
    ...state,
    ...{ lastTurnMs: lastTurnMs - backMs, clockMs: nowMs },
    retryTokens: { ...retryTokens, atMs: retryTokens.atMs - backMs },
  };
}

function withoutExpired(state: GateState, nowMs: number): GateState {
  const expired = state.leases.filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
  if (expired.length === 0) return state;
  const leases = state.leases.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  return { ...state, leases, breaker: afterLostProbes(state.breaker, expired) };
}

function afterLostProbes(breaker: Breaker, expired: GateState["leases"]): Breaker {
  if (breaker.phase !== "half-open" || probesUnderWay(breaker, expired) === 0) return breaker;
  const lost = expired.filter(({ isProbe, opening }) => isProbe && opening === breaker.openings);
  return reopen(breaker, Math.max(...lost.map(({ expiresAtMs }) => expiresAtMs)));
}
