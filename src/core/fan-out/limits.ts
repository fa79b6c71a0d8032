/** What one fan-out may ask for, and the pace of its pages. */
import { GENERATION_MS } from "../limits.ts";

/** Elements of one list, and so events of one fan-out: a mail blast. A body of 25 MB has 250 bytes for each. */
export const FANOUT_ELEMENTS_MAX = 100_000;
/** One element: with its record it fits a message, and needs no object of its own in R2. */
export const FANOUT_ELEMENT_BYTES_MAX = 40_000;
/** Elements that a page sends, and bytes of them: some sixteen messages. */
export const FANOUT_PAGE = 250;
export const FANOUT_PAGE_BYTES_MAX = 1_000_000;
/**
 * Elements of one fan-out that are in a queue at once: whatever comes meanwhile waits for no more of them, and
 * what is sent although somebody cancels is no more either.
 */
export const FANOUT_AHEAD_MAX = 1_000;
/** How long a fan-out waits for those before it looks again: a tenth of the time that it has waited, at least … */
export const FANOUT_WAIT_MS = 500;
/** … and at most. */
export const FANOUT_WAIT_MS_MAX = 30_000;
/** A consumer reads a list to its end before it is sent; one of 25 MB takes a second. */
export const FANOUT_FIND_TIMEOUT_MS = 30_000;
/** Fan-outs that one batch begins, two calls each of an invocation's 1,000; for more its messages come again. */
export const FANOUT_BEGUN_MAX = 100;
/** After a page that failed. */
export const FANOUT_RETRY_MS = 5_000;
/** A fan-out that is older does not go on: the ledger lets go of what it has sent. */
export const FANOUT_AGE_MS_MAX = GENERATION_MS;
/** An ended one is kept as long as the oldest row of its elements may be: three generations. */
export const FANOUT_KEPT_MS = 3 * GENERATION_MS;
/** Those that one pass of the sweeper forgets; what is left waits for the next. */
export const FANOUT_FORGOTTEN_MAX = 1_000;
export const FANOUT_PER_SECOND_MAX = 10_000;
/** A running fan-out that has not moved for so long is woken by the sweeper, so many in a pass. */
export const FANOUT_OVERDUE_MS = 90_000;
export const FANOUT_SWEEP_PAGE = 100;
/** Those that wait for a paused queue do not move: among so many the others have their turn. Two reads of D1 each. */
export const FANOUT_SWEEP_SEEN_MAX = 1_000;
