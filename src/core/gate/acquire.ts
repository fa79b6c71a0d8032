/** A lease on a target: slots, how many deliveries may be sent through them, and when each may start. */
import { GATE_HORIZON_MS, GATE_LEASE_MS_MAX, GATE_TICK_MS } from "../limits.ts";
import { halfOpen } from "./breaker.ts";
import { type Ask, capsOf, heldSlots, slotsFor, strictest } from "./caps.ts";
import { firstTurnMs, intervalMs, type Turns } from "./pace.ts";
import { refusing } from "./refusals.ts";
import {
  DAY_MS,
  dayOf,
  type GateConfig,
  type GateLease,
  type GateReason,
  type GateState,
  totalOf,
} from "./state.ts";
import { atTime } from "./upkeep.ts";

export interface Refusal {
  readonly reason: GateReason;
  /** When it is worth asking again; null: when something is reported. */
  readonly untilMs: number | null;
}

export interface Grant extends Turns {
  readonly kind: "granted";
  readonly slots: number;
  /** Of `count`, at most so many that were attempted before. */
  readonly retries: number;
  /** Every attempt has ended and is reported by then: the slots belong to others. */
  readonly expiresAtMs: number;
  readonly isProbe: boolean;
  /** Why the rest may not pass. */
  readonly refused: Refusal | null;
}

export type GateAnswer = Grant | ({ readonly kind: "refused" } & Refusal);

/** Grants what every limit leaves of `ask`, and takes it from them. */
export function acquire(
  before: GateState,
  config: GateConfig,
  ask: Ask,
  nowMs: number,
): { readonly state: GateState; readonly answer: GateAnswer } {
  const state = heard(atTime(before, nowMs), ask);
  const cap = strictest(capsOf(state, config, ask, nowMs), ask.want);
  const refused = cap === null ? null : { reason: cap.reason, untilMs: cap.untilMs };
  const known = state.leases.some(({ id }) => id === ask.lease);
  const count = known ? 0 : Math.min(totalOf(ask.want), cap?.count ?? Number.POSITIVE_INFINITY);
  const told = refused === null ? state : refusing(state, refused.reason, nowMs);
  if (count === 0) {
    const { reason, untilMs } = refused ?? ({ reason: "concurrency", untilMs: null } as const);
    return { state: told, answer: { kind: "refused", reason, untilMs } };
  }
  return grant(told, config, ask, { count, refused }, nowMs);
}

function grant(
  state: GateState,
  config: GateConfig,
  ask: Ask,
  { count, refused }: { readonly count: number; readonly refused: Refusal | null },
  nowMs: number,
): { readonly state: GateState; readonly answer: Grant } {
  const stepMs = intervalMs(state, config, nowMs);
  const firstAtMs = firstTurnMs(state, stepMs, nowMs);
  const retries = Math.min(ask.want.retries, count, Math.floor(state.retryTokens.count));
  const slots = Math.min(count, slotsFor(state, config, ask));
  const breaker = halfOpen(state.breaker, nowMs);
  const endOfDayMs = (dayOf(nowMs) + 1) * DAY_MS - 1;
  const expiresAtMs = nowMs + Math.min(ask.ttlMs, GATE_LEASE_MS_MAX);
  // What starts later might not have ended when the slots belong to others.
  const lateMs = Math.min(stepMs, GATE_TICK_MS);
  const startByMs = Math.min(expiresAtMs, nowMs + GATE_HORIZON_MS + lateMs);
  const lease: GateLease = {
    ...{
      id: ask.lease,
      slots,
      held: heldSlots(state) + slots,
      left: { fresh: count - retries, retries },
    },
    // One more than it has: its last may be late, and the next one's first must not come too soon after it.
    ...{ lastTurnMs: firstAtMs + count * stepMs, day: dayOf(nowMs), expiresAtMs },
    ...{ generation: state.adaptive.generation, opening: breaker.openings },
    isProbe: breaker.phase === "half-open",
  };
  return {
    state: {
      ...state,
      leases: [...state.leases, lease],
      lastTurnMs: Math.max(state.lastTurnMs, lease.lastTurnMs),
      quota: { ...state.quota, sent: state.quota.sent + count },
      retryTokens: { ...state.retryTokens, count: state.retryTokens.count - retries },
      breaker,
    },
    answer: {
      ...{ kind: "granted", slots, count, retries, firstAtMs, intervalMs: stepMs },
      // What was taken from today's quota does not start tomorrow.
      startByMs: config.perDay === null ? startByMs : Math.min(startByMs, endOfDayMs),
      ...{ expiresAtMs, isProbe: lease.isProbe, refused },
    },
  };
}

/** Those who were released have come. */
function heard(state: GateState, { isReleased, want }: Ask): GateState {
  const { released } = state;
  if (!isReleased || released.count === 0) return state;
  return {
    ...state,
    released: { ...released, count: Math.max(0, released.count - totalOf(want)) },
  };
}
