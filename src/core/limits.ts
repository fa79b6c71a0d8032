/** Every limit of the router and of the platform it keeps to: a name, a number, a unit, where it comes from. */

/** Largest body a source may be configured to accept (API contract). */
export const BODY_BYTES_HARD_MAX = 25_000_000;
/** A refused body is read and dropped up to here: no larger one reaches a Worker on the usual plans. */
export const BODY_BYTES_DROPPED_MAX = 100_000_000;
/** Accepted body when the source says nothing. */
export const BODY_BYTES_DEFAULT_MAX = 1_000_000;
/** Admin bodies: configuration, never payloads. */
export const ADMIN_BODY_BYTES_MAX = 1_000_000;

/**
 * One queue message, so that it is billed as a single 64 KB operation; about 100 bytes of
 * metadata count towards it (Cloudflare Queues limits and pricing: KB = 1,000 bytes).
 */
export const PACK_BYTES_MAX = 63_900;
/** `sendBatch()` takes 100 messages or 256 KB in all (Cloudflare Queues limits). */
export const QUEUE_BATCH_BYTES_MAX = 250_000;
/** A message tried more often is sent anew, long before the platform gives it up (max_retries is 100 at most). */
export const MESSAGE_ATTEMPTS_MAX = 50;
/** Longest pause before a message is tried again after failures of ours: how late a recovery may be noticed. */
export const BACKOFF_SECONDS_MAX = 120;
/** A store that failed is left alone for this long, then one batch finds out. */
export const PROBE_PAUSE_MS = 5_000;
/** A delay above this belongs in the ledger: the local queue wedges at 10,000 pending timers. */
export const QUEUE_DELAY_SECONDS_MAX = 600;
/**
 * Delayed messages of one queue that one isolate lets wait at once: half of those 10,000 (workers-sdk
 * #15670), since messages that are retried by the queue take timers too. What is beyond stays in the
 * ledger and goes out with the sweeper's passes. Retries share messages (core/deliver/retry.ts,
 * DEPARTURE_STEPS), so that it takes more than 100,000 of them to get there.
 */
export const DELAYED_MESSAGES_MAX = 5_000;

/** A send that has not answered by then is treated as failed; hangs of 57 s are on record (workerd#6053). */
export const QUEUE_SEND_TIMEOUT_MS = 2_000;
/** A send of what the ledger owes anyway: a queue that hangs holds up its batch no longer than this. */
export const SEND_AGAIN_TIMEOUT_MS = 5_000;
/** The second durable store gets this long; both together stay below what senders wait. */
export const OUTBOX_PUT_TIMEOUT_MS = 1_500;
/** A big body's write to the archive, before its sender is answered. */
export const ARCHIVE_PUT_TIMEOUT_MS = 10_000;
/** A read of the archive for something that comes again if it is late. */
export const ARCHIVE_READ_TIMEOUT_MS = 5_000;
/** Results wait this long for their segment: an archive that hangs holds up no batch for its tries … */
export const ARCHIVE_WAIT_MS = 2_000;
/** … and longer by what a slow one needs for so many bytes: a megabyte a second. */
export const ARCHIVE_BYTES_PER_MS = 1_000;
/** A commit in flight for longer no longer holds up those who wait behind it. */
export const COMMIT_STALL_MS = 100;
/** Under load the next commit waits this long for those just behind it; messages are a third fewer. */
export const COMMIT_GATHER_MS = 1;
/** … and this long where a commit waits for a disk: of 1, 2, 4 and 7 ms the best for 16 senders at once. */
export const COMMIT_GATHER_TO_DISK_MS = 2;
/** Commits of one priority in flight at once in one isolate. */
export const COMMITS_IN_FLIGHT_MAX = 8;

/** Rows one outbox shard keeps before it refuses more and ingest answers 503. */
export const OUTBOX_ROWS_MAX = 20_000;
/** An outbox row not settled by then is sent again: longer than a claim's lease. */
export const OUTBOX_RESEND_MS = 120_000;

