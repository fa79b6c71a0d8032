/** Limits of what is parked, beside those in `src/core/limits.ts`. */

/** Targets with parked deliveries whose gates the sweeper wakes in a pass. */
export const PARKED_TARGETS_MAX = 100;
/** What a gate has kept for so long is a dead letter: a person decides. */
export const PARKED_MS_MAX = 7 * 86_400_000;
/** Targets with something parked that a pass of the sweeper looks at, each some seeks in an index. */
export const PARKED_TARGETS_SEEN_MAX = 1_000;
/** What waits so long for a paused or disabled target is a dead letter: people need longer than receivers. */
export const PARKED_CLOSED_MS_MAX = 14 * 86_400_000;
/** Closed targets whose backlogs a pass of the sweeper counts, each as many rows of an index as may wait. */
export const PARKED_CLOSED_TARGETS_MAX = 20;
/** Deliveries that wait for one target, closed or by its gate: an hour of a target that gets thirty a second. */
export const PARKED_COUNT_MAX = 100_000;
/** Pages of what is too many that one pass gives up for each target. */
export const PARKED_EXCESS_PAGES_MAX = 10;
