/** Limits of what readers pull, each with its reason. */

/** Deliveries that one pull leases, and the bytes of their events: one is given whatever it has. */
export const PULL_COUNT_DEFAULT = 10;
export const PULL_COUNT_MAX = 100;
export const PULL_BYTES_MAX = 4_000_000;
/** How long a lease lasts, and how far it can be extended or a refused delivery put off. */
export const PULL_LEASE_SECONDS_DEFAULT = 30;
export const PULL_LEASE_SECONDS_MAX = 3_600;
/** A delivery is leased so often; the next reader would not do better. */
export const PULL_ATTEMPTS_DEFAULT = 10;
export const PULL_ATTEMPTS_MAX = 100;
/** A pull that finds nothing looks again after this time, and answers in the end before proxies give it up. */
export const PULL_POLL_MS = 1_000;
export const PULL_WAIT_SECONDS_MAX = 20;
/** Leases that one call answers: one page of the ledger. */
export const PULL_ANSWERED_MAX = 500;
/** Deliveries that wait for one reader, and for how long; shorter than the archive keeps their events. */
export const PULL_BACKLOG_MAX = 100_000;
export const PULL_RETENTION_SECONDS_DEFAULT = 7 * 86_400;
export const PULL_RETENTION_SECONDS_MAX = 14 * 86_400;
/** Deliveries that the sweeper looks at for one reader in a pass, for those that are spent or too many. */
export const PULL_SWEEP_PAGE = 500;
/** Deliveries of all targets that a seek looks at in one statement, and statements of one call. */
export const SEEK_PAGE = 2_000;
export const SEEK_PAGES_MAX = 50;
