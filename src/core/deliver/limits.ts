/** Limits of how tenants share a late queue, and queues a thread; and of what stands before an attempt. */

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
/** Between two attempts that give way, of one isolate: a quarter of its thread, where one takes a millisecond of it. */
export const WAY_PACE_MS = 4;
/** How soon one that gives way looks whether the way is clear, and each time after twice as long … */
export const WAY_LOOK_MS = 2;
/** … up to this: each look is a timer, and takes time from what it gives way to. */
export const WAY_LOOK_MS_MAX = 32;
/** The longest that one gives way: a batch that takes longer waits for its receivers, and needs no thread. */
export const WAY_WAIT_MS_MAX = 400;

/** A receiver is asked for its permission while a person waits for the answer to a PUT. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/** A token's endpoint gets this long, and never longer than the attempt that needs the token. */
export const TOKEN_TIMEOUT_MS = 5_000;
/** A token is not used in the last minute of its life, in which it may end on its way. */
export const TOKEN_MARGIN_SECONDS = 60;
/** Of one whose endpoint does not say how long it lives (RFC 6749 §5.1 only recommends it). */
export const TOKEN_SECONDS_DEFAULT = 300;
/** However long it lives: what was taken back meanwhile is asked for anew within an hour. */
export const TOKEN_SECONDS_MAX = 3_600;
/** An endpoint that failed is left alone for this long: many deliveries may need it at once. */
export const TOKEN_FAILURE_MS = 5_000;
/** A receiver that refuses every token costs its endpoint one request in this time. */
export const TOKEN_FORGET_MS = 60_000;
/** Of an endpoint's answer; tokens of some KB are common. */
export const TOKEN_ANSWER_BYTES_MAX = 32_768;
/** Tokens that one isolate holds. */
export const TOKENS_MAX = 1_000;
/** Both lookups of a name together; resolvers answer in some ten. What is late was not found out. */
export const DNS_TIMEOUT_MS = 2_000;
/** What was found out about a name is believed for this long at most, however long its records say. */
export const DNS_TTL_SECONDS_MAX = 60;
/** Names of which one isolate remembers what it found out. */
export const DNS_NAMES_MAX = 1_000;
/** Of a resolver's answer: as much as the longest DNS message; a longer one is not whole. */
export const DNS_ANSWER_BYTES_MAX = 65_536;
