/** What keeps an ask from passing whole: for each reason how many deliveries it leaves, and until when. */
import {
  CONNECTIONS_MAX,
  GATE_ATTEMPT_MS_DEFAULT,
  GATE_BACKLOG_MS,
  GATE_LEASES_MAX,
} from "../limits.ts";
import { PRIORITIES, type Priority } from "../priority.ts";
import { isClimbing, limitOf } from "./adaptive.ts";
import { probesAtMs, probesMax, probesUnderWay } from "./breaker.ts";
import { firstTurnMs, horizonMs, intervalMs, turnsWithin } from "./pace.ts";
import {
  type Counts,
  DAY_MS,
  dayOf,
  GATE_REASONS,
  type GateConfig,
  type GateReason,
  type GateState,
  totalOf,
} from "./state.ts";

export interface Ask {
  /** Its lease's id, never used before. */
  readonly lease: string;
  readonly want: Counts;
  readonly priority: Priority;
  /** It comes out of parking, so nothing that is parked is before it. */
  readonly isReleased: boolean;
  /** Where every slot is taken, it waits for one. */
  readonly mayWait?: boolean;
  readonly ttlMs: number;
}

export interface Cap {
  readonly reason: GateReason;
  readonly count: number;
  readonly untilMs: number | null;
}

export const slotsOf = (leases: GateState["leases"]): number =>
  leases.reduce((sum, { slots }) => sum + slots, 0);

export const heldSlots = ({ leases }: GateState): number => slotsOf(leases);

/** Slots that are free where `held` are not, of those that one invocation can use. */
export function freeSlots(
  state: GateState,
  config: GateConfig,
  held: number = heldSlots(state),
): number {
  if (state.leases.length >= GATE_LEASES_MAX) return 0;
  const limit = limitOf(state.adaptive, config.isAdaptive, config.concurrency);
  return Math.max(0, limit - held);
}

/** So few slots are not worth an invocation of their own, where it can have more in a moment. */
export const SLOTS_WORTH_IT = CONNECTIONS_MAX / 2;

/** Of `free` slots those for one portion of what was let go: it leaves none, or enough for another. */
export function portionSlots(free: number): number {
  const slots = Math.min(free, CONNECTIONS_MAX);
  const rest = free - slots;
  return rest > 0 && rest < SLOTS_WORTH_IT ? slots - (SLOTS_WORTH_IT - rest) : slots;
}

/** Slots for one lease: no more than an invocation has connections. */
export function slotsFor(state: GateState, config: GateConfig, { isReleased }: Ask): number {
  const free = freeSlots(state, config);
  return isReleased ? portionSlots(free) : Math.min(free, CONNECTIONS_MAX);
}

export const sentToday = ({ quota }: GateState, nowMs: number): number =>
  quota.day === dayOf(nowMs) ? quota.sent : 0;

/**
 * Deliveries that `slots` get through in `withinMs`, and one each at least: so many while it is being learnt what the
 * receiver can take, since a lease tells of its answers when it is over.
 */
export function throughput(
  slots: number,
  { adaptive, attemptMs }: GateState,
  { isAdaptive }: GateConfig,
  withinMs: number,
): number {
  if (isAdaptive && isClimbing(adaptive)) return slots;
  const roundMs = Math.max(1, attemptMs ?? GATE_ATTEMPT_MS_DEFAULT);
  return slots * Math.max(1, Math.round(withinMs / roundMs));
}

/** Something at least as urgent is parked already, by what the gate was told not long ago. */
export const isBehind = (state: GateState, priority: Priority, nowMs: number): boolean =>
  PRIORITIES.slice(0, PRIORITIES.indexOf(priority) + 1).some((name) => {
    const backlog = state.backlog[name];
    return backlog !== undefined && nowMs < backlog.toldAtMs + GATE_BACKLOG_MS;
  });

/** Limits that no ask passes by, whatever it wants. The state has no expired leases. */
export function hardCaps(state: GateState, config: GateConfig, nowMs: number): Cap[] {
  const found: Cap[] = [];
  const { block, breaker } = state;
  if (config.isPaused === true) found.push({ reason: "operator", count: 0, untilMs: null });
  if (config.perDay !== null) {
    const count = Math.max(0, config.perDay - sentToday(state, nowMs));
    found.push({ reason: "quota", count, untilMs: (dayOf(nowMs) + 1) * DAY_MS });
  }
  if (nowMs < block.untilMs) {
    found.push({ reason: "retry-after", count: 0, untilMs: block.untilMs });
  }
  if (breaker.phase === "open" && nowMs < probesAtMs(breaker)) {
    found.push({ reason: "breaker", count: 0, untilMs: probesAtMs(breaker) });
  } else if (breaker.phase !== "closed") {
    const count = Math.max(0, probesMax(breaker) - probesUnderWay(breaker, state.leases));
    found.push({ reason: "breaker", count, untilMs: null });
  }
  return found;
}

/** Every limit of this ask. */
export function capsOf(state: GateState, config: GateConfig, ask: Ask, nowMs: number): Cap[] {
  const { want, priority, isReleased } = ask;
  const stepMs = intervalMs(state, config, nowMs);
  const withinMs = Math.min(horizonMs(priority), ask.ttlMs);
  const slots = slotsFor(state, config, ask);
  const turns = turnsWithin(state, stepMs, nowMs, withinMs);
  const retries = Math.min(want.retries, Math.floor(state.retryTokens.count));
  const found = hardCaps(state, config, nowMs);
  if (!isReleased && isBehind(state, priority, nowMs)) {
    found.push({ reason: "backlog", count: 0, untilMs: null });
  }
  found.push(
    { reason: "concurrency", count: throughput(slots, state, config, withinMs), untilMs: null },
    { reason: "rate", count: turns, untilMs: firstTurnMs(state, stepMs, nowMs) },
    { reason: "retry-budget", count: want.fresh + retries, untilMs: null },
  );
  return found;
}

/** The cap that leaves least; of equal ones the first in the order of reasons. Null: all may pass. */
export function strictest(caps: readonly Cap[], want: Counts): Cap | null {
  const [first] = caps
    .filter(({ count }) => count < totalOf(want))
    .toSorted(
      (a, b) =>
        a.count - b.count || GATE_REASONS.indexOf(a.reason) - GATE_REASONS.indexOf(b.reason),
    );
  return first ?? null;
}
