/**
 * Adaptive concurrency: additive increase, and one decrease for all that was in flight together. Only drops
 * move it down; latency is not looked at, since a receiver that refuses does so fast.
 */
import type { Adaptive } from "./state.ts";

/** What remains of the limit after a drop. */
const DECREASE = 0.95;
/** A receiver that drops all at once may have had a bad moment: of what was in flight so much stays at least. */
const LEAST = 0.5;
/** Beyond this multiple of where the receiver last dropped something, that is no longer true, and growth is fast. */
const OUTGROWN = 1.05;
/** What it took then is tried for two rounds before one more is: most of the time is spent there … */
const CLOSE_STEP = 0.5;
/** … and where that goes well, a round leads up by so many. */
const FAR_STEP = 2;

export interface Flight {
  /** Decreases before its requests began. */
  readonly generation: number;
  readonly slots: number;
  readonly ok: number;
  /** Told to go slower, or not answered in time. */
  readonly dropped: number;
  /** Attempts that were allowed at once when its requests were granted. */
  readonly allowed: number;
  /** Slots that all leases held meanwhile. */
  readonly held: number;
}

/** Attempts that may be under way at once. */
export const limitOf = (adaptive: Adaptive, isAdaptive: boolean, cap: number): number =>
  isAdaptive ? Math.max(1, Math.min(cap, Math.floor(adaptive.limit))) : cap;

/** Nothing is known yet of what the receiver can take, or it is given more than it ever took: leases are short. */
export const isClimbing = ({ limit, ceiling }: Adaptive): boolean =>
  ceiling === null || limit >= ceiling + 1;

const isOutgrown = (limit: number, ceiling: number): boolean =>
  limit > Math.max(ceiling * OUTGROWN, ceiling + 2);

/** After the answers of one lease. */
export function adapt(adaptive: Adaptive, flight: Flight, cap: number): Adaptive {
  if (flight.dropped > 0) return decreased(adaptive, flight, cap);
  const { limit, ceiling } = adaptive;
  // While fewer slots are used, their success says nothing about more of them.
  const isUsed = flight.held * 2 >= Math.min(limit, cap);
  if (!isUsed || flight.ok === 0) return adaptive;
  return { ...adaptive, limit: Math.min(cap, grown(limit, ceiling, flight)) };
}

/**
 * What was in flight, less what was dropped of it, is what the receiver can take. Others that were in flight then
 * tell of the same moment: they correct that, down to a half, and are no reason to go down once more.
 */
function decreased(adaptive: Adaptive, flight: Flight, cap: number): Adaptive {
  const { limit, ceiling, generation, floor = 1 } = adaptive;
  if (flight.generation === generation) {
    const used = Math.floor(Math.min(limit, cap, flight.held));
    const least = Math.max(1, Math.ceil(used * LEAST));
    const taken = Math.max(least, used - flight.dropped);
    const next = { ceiling: taken, floor: least, generation: generation + 1 };
    return { ...next, limit: Math.max(1, taken * DECREASE) };
  }
  if (flight.generation !== generation - 1 || ceiling === null) return adaptive; // long known
  const taken = Math.max(floor, ceiling - flight.dropped);
  return { ...adaptive, limit: Math.max(1, Math.min(limit, taken * DECREASE)), ceiling: taken };
}

/**
 * All requests in flight at once together double the limit while nothing is known of the receiver, and when it takes
 * more than it did. Between, they lead back to what it took, and slowly past it. A lease tells of several rounds.
 */
function grown(limit: number, ceiling: number | null, flight: Flight): number {
  const { ok, slots } = flight;
  if (ceiling === null || isOutgrown(limit, ceiling)) return limit + Math.min(ok, 2 * slots);
  const rounds = ok / limit;
  // What went well among fewer says nothing of one more than was ever taken.
  if (limit >= ceiling && flight.allowed < Math.floor(limit)) return limit;
  if (limit >= ceiling) return limit + rounds * (limit < ceiling + 1 ? CLOSE_STEP : FAR_STEP);
  return Math.min(ceiling, limit + rounds * Math.max(1, (ceiling - limit) / 2));
}