/** One attempt, unless the target says otherwise (Standard Webhooks: 15 to 30 s). */
export const ATTEMPT_TIMEOUT_MS_DEFAULT = 15_000;
export const ATTEMPT_TIMEOUT_MS_MAX = 30_000;
/** A claim's lease: six times an attempt, as SQS advises for visibility. */
export const LEASE_SECONDS = 90;
/** What a consumer had in hand when its replay or fan-out was cancelled has a row again within this time. */
export const CANCELLED_MS = LEASE_SECONDS * 1_000 + 30_000;
/** Work stops this long before the lease ends, so that a late settle is not refused. */
export const LEASE_MARGIN_MS = 10_000;

/**
 * Events and deliveries of one claim, unless one message has more. A parameter of a D1 statement has 2 MB at most: of
 * the longest rows so many are below half of that, and a bulk batch of full packs would have 4; a claim of so many
 * takes some ten milliseconds, for which urgent ones wait.
 */
export const CLAIM_MAX = 500;
/** Messages that are opened side by side: of each one that names a big body, R2 is asked. */
export const MESSAGES_OPENED_MAX = 10;
/**
 * A batch begins none of its claims later than so long after it came; what is left goes back to the queue. With the
 * longest hold of a paused queue, its delay and a lease, that is within an invocation's 15 minutes.
 */
export const BATCH_BEGIN_MS_MAX = 120_000;

/** Open connections in one invocation (Cloudflare Workers limits; the local engine does not enforce it). */
export const CONNECTIONS_MAX = 6;
/** Of those, the most that one target may hold while others wait. */
export const CONNECTIONS_PER_TARGET_MAX = 4;
/**
 * A batch waits this long for an answer; then the ledger is told that the attempt is under way, and the batch
 * goes on. Receivers that answer in time cost no row for it.
 */
export const ATTEMPT_AWAITED_MS = 1_000;
/** Connections of a batch that receivers known to be slow hold while other deliveries wait. */
export const SLOW_PLACES_MAX = 2;
/** Attempts of one target that one isolate has under way without a batch that waits for them. */
export const LATE_PER_TARGET_MAX = 24;
/** Receivers in trouble that one isolate remembers, 100 bytes each: of more the longest known are forgotten. */
export const RECEIVERS_KNOWN_MAX = 10_000;
/** What finds no room among them is parked for so long at least. */
export const SLOW_TARGET_PAUSE_MS = 5_000;
/** A message to a queue or a service that is bound: 128 KB, less what the platform adds (Cloudflare Queues limits). */
export const BOUND_MESSAGE_BYTES_MAX = 127_000;
/** Bytes of a receiver's answer that are kept. */
export const ANSWER_BYTES_MAX = 4_096;
/** Attempts whose details are kept with a delivery. */
export const ATTEMPTS_KEPT_MAX = 20;

/** A claim or settle that has not answered by then counts as failed; D1 ends a query itself after 30 s. */
export const LEDGER_TIMEOUT_MS = 15_000;
/** Results that wait for one settle, of a large batch: a crash repeats at most these. */
export const SETTLE_GROUP_MAX = 40;
/**
 * … and how long the next result may be in coming before those that wait are written without it. An
 * invocation has six connections, so receivers that answer within 600 ms fill their groups; slower ones cost
 * D1 round trips, and are no load.
 */
export const SETTLE_LINGER_MS = 100;

/** Longest honoured `Retry-After`. */
export const RETRY_AFTER_SECONDS_MAX = 86_400;
/** An overdue delivery is sent again by the sweeper only after the queue had this long to do so. */
export const SWEEP_GRACE_MS = 30_000;
/** Deliveries one sweep looks at: bounded by the parameters and bytes of one D1 statement. */
export const SWEEP_PAGE = 200;
/** Pages of one sweeper pass; what is left waits for the next. */
export const SWEEP_PAGES_MAX = 25;
/**
 * What a pass could neither read nor send is put off by so little that the next pass, a minute later, has it again
 * after SWEEP_GRACE_MS: behind the others.
 */
