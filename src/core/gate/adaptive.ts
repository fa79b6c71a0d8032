/**
 * Adaptive concurrency: additive increase, and one decrease for all that was in flight together. Only drops
 * move it down; latency is not looked at, since a receiver that refuses does so fast.
 */
import type { Adaptive } from "./state.ts";

/** What remains of the limit after a drop. */
const DECREASE = 0.85;
/** Beyond this multiple of where the receiver last dropped something, that is no longer true, and growth is fast. */
const OUTGROWN = 1.25;
/** So close to it growth is slow: most of the time is spent just below what the receiver can take. */
const CLOSE = 1;
const CLOSE_STEP = 0.25;

export interface Flight {
  /** Decreases before its requests began. */
  readonly generation: number;
  readonly slots: number;
  readonly ok: number;
  /** Told to go slower, or not answered in time. */
  readonly dropped: number;
  /** Slots that all leases held meanwhile. */
  readonly held: number;
}

/** Attempts that may be under way at once. */
export const limitOf = (adaptive: Adaptive, isAdaptive: boolean, cap: number): number =>
  isAdaptive ? Math.max(1, Math.min(cap, Math.floor(adaptive.limit))) : cap;

/** After the answers of one lease. */
export function adapt(adaptive: Adaptive, flight: Flight, cap: number): Adaptive {
  const { limit, ceiling, generation } = adaptive;
  if (flight.dropped > 0) {
    if (flight.generation !== generation) return adaptive; // known, and answered already
    return {
      limit: Math.max(1, Math.min(limit, cap) * DECREASE),
      ceiling: Math.floor(Math.min(limit, cap)),
      generation: generation + 1,
    };
  }
  // While fewer slots are used, their success says nothing about more of them.
  const isUsed = flight.held * 2 >= Math.min(limit, cap);
  if (!isUsed || flight.ok === 0) return adaptive;
  return { ...adaptive, limit: Math.min(cap, limit + growth(limit, ceiling, flight)) };
}

/**
 * All requests in flight at once together double the limit while nothing is known of the receiver; later they
 * add a step, larger on the way back to where it last dropped something. A lease tells of several rounds.
 */
function growth(limit: number, ceiling: number | null, { ok, slots }: Flight): number {
  if (ceiling === null || limit > ceiling * OUTGROWN) return Math.min(ok, 2 * slots);
  const isClose = Math.abs(limit - ceiling) <= CLOSE;
  const step = isClose ? CLOSE_STEP : Math.max(1, (ceiling - limit) / 2);
  return (step * ok) / limit;
}
