/** Limits of what is read of the archive when it is asked for: explained, searched, compared, or sent once more. */

/** Rules that are explained beside one event, each in some microseconds. */
export const EXPLAINED_RULES_MAX = 10_000;
/** Archived events that a pattern is tried on in one call, when it does not say how many, and at most. */
export const PREVIEW_EVENTS_DEFAULT = 100;
export const PREVIEW_EVENTS_MAX = 1_000;
/** Objects read for it, of the 1,000 calls of an invocation, and bytes of them: an isolate has 128 MB. */
export const PREVIEW_OBJECTS_MAX = 300;
export const PREVIEW_BYTES_MAX = 16_000_000;
/**
 * What one search looks at before it answers what it has: events, reads of the archive and bytes of them; and
 * of those how much at once. A frame is read with the next one unless more than the gap lies between them.
 */
export const SEARCH_EVENTS_MAX = 5_000;
export const SEARCH_READS_MAX = 300;
export const SEARCH_BYTES_MAX = 16_000_000;
export const SEARCH_PAGE = 100;
export const SEARCH_CHUNK_BYTES_MAX = 4_000_000;
export const READ_GAP_BYTES_MAX = 65_536;
/** A shorter span says nothing of a day. */
export const PREVIEW_SPAN_MS_MIN = 3_600_000;
/** Events that a pattern is tried on in one call. */
export const RULE_TEST_CASES_MAX = 100;

/** Objects that one pass of a reconciliation reads, and bytes of them: an isolate has 128 MB. */
export const RECONCILE_OBJECTS_MAX = 50;
export const RECONCILE_BYTES_MAX = 16_000_000;
/** Calls to stores after which a pass ends: an invocation has 1,000 (Cloudflare Workers limits). */
export const RECONCILE_CALLS_MAX = 400;
/** Rows of the ledger whose bytes are looked for together, each perhaps in an object of its own. */
export const RECONCILE_PAGE = 100;
/** Mismatches that a pass names; it counts all. */
export const RECONCILE_SHOWN_MAX = 100;
/** A big body younger than this may still wait in its queue. */
export const RECONCILE_BIG_GRACE_MS = 600_000;

/** Deliveries that a slice of a replay makes, events that it looks at, objects and bytes that it reads. */
export const REPLAY_DELIVERIES_MAX = 200;
export const REPLAY_EVENTS_MAX = 1_000;
export const REPLAY_OBJECTS_MAX = 60;
export const REPLAY_BYTES_MAX = 8_000_000;
/** Slices that one count of what a replay would send looks at. */
export const REPLAY_COUNT_SLICES_MAX = 20;
export const REPLAY_PER_SECOND_DEFAULT = 50;
export const REPLAY_PER_SECOND_MAX = 1_000;
/** Messages in the queue of replays above which none makes more, and how long it waits then. */
export const REPLAY_BACKLOG_MAX = 200;
export const REPLAY_BACKLOG_WAIT_MS = 5_000;
/** Between two slices at least; an alarm is never set to now. */
export const REPLAY_PAUSE_MS_MIN = 50;
/** After a slice that failed. */
export const REPLAY_RETRY_MS = 5_000;
/** A slice that has not ended by then is given up; while its alarm runs no other goes off. */
export const REPLAY_SLICE_TIMEOUT_MS = 50_000;
/** An alarm this far ahead stands behind every slice; what a dead process left is taken up then. */
export const REPLAY_WATCHDOG_MS = 60_000;
/** A running replay that has not moved for so long is woken by the sweeper, so many in a pass. */
export const REPLAY_OVERDUE_MS = 90_000;
export const REPLAY_SWEEP_PAGE = 100;
/** Those that wait for their queue, or cannot go on, do not move: among so many the others have their turn. */
export const REPLAY_SWEEP_SEEN_MAX = 1_000;
