/** Limits of how a late queue is shared among tenants, beside those in `src/core/limits.ts`. */

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
