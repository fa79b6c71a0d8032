/**
 * The rate as a queue of turns: each start has a moment of its own, an interval after the one before, so that
 * no window of w seconds has more than perSecond · w + 1 starts.
 */
import { ALLOWED_RATE_MS, GATE_HORIZON_MS } from "../gate-limits.ts";
import type { Priority } from "../priority.ts";
import type { GateConfig, GateState } from "./state.ts";

/** How far ahead one lease may reach: bulk leaves turns, and slots, for what may come. */
const HORIZON_SHARE: { readonly [Name in Priority]: number } = {
  critical: 1,
  normal: 1,
  bulk: 0.5,
};

export const horizonMs = (priority: Priority): number => GATE_HORIZON_MS * HORIZON_SHARE[priority];

/** Milliseconds between two starts, of the stricter of what was configured and what the receiver said. */
export function intervalMs(state: GateState, config: GateConfig, nowMs: number): number {
  const { allowed } = state;
  const isTold = allowed !== null && nowMs < allowed.toldAtMs + ALLOWED_RATE_MS;
  return Math.max(
    config.perSecond === null ? 0 : 1_000 / config.perSecond,
    isTold ? 60_000 / allowed.perMinute : 0,
  );
}

/** The first turn that nobody has. */
export const firstTurnMs = (state: GateState, stepMs: number, nowMs: number): number =>
  Math.max(nowMs, stepMs === 0 ? nowMs : state.lastTurnMs + stepMs);

/** Turns within `withinMs` from now on. */
export function turnsWithin(
  state: GateState,
  stepMs: number,
  nowMs: number,
  withinMs: number,
): number {
  if (stepMs === 0) return Number.POSITIVE_INFINITY;
  const roomMs = nowMs + withinMs - firstTurnMs(state, stepMs, nowMs);
  return roomMs < 0 ? 0 : Math.floor(roomMs / stepMs) + 1;
}

/** The turns of one grant, as its holder sees them. */
export interface Turns {
  readonly count: number;
  readonly firstAtMs: number;
  readonly intervalMs: number;
  /** Nothing starts later; what started ends by `expiresAtMs`. */
  readonly startByMs: number;
}

/**
 * The next turn from number `turn` on that is not over yet, or null when there is none. A turn may be late by less
 * than an interval, since no timer goes off on the dot; whoever starts late keeps the interval to his next start
 * (`lastStartMs`). A turn that a whole interval has passed is lost: to make up for it would be more than the
 * rate allows.
 */
export function nextTurn(
  grant: Turns,
  turn: number,
  nowMs: number,
  lastStartMs: number | null = null,
): { readonly turn: number; readonly atMs: number } | null {
  const { count, firstAtMs, intervalMs: stepMs, startByMs } = grant;
  const earliestMs = lastStartMs === null ? nowMs : Math.max(nowMs, lastStartMs + stepMs);
  const passed = stepMs === 0 ? 0 : Math.floor((earliestMs - firstAtMs) / stepMs);
  const at = Math.max(turn, passed);
  const atMs = Math.max(earliestMs, firstAtMs + at * stepMs);
  return at >= count || atMs > startByMs ? null : { turn: at, atMs };
}
