/** Limits of how tenants share a late queue, and queues a thread, beside those in `src/core/limits.ts`. */

/** A queue is late when what it brings has waited so long: below that nobody gains more than parking costs … */
export const FAIR_LATE_MS = 2_000;
/** … and until it has waited no longer than this: between the two, as it was. */
export const FAIR_ON_TIME_MS = 500;
/** What was seen of tenants counts for one window and up to two: as long as a flood may take to be drained. */
export const FAIR_WINDOW_MS = 300_000;
/** Tenants of one queue that an isolate remembers in each window, 100 bytes each. */
export const FAIR_TENANTS_MAX = 1_000;
/** Of a target that has so many parked, no more are for this: half of what would become dead letters. */
export const FAIR_PARKED_MAX = 50_000;
/** Its gate is not asked about that for so long. */
export const FAIR_FULL_MS = 60_000;

/** For so long after a more urgent batch was at work in an isolate, others there give way. */
export const GIVEN_WAY_MS = 1_000;
/** Between two attempts that give way, of one isolate: half of its thread, where one takes a millisecond of it. */
export const WAY_PACE_MS = 2;
/** How often one that gives way looks whether the way is clear. */
export const WAY_LOOK_MS = 2;
/** The longest that one gives way: a batch that takes longer waits for its receivers, and needs no thread. */
export const WAY_WAIT_MS_MAX = 25;
