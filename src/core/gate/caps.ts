/** What keeps an ask from passing whole: for each reason how many deliveries it leaves, and until when. */
import {
  GATE_ATTEMPT_MS_DEFAULT,
  GATE_BACKLOG_MS,
  GATE_HORIZON_MS,
  GATE_LEARN_MS,
  GATE_LEASES_MAX,
} from "../gate-limits.ts";
import { CONNECTIONS_MAX } from "../limits.ts";
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
  type GateLease,
  type GateReason,
  type GateState,
  isCounted,
  slotsOf,
  totalOf,
} from "./state.ts";
import { keptFree } from "./urgent.ts";

export interface Ask {
  /** Its lease's id, never used before; of a lease that is at work where it asks for more. */
  readonly lease: string;
  readonly want: Counts;
  readonly priority: Priority;
  /** It comes out of parking, so nothing that is parked is before it. */
  readonly isReleased: boolean;
  /** Where every slot is taken, it waits for one. */
  readonly mayWait?: boolean;
  /** More deliveries for the slots of a lease that is at work. */
  readonly isMore?: boolean;
  readonly ttlMs: number;
}

export interface Cap {
  readonly reason: GateReason;
  readonly count: number;
  readonly untilMs: number | null;
}

export const heldSlots = ({ leases }: GateState): number => slotsOf(leases);

