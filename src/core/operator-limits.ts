/** Limits of what operators do, of what is kept of it, and of the jobs that go on from it. */
import { LEASE_SECONDS } from "./limits.ts";

/** An operator's deed is kept as long as the oldest row of the ledger may be: three generations. */
export const DEED_MS_MAX = 3 * 14 * 86_400_000;
/** Deeds that are forgotten with each new one: more than come, so that what is too old has an end. */
export const DEEDS_FORGOTTEN_MAX = 10;
/** Changed members that a deed names: a person reads them, and a rule may have thousands. */
export const DEED_MEMBERS_MAX = 50;
/** Of the path that it asked for: six names with all that stands between them have fewer. */
export const DEED_PATH_CHARACTERS_MAX = 500;
/** Of what a client says of itself and of its reason, in headers: as in the bodies that have a reason. */
export const REASON_CHARACTERS_MAX = 1_000;
export const ACTOR_CHARACTERS_MAX = 200;

/**
 * So long a batch of a paused queue waits where it is, and is then given back; a consumer's invocation has 15 minutes
 * (Cloudflare Queues limits). Each time counts as an attempt of its messages, of which only those in hand have any.
 */
export const QUEUE_HOLD_MS_MAX = 600_000;
/** How often it is asked meanwhile whether the queue is open again: a change holds within a second. */
export const QUEUE_ASK_MS = 500;
/** How often an isolate at work asks what operators have changed: a pause reaches each batch within a second … */
export const CHANGES_ASK_MS = 500;
/** … since each looks so often whether another has heard, and costs no round trip by that. */
export const CHANGES_LOOK_MS = 250;
/** Most that a batch is put off: with all that it does then, within those 15 minutes. */
export const QUEUE_DELAY_CONTROL_SECONDS_MAX = 60;

/** What has not answered by then is unknown in an operator's view, which has all else. */
export const VIEW_PART_TIMEOUT_MS = 5_000;

/** Deletions of tenants that one pass works on, the oldest first. */
export const DELETIONS_MAX = 20;
/** Deliveries, or objects, that a deletion removes at once: R2 deletes this many in a call at most. */
export const REMOVE_PAGE = 1_000;
/** Such pages in one pass for each tenant; what is left waits for the next. */
export const REMOVE_PAGES_MAX = 50;
/** Resources that are sealed anew at once: each may have a megabyte of secrets and headers … */
export const RESEAL_PAGE = 20;
/** … and such pages in one pass: with a call to each tenant's limiter within an invocation's 1,000. */
export const RESEAL_PAGES_MAX = 20;
/** A consumer that had claimed before a tenant was deleted may store bytes until its lease ends, and some time more. */
export const DELETION_SETTLES_MS = LEASE_SECONDS * 1_000 + 30_000;
