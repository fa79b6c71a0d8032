/** What ingest reads at most: each bound keeps one request from costing more than its bytes. */

/** Nesting of JSON: far above what senders use, below where recursive code fails. */
export const JSON_DEPTH_MAX = 64;
/** Bodies above it are delivered, not parsed: rules see no `data` of them. */
export const PARSED_BYTES_MAX = 4 * 1024 * 1024;
/** Fields of a form. */
export const FORM_FIELDS_MAX = 10_000;
/** Events of one CloudEvents batch; a receiver chooses it (HTTP binding §1.3). */
export const BATCH_EVENTS_MAX = 1_000;
/** Faults that one answer lists. */
export const FAULTS_MAX = 100;

/** A longer idempotency key is replaced by its hash, never cut. */
export const KEY_LENGTH_MAX = 255;
/** A text longer than this is no name of an event type. */
export const TYPE_LENGTH_MAX = 255;
/** CloudEvents attributes of one event; the specification and its extensions name about 20. */
export const ATTRIBUTES_COUNT_MAX = 100;
/** Characters of all their names and values. */
export const ATTRIBUTES_LENGTH_MAX = 16_384;

/** Headers kept with one event; senders use about 20. */
export const HEADERS_COUNT_MAX = 100;
/** Characters of all their names and values. */
export const HEADERS_LENGTH_MAX = 16_384;
