/** A lease on a target: slots, how many deliveries may be sent through them, and when each may start. */
import { GATE_HORIZON_MS, GATE_LEASE_MS_MAX, GATE_TICK_MS } from "../gate-limits.ts";
import { limitOf } from "./adaptive.ts";
import { halfOpen } from "./breaker.ts";
import {
  type Ask,
  capsOf,
  capsOfMore,
  heldSlots,
  slotsFor,
  slotsOfMore,
  strictest,
} from "./caps.ts";
import { arrived } from "./expected.ts";
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
import { urgentCame } from "./urgent.ts";

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
  const came = heard(atTime(before, nowMs), ask, nowMs);
  const isUrgent = ask.priority === "critical" && ask.isMore !== true;
  const state = isUrgent ? urgentCame(came, totalOf(ask.want), nowMs) : came;
  const atWork = state.leases.find(({ id }) => id === ask.lease);
  if ((atWork !== undefined) !== (ask.isMore === true)) {
    return { state, answer: { kind: "refused", reason: "concurrency", untilMs: null } };
  }
  const leases =
    atWork === undefined ? state.leases : state.leases.filter((lease) => lease !== atWork);
  const without = { ...state, leases };
  const caps =
    atWork === undefined
      ? capsOf(state, config, ask, nowMs)
      : capsOfMore(without, config, ask, atWork, nowMs);
  const cap = strictest(caps, ask.want);
  const refused = cap === null ? null : { reason: cap.reason, untilMs: cap.untilMs };
  const count = Math.min(totalOf(ask.want), cap?.count ?? Number.POSITIVE_INFINITY);
  const told = refused === null ? without : refusing(without, refused.reason, nowMs);
  if (count === 0) {
    const { reason, untilMs } = refused ?? ({ reason: "concurrency", untilMs: null } as const);
    // Its holder asks no more: its slots are free when what it has sent has ended.
    const ending = atWork === undefined ? [] : [{ ...atWork, beside: 0 }];
    return {
      state: { ...told, leases: [...leases, ...ending] },
      answer: { kind: "refused", reason, untilMs },
    };
  }
  // What passes others that are parked has not been attempted: retries keep their order.
  const isPassing = caps.some(({ reason }) => reason === "backlog");
  const retriesMax = isPassing ? 0 : Math.floor(state.retryTokens.count);
  return grant(told, config, ask, { count, retriesMax, refused, atWork }, nowMs);
}

interface Granted {
  readonly count: number;
  readonly retriesMax: number;
  /** Why no more of them. */
  readonly refused: Refusal | null;
  /** The lease that has it beside what it had. */
  readonly atWork: GateLease | undefined;
}

function grant(
  state: GateState,
  config: GateConfig,
  ask: Ask,
  { count, retriesMax, refused, atWork }: Granted,
  nowMs: number,
): { readonly state: GateState; readonly answer: Grant } {
  const stepMs = intervalMs(state, config, nowMs);
  const firstAtMs = firstTurnMs(state, stepMs, nowMs);
  const retries = Math.min(ask.want.retries, count, retriesMax);
  const slots =
    atWork === undefined
      ? Math.min(count, slotsFor(state, config, ask, nowMs))
      : slotsOfMore(state, config, ask, atWork.slots, nowMs);
  const breaker = halfOpen(state.breaker, nowMs);
  const endOfDayMs = (dayOf(nowMs) + 1) * DAY_MS - 1;
  const expiresAtMs = nowMs + Math.min(ask.ttlMs, GATE_LEASE_MS_MAX);
  // What starts later might not have ended when the slots belong to others.
  const lateMs = Math.min(stepMs, GATE_TICK_MS);
  // The first of more begins when one ends that is under way.
  const firstMs = atWork === undefined ? 0 : (state.attemptMs ?? 0);
  const startByMs = Math.min(expiresAtMs, nowMs + firstMs + GATE_HORIZON_MS + lateMs);
  const asksAgain = ask.isReleased && refused?.reason === "concurrency" && stepMs === 0;
  const had = atWork?.left ?? { fresh: 0, retries: 0 };
  const lease: GateLease = {
    ...{
      ...{ id: ask.lease, priority: ask.priority, slots },
      held: heldSlots(state) + slots,
      allowed: limitOf(state.adaptive, config.isAdaptive, config.concurrency),
      left: { fresh: had.fresh + count - retries, retries: had.retries + retries },
      beside: asksAgain ? totalOf(ask.want) - count : 0,
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
function heard(state: GateState, { isReleased, isMore, want }: Ask, nowMs: number): GateState {
  return isReleased && isMore !== true ? arrived(state, want, nowMs) : state;
}
