/** What is parked for a target, as far as its gate was told, and how much of it may go. The ledger is the truth. */
import {
  GATE_AHEAD_MS,
  GATE_PAUSE_MS_MIN,
  GATE_PORTION_LEASES_MAX,
  GATE_RELEASE_MAX,
  GATE_TICK_MS,
} from "../gate-limits.ts";
import { PRIORITIES, type Priority } from "../priority.ts";
import { type Cap, freeSlots, hardCaps, heldSlots, portionSlots, throughput } from "./caps.ts";
import { expected } from "./expected.ts";
import { endAtMs, isEnding } from "./lease-end.ts";
import { firstTurnMs, horizonMs, intervalMs, turnsWithin } from "./pace.ts";
import { refusing } from "./refusals.ts";
import { type GateConfig, type GateState, slotsOf, totalOf } from "./state.ts";
import { atTime } from "./upkeep.ts";

/** `count` deliveries of one priority were parked, or found to be by the sweeper: a word of it may get lost. */
export function parked(
  before: GateState,
  {
    priority,
    count,
    isShareTaken = false,
  }: { readonly priority: Priority; readonly count: number; readonly isShareTaken?: boolean },
  nowMs: number,
): GateState {
  if (count <= 0) return before;
  const state = isShareTaken ? refusing(before, "tenant", nowMs) : before;
  const known = state.backlog[priority];
  const backlog = {
    count: (known?.count ?? 0) + count,
    ...{ sinceMs: known?.sinceMs ?? nowMs, toldAtMs: nowMs },
  };
  return { ...state, backlog: { ...state.backlog, [priority]: backlog }, troubleAtMs: nowMs };
}

/**
 * `count` parked deliveries of one priority were sent on, or cancelled. `isEmpty`: the ledger had no more of
 * them, so whatever the gate believed, nothing is parked. `areRetries`: no more that may go without a token.
 */
export function released(
  before: GateState,
  said: {
    readonly priority: Priority;
    readonly count: number;
    readonly isEmpty: boolean;
    readonly areRetries?: boolean;
  },
  nowMs: number,
): GateState {
  const areRetries = said.areRetries === true;
  const state = areRetries ? refusing(before, "retry-budget", nowMs) : before;
  const { [said.priority]: known, ...others } = state.backlog;
  const left = Math.max(0, (known?.count ?? 0) - said.count);
  // Fewer were told of than there are: one is left at least, so that somebody looks again.
  const backlog = {
    ...{ count: Math.max(1, left), sinceMs: known?.sinceMs ?? nowMs, toldAtMs: nowMs },
    ...(areRetries ? { areRetries } : {}),
  };
  return {
    ...state,
    backlog: said.isEmpty ? others : { ...others, [said.priority]: backlog },
    troubleAtMs: nowMs,
  };
}

export const parkedCount = ({ backlog }: GateState): number =>
  PRIORITIES.reduce((sum, name) => sum + (backlog[name]?.count ?? 0), 0);

export interface Next {
  /** Parked deliveries that may go now, the most urgent and oldest first … */
  readonly release: number;
  /** … and of these at most so many that were attempted before. */
  readonly retries: number;
  /** When to look again; null: when something is reported or parked. */
  readonly wakeAtMs: number | null;
}

/**
 * How much of what is parked may go now: what fills the free slots, or turns, of the next second. The count that
 * the gate was told does not bound it, since the ledger may hold more.
 */
export function next(before: GateState, config: GateConfig, nowMs: number): Next {
  const state = atTime(before, nowMs);
  const caps = hardCaps(state, config, nowMs);
  const shut = caps.find(({ count }) => count === 0);
  if (parkedCount(state) === 0) return { release: 0, retries: 0, wakeAtMs: null };
  const stepMs = intervalMs(state, config, nowMs);
  const out = expected(state, nowMs);
  const release =
    shut === undefined ? roomFor(state, config, caps, stepMs, totalOf(out), nowMs) : 0;
  const wakeAtMs = shut?.untilMs ?? nextChangeMs(state, stepMs, nowMs);
  return {
    release,
    // Those that are still to come have a token each.
    retries: Math.max(0, Math.min(release, Math.floor(state.retryTokens.count - out.retries))),
    wakeAtMs: Math.max(wakeAtMs, nowMs + GATE_PAUSE_MS_MIN),
  };
}

function roomFor(
  state: GateState,
  config: GateConfig,
  caps: readonly Cap[],
  stepMs: number,
  out: number,
  nowMs: number,
): number {
  const next = PRIORITIES.find((name) => state.backlog[name] !== undefined) ?? "bulk";
  const withinMs = GATE_PORTION_LEASES_MAX * horizonMs(next);
  const isOpen = state.breaker.phase === "closed";
  const free = isOpen
    ? slotsSoon(state, config, next, nowMs)
    : freeSlots(state, config, next, nowMs);
  const room = Math.min(
    throughput(free, state, withinMs),
    turnsWithin(state, stepMs, nowMs, GATE_TICK_MS),
    ...caps.map(({ count }) => count),
    GATE_RELEASE_MAX,
  );
  // Probes are set free one by one: each decides about the next.
  if (!isOpen) return out > 0 ? 0 : Math.min(1, room);
  // One invocation takes what comes at once, and has so many connections: what is more would be parked anew. Another
  // portion waits for each that is at work, so that as many invocations as there are get theirs.
  const portion = throughput(portionSlots(free), state, withinMs);
  const portionsMax = portion * (1 + state.leases.length);
  return Math.max(0, Math.min(portion, room - out, portionsMax - out));
}

/**
 * Slots that are free, and those whose leases are about to end when what is let go now has come. It finds them, or
 * waits a moment: so the slots of a busy receiver do not rest between two leases.
 */
function slotsSoon(
  state: GateState,
  config: GateConfig,
  priority: Priority,
  nowMs: number,
): number {
  const ending = state.leases.filter((lease) => isEnding(state, lease, nowMs));
  return freeSlots(state, config, priority, nowMs, heldSlots(state) - slotsOf(ending));
}

/** The next turn, where it is far; otherwise a tick, or when the next lease is about to end. */
function nextChangeMs(state: GateState, stepMs: number, nowMs: number): number {
  const turnMs = firstTurnMs(state, stepMs, nowMs);
  if (turnMs > nowMs + GATE_TICK_MS) return turnMs;
  const ahead = state.leases
    .map((lease) => endAtMs(state, lease) - GATE_AHEAD_MS)
    .filter((atMs) => atMs > nowMs);
  return Math.min(nowMs + GATE_TICK_MS, ...ahead);
}