export const SWEEP_FAILED_MS = 10_000;
/** Reads that may fail in one pass, at ARCHIVE_READ_TIMEOUT_MS each, CONNECTIONS_MAX at once: under a minute. */
export const SWEEP_READS_FAILED_MAX = 60;

/** Targets whose parked deliveries one sweep releases. */
export const OPENINGS_MAX = 20;

/** A message waits at most this long in a queue, and once more among dead messages (Cloudflare Queues default). */
export const QUEUE_RETENTION_MS = 4 * 86_400_000;
/** A sender's last attempt, after its first: 75 h 35 min (Standard Webhooks), and a little more. */
export const SENDER_RETRY_MS_MAX = 76 * 3_600_000;
/**
 * One generation of the ledger, and so the horizon of idempotency: a copy that comes within it is known. It
 * covers a sender's last attempt, both retentions and a lease; migration 0001 has the same number.
 */
export const GENERATION_MS = 14 * 86_400_000;

/** How long a limiter's lease lives: a change of rules reaches every isolate within it. */
export const LEASE_TTL_MS = 1_000;
/** A secret's last use is told, and written, at most this often. */
export const SECRET_USE_TOLD_MS = 60_000;
/**
 * What shadow rules matched is told with a call that is due anyway, this long after the last that told some, or
 * by one of its own, this long after the first event nobody was told of. An isolate that ends before loses it.
 */
export const SHADOW_TOLD_MS = 2_000;
/** A call to the limiter that has not answered by then counts as unreachable. */
export const LIMITER_TIMEOUT_MS = 1_000;
/** An unknown tenant is not looked up again for this long. */
export const UNKNOWN_TENANT_TTL_MS = 1_000;
/** Tenants whose configuration one isolate keeps. */
export const DIRECTORY_TENANTS_MAX = 1_000;

/**
 * Rules of one tenant. All of them are compiled in every isolate that matches for it: so many, of three fields each,
 * take 100 MB of an isolate's 128 (Workers limits), and two seconds when a new isolate reads them.
 */
export const RULES_PER_TENANT_MAX = 100_000;
/** Targets one rule may name. */
export const TARGETS_PER_RULE_MAX = 20;
/**
 * Versions kept of one rule: a year of two changes a week. Each is as big as its document, and a row that is
 * stored for as long as the tenant is.
 */
export const RULE_VERSIONS_MAX = 100;
/** Secrets accepted at once, so that a rotation has room and a request a bounded price. */
export const SECRETS_MAX = 10;
/**
 * Ed25519 reads what it signs twice (RFC 8032, §5.1.6), so that a body that is streamed to its receiver is held
 * whole as well: of six at once, a quarter of an isolate's 128 MB.
 */
export const ED25519_BODY_BYTES_MAX = 5_000_000;
/** Shortest admin token that opens the admin routes. */
export const ADMIN_TOKEN_LENGTH_MIN = 16;
/** Rows a list answers at most. */
export const LIST_LIMIT_MAX = 1_000;
export const LIST_LIMIT_DEFAULT = 100;
/** The ledger refers to an event's bytes for two generations of 14 days; they must last as long. */
export const ARCHIVE_DAYS_MIN = 28;
/** Days that archived events, and what nothing could read, are kept when wrangler.toml says nothing. */
export const ARCHIVE_DAYS_DEFAULT = 90;
export const POISON_DAYS_DEFAULT = 30;
/** A larger event is shown without its data: the bytes have a route of their own. */
export const ARCHIVED_VIEW_BYTES_MAX = 5_000_000;

/** A value of a Durable Object with its name: 2 MB (SQLite storage limits), less what wraps it. */
export const OBJECT_VALUE_BYTES_MAX = 1_900_000;