/** Slots that are free for what is of this priority, where `held` are not. */
export function freeSlots(
  state: GateState,
  config: GateConfig,
  priority: Priority,
  nowMs: number,
  held: number = heldSlots(state),
): number {
  if (state.leases.length >= GATE_LEASES_MAX) return 0;
  const limit = limitOf(state.adaptive, config.isAdaptive, config.concurrency);
  return Math.max(0, limit - held - keptFree(state, limit, priority, nowMs));
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
export function slotsFor(
  state: GateState,
  config: GateConfig,
  { isReleased, priority }: Ask,
  nowMs: number,
): number {
  const free = freeSlots(state, config, priority, nowMs);
  return isReleased ? portionSlots(free) : Math.min(free, CONNECTIONS_MAX);
}

export const sentToday = ({ quota }: GateState, nowMs: number): number =>
  isCounted(quota, nowMs) ? quota.sent : 0;

/** Deliveries that `slots` get through in `withinMs`, and one each at least. */
export function throughput(slots: number, { attemptMs }: GateState, withinMs: number): number {
  const roundMs = Math.max(1, attemptMs ?? GATE_ATTEMPT_MS_DEFAULT);
  return slots * Math.max(1, Math.round(withinMs / roundMs));
}

/**
 * How far a lease reaches. It is heard of its answers when it asks for more or is over: soon, where they decide how
 * many slots there are, and after each round while it is not known what the receiver can take.
 */
export function reachMs(
  { adaptive }: GateState,
  { isAdaptive }: GateConfig,
  { priority, isReleased, ttlMs }: Ask,
): number {
  if (isAdaptive && isClimbing(adaptive)) return 0;
  const mostMs = isAdaptive && isReleased ? GATE_LEARN_MS : GATE_HORIZON_MS;
  return Math.min(mostMs, horizonMs(priority), ttlMs);
}

/** What is parked of this priority, by what the gate was told not long ago. */
function parkedOf({ backlog }: GateState, priority: Priority, nowMs: number): number {
  const { count, toldAtMs } = backlog[priority] ?? { count: 0, toldAtMs: 0 };
  return nowMs < toldAtMs + GATE_BACKLOG_MS ? count : 0;
}

/** … and of it what may go: of retries that wait for tokens as many as there are. */
const readyOf = (state: GateState, priority: Priority, nowMs: number): number =>
  Math.min(
    parkedOf(state, priority, nowMs),
    state.backlog[priority]?.areRetries
      ? Math.floor(state.retryTokens.count)
      : Number.POSITIVE_INFINITY,
  );

const asUrgent = (priority: Priority) => PRIORITIES.slice(0, PRIORITIES.indexOf(priority) + 1);
const moreUrgent = (priority: Priority) => PRIORITIES.slice(0, PRIORITIES.indexOf(priority));

/** Limits that no ask passes by, whatever it wants. The state has no expired leases. */
export function hardCaps(state: GateState, config: GateConfig, nowMs: number): Cap[] {
  const found: Cap[] = [];
  const { block, breaker } = state;
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
  const { priority, isReleased } = ask;
  const stepMs = intervalMs(state, config, nowMs);
  const slots = slotsFor(state, config, ask, nowMs);
  const turnsMs = Math.min(horizonMs(priority), ask.ttlMs);
  const turns = turnsWithin(state, stepMs, nowMs, turnsMs);
  const found = hardCaps(state, config, nowMs);
  const before = asUrgent(priority).filter((name) => parkedOf(state, name, nowMs) > 0);
  if (!isReleased && before.length > 0) {
    // What has not been attempted passes retries that wait for tokens: parked, it would be let go at once.
    const isPassed = before.every((name) => state.backlog[name]?.areRetries);
    found.push({ reason: "backlog", count: isPassed ? ask.want.fresh : 0, untilMs: null });
  }
  found.push(
    concurrencyCap(slots, state, config, ask),
    { reason: "rate", count: turns, untilMs: firstTurnMs(state, stepMs, nowMs) },
    retryCap(state, ask),
  );
  return found;
}

/**
 * Slots for a lease that had `slots`, of the state without it: what is free comes to it, and it gives up all or none.
 * Where the limit went down, those that go on have to fit, and the others end in a moment.
 */
export function slotsOfMore(
  state: GateState,
  config: GateConfig,
  { priority }: Ask,
  slots: number,
  nowMs: number,
): number {
  const free = freeSlots(state, config, priority, nowMs);
  if (free >= slots) return Math.min(free, CONNECTIONS_MAX);
  const goingOn = slotsOf(state.leases.filter(({ beside }) => beside > 0));
  return freeSlots(state, config, priority, nowMs, goingOn) >= slots ? slots : 0;
}

/** Every limit of more for `lease`; the state is without it. */
export function capsOfMore(
  state: GateState,
  config: GateConfig,
  ask: Ask,
  { slots, day }: GateLease,
  nowMs: number,
): Cap[] {
  const found = hardCaps(state, config, nowMs);
  const shut = (reason: GateReason) => found.push({ reason, count: 0, untilMs: null });
  if (state.breaker.phase !== "closed") shut("breaker");
  // As many end as what is more urgent has use for, and no more: what they leave is parked anew.
  const ending = state.leases.filter(({ beside }) => beside === 0);
  const waiting = moreUrgent(ask.priority).filter((name) => readyOf(state, name, nowMs) > 0);
  const [first = ask.priority] = waiting;
  const soonFree = slotsOf(ending) + freeSlots(state, config, first, nowMs) - slots;
  const ready = waiting.reduce((sum, name) => sum + readyOf(state, name, nowMs), 0);
  if (ready > Math.max(0, soonFree)) shut("backlog");
  // Turns are everybody's.
  if (intervalMs(state, config, nowMs) > 0) shut("rate");
  // What comes back of it belongs to the day it was taken from.
  const isToday = config.perDay === null || day === dayOf(nowMs);
  // More begins when what is under way has ended: within the time of a lease.
  const isSoon = (state.attemptMs ?? 0) <= GATE_HORIZON_MS;
  const more = isToday && isSoon ? slotsOfMore(state, config, ask, slots, nowMs) : 0;
  found.push(concurrencyCap(more, state, config, ask), retryCap(state, ask));
  return found;
}

const concurrencyCap = (slots: number, state: GateState, config: GateConfig, ask: Ask): Cap => {
  const count = throughput(slots, state, reachMs(state, config, ask));
  return { reason: "concurrency", count, untilMs: null };
};

const retryCap = ({ retryTokens }: GateState, { want }: Ask): Cap => {
  const retries = Math.min(want.retries, Math.floor(retryTokens.count));
  return { reason: "retry-budget", count: want.fresh + retries, untilMs: null };
};

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
