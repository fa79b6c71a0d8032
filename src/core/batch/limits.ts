/** Limits of batches to targets, each with its reason. */

/** What a person may ask for: an hour is late enough, and more is a report. */
export const BATCH_SECONDS_MAX = 3_600;
/** A batch is in memory whole, with the events it is made of, beside others of its object. */
export const BATCH_KILOBYTES_MAX = 1_000;
/** As many as one write of the ledger settles in a few statements. */
export const BATCH_EVENTS_MAX = 1_000;
/** What holds of the members that are left out: a lone event is late by so much … */
export const BATCH_SECONDS_DEFAULT = 10;
/** … a body is no larger than servers read that were not told of larger ones (Express: 100 KB) … */
export const BATCH_KILOBYTES_DEFAULT = 100;
/** … and what one fault of a receiver repeats is no more than this. */
export const BATCH_EVENTS_DEFAULT = 100;
/** What an event has around its data in a batch, before that is known. */
export const BATCH_ATTRIBUTES_BYTES_DEFAULT = 600;
/** Of a receiver's answer: a thousand ids with their reasons. */
export const BATCH_ANSWER_BYTES_MAX = 262_144;
/** Of a reason, and of an answer, for each delivery of a batch: a thousand of them are written at once. */
export const BATCH_REASON_CHARS_MAX = 200;
/** Results in one statement, so that its parameter stays well below 2 MB, the most that D1 binds. */
export const BATCH_SETTLE_PAGE = 250;
/** Its events are read within this time, before it is leased: a thousand objects over a few connections. */
export const BATCH_READ_MS_MAX = 30_000;
/** What has changed meanwhile is known within this time, or it does not go. */
export const BATCH_ASK_MS_MAX = 5_000;
/** Beyond its request's own time: that, reading the answer, and three writes of the ledger that are late. */
export const BATCH_LEASE_MARGIN_MS = 60_000;
/** Somebody looks again after so long, should the process die that looks now. */
export const BATCH_GUARD_MS = 30_000;
/** Attempts above the policy's that ended with their process: what kills each is a dead letter in the end. */
export const BATCH_UNANSWERED_MAX = 5;
