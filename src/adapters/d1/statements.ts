/**
 * The ledger's SQL. Each takes a whole batch as one JSON parameter (D1 binds at most 100), and reads
 * the time from the database, so that leases never depend on a Worker's clock.
 *
 * `WHERE true` keeps SQLite from reading ON CONFLICT as part of a join; CROSS JOIN keeps json_each
 * the outer loop, so that the tables are reached by primary key.
 */

const NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
/** Must read exactly like the partial index's own condition, or SQLite does not use the index. */
const OWED = "state IN ('pending', 'delivering', 'retrying')";
const OPEN = "state IN ('retrying', 'parked', 'dead')";
/** By itself SQLite prefers the primary key here, and walks through all that a tenant was ever sent. */
const OPEN_DELIVERIES = "deliveries INDEXED BY deliveries_open";

/**
 * Whether an event's bytes are known to rest where its row says: only then is anything but "delivered"
 * written. Such a place is kept, because what the new claim brings may never reach the archive.
 */
const RELIED_ON = `EXISTS (
    SELECT 1 FROM deliveries AS d
    WHERE d.tenant = events.tenant AND d.received_at = events.received_at AND d.event = events.id
      AND d.state <> 'delivered')`;

/** ?1 = [[id, receipt, tenant, source, type, receivedAt, segment, offset, length]], ?2 = token, ?3 = lease ms. */
export const CLAIM_EVENTS = `
INSERT INTO events (id, receipt, tenant, source, type, received_at, segment, "offset", length,
                    claimed_at, token, lease_until)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
       ${NOW}, ?2, ${NOW} + ?3
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
  token = excluded.token, lease_until = excluded.lease_until,
  segment = CASE WHEN ${RELIED_ON} THEN events.segment ELSE excluded.segment END,
  "offset" = CASE WHEN ${RELIED_ON} THEN events."offset" ELSE excluded."offset" END,
  length = CASE WHEN ${RELIED_ON} THEN events.length ELSE excluded.length END
WHERE events.receipt = excluded.receipt
  AND (events.lease_until < ${NOW} OR events.token = excluded.token)
RETURNING id, receipt`;

/** Owners of events in ?1 that the token ?2 does not hold for the receipt it asked with. */
export const CLAIMED_BY_OTHERS = `
SELECT e.id, e.receipt AS owner, e.lease_until - ${NOW} AS remaining
FROM json_each(?1) AS j CROSS JOIN events AS e ON e.id = j.value->>0
WHERE e.token <> ?2 OR e.receipt <> j.value->>1`;

/** Deliveries of the events in ?1 that the ledger already has. */
export const DONE_DELIVERIES = `
SELECT d.event, d.subscription
FROM json_each(?1) AS j CROSS JOIN deliveries AS d
  ON d.tenant = j.value->>2 AND d.received_at = j.value->>5 AND d.event = j.value->>0`;

/** ?1 = [[tenant, receivedAt, event, subscription, attempts]], ?2 = token, ?3 = lease ms. */
export const CLAIM_DELIVERIES = `
UPDATE deliveries SET state = 'delivering', token = ?2, due_at = ${NOW} + ?3
FROM json_each(?1) AS j
WHERE deliveries.tenant = j.value->>0 AND deliveries.received_at = j.value->>1
  AND deliveries.event = j.value->>2 AND deliveries.subscription = j.value->>3
  AND deliveries.attempts = j.value->>4
  AND (deliveries.state IN ('pending', 'retrying')
       OR (deliveries.state = 'delivering' AND (deliveries.due_at < ${NOW} OR deliveries.token = ?2)))
RETURNING event, subscription, attempts_base`;

export const REVISIONS = `
SELECT t.id, t.revision FROM json_each(?1) AS j CROSS JOIN tenants AS t ON t.id = j.value`;

/**
 * A delivery is parked only while its target is closed: one that was opened meanwhile has already
 * released what was parked, so the row is written as due, for the sweeper.
 */
const IS_OPEN_AGAIN = `value->>9 = 'parked' AND EXISTS (
  SELECT 1 FROM resources AS r WHERE r.tenant = value->>0 AND r.kind = 'target' AND r.id = value->>5
    AND r.doc->>'$.paused' IS NOT 1 AND r.doc->'$.disabled' IS NULL)`;
const STATE = `CASE WHEN ${IS_OPEN_AGAIN} THEN 'pending' ELSE value->>9 END`;
const DUE_AT = `CASE WHEN ${IS_OPEN_AGAIN} THEN 0 ELSE ${NOW} + (value->>11) END`;

/**
 * ?1 = [[tenant, receivedAt, event, subscription, rule, target, priority, source, type, state, attempts,
 * dueIn, lastStatus, lastError, attempt]], ?2 = token. Written only while the token holds the event.
 */
export const SETTLE_BY_EVENT = `
INSERT INTO deliveries (tenant, received_at, event, subscription, rule, target, priority, source, type,
                        state, attempts, due_at, last_status, last_error, settled_at, log, token)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
       ${STATE}, value->>10, ${DUE_AT}, value->>12, value->>13, ${NOW},
       CASE WHEN value->14 = 'null' THEN '[]' ELSE json_array(json(value->14)) END, ?2
FROM json_each(?1) AS j CROSS JOIN events AS e ON e.id = j.value->>2 AND e.token = ?2
WHERE true
ON CONFLICT (tenant, received_at, event, subscription) DO UPDATE SET
  state = excluded.state, attempts = excluded.attempts, due_at = excluded.due_at,
  last_status = excluded.last_status, last_error = excluded.last_error,
  settled_at = excluded.settled_at, log = excluded.log
WHERE deliveries.token = excluded.token
RETURNING event, subscription`;

/**
 * As SETTLE_BY_EVENT, for deliveries that were claimed by their own row; the last 20 attempts are kept.
 * What the same token wrote before is written once more, without a second log entry.
 */
export const SETTLE_BY_ROW = `
UPDATE deliveries SET
  state = ${STATE}, attempts = value->>10, due_at = ${DUE_AT},
  last_status = COALESCE(value->>12, last_status), last_error = value->>13, settled_at = ${NOW},
  log = CASE WHEN value->14 = 'null' OR attempts = value->>10 THEN log
             WHEN json_array_length(log) < 20 THEN json_insert(log, '$[#]', json(value->14))
             ELSE json_insert(json_remove(log, '$[0]'), '$[#]', json(value->14)) END
FROM json_each(?1) AS j
WHERE deliveries.tenant = j.value->>0 AND deliveries.received_at = j.value->>1
  AND deliveries.event = j.value->>2 AND deliveries.subscription = j.value->>3
  AND deliveries.token = ?2
  AND (deliveries.state = 'delivering'
       OR (deliveries.state = value->>9 AND deliveries.attempts = value->>10))
RETURNING event, subscription`;

/** ?1 = [[event, receipt, receivedAt, reason]]. */
export const RECORD_DUPLICATES = `
INSERT INTO duplicates (event, receipt, received_at, reason)
SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?1) WHERE true
ON CONFLICT (event, receipt) DO NOTHING`;

/**
 * ?1 = horizon ms from now, ?2 = how many, ?3 = horizon of paced redrives, which no message carries
 * yet and which therefore go out ahead of time, with a delay.
 */
export const DUE = `
SELECT d.tenant, d.received_at, d.event, d.subscription, d.rule, d.target, d.priority, d.attempts,
       d.due_at - ${NOW} AS due_in, e.segment, e."offset", e.length
FROM deliveries AS d CROSS JOIN events AS e ON e.id = d.event
WHERE d.${OWED} AND d.due_at < ${NOW} + MAX(?1, ?3)
  AND d.due_at < ${NOW} + CASE WHEN d.job IS NOT NULL AND d.state = 'pending' THEN ?3 ELSE ?1 END
ORDER BY d.due_at LIMIT ?2`;

/**
 * ?1 = [[tenant, receivedAt, event, subscription]], ?2 = ms. A lease that has ended becomes "pending": as
 * "delivering", its new time would be a lease again, and refuse the very message that was just sent.
 */
export const PUT_OFF = `
UPDATE deliveries SET
  state = CASE state WHEN 'delivering' THEN 'pending' ELSE state END, due_at = MAX(due_at, ${NOW}) + ?2
FROM json_each(?1) AS j
WHERE deliveries.tenant = j.value->>0 AND deliveries.received_at = j.value->>1
  AND deliveries.event = j.value->>2 AND deliveries.subscription = j.value->>3
  AND deliveries.${OWED} AND (deliveries.state <> 'delivering' OR deliveries.due_at < ${NOW})`;

/** ?1 as in PUT_OFF, ?2 = reason. */
export const BURY = `
UPDATE deliveries SET state = 'dead', due_at = NULL, last_error = ?2, settled_at = ${NOW}
FROM json_each(?1) AS j
WHERE deliveries.tenant = j.value->>0 AND deliveries.received_at = j.value->>1
  AND deliveries.event = j.value->>2 AND deliveries.subscription = j.value->>3
  AND deliveries.${OWED}`;

/** Rows one release statement touches, so that no statement runs for long. */
export const RELEASE_PAGE = 500;

/** ?1 = tenant, ?2 = target, ?3 = how many. */
export const RELEASE = `
UPDATE deliveries SET state = 'pending', due_at = 0, last_error = NULL
WHERE (tenant, received_at, event, subscription) IN (
  SELECT tenant, received_at, event, subscription FROM ${OPEN_DELIVERIES}
  WHERE ${OPEN} AND state = 'parked' AND tenant = ?1 AND target = ?2
  ORDER BY received_at LIMIT ?3)
RETURNING event`;

export const END_EVENT_LEASES = `UPDATE events SET lease_until = 0 WHERE lease_until > ${NOW}`;
export const END_DELIVERY_LEASES = `
UPDATE deliveries SET due_at = 0 WHERE ${OWED} AND state = 'delivering'`;

/** ?1 = tenant. */
export const BUMP_REVISION = `
UPDATE tenants SET revision = revision + 1, updated_at = ${NOW} WHERE id = ?1 RETURNING revision`;

/** ?1 = tenant, ?2 = target, ?3 = reason. */
export const DISABLE_TARGET = `
UPDATE resources SET
  doc = json_set(doc, '$.disabled', json_object('reason', ?3, 'at', strftime('%Y-%m-%dT%H:%M:%fZ'))),
  version = (SELECT revision FROM tenants WHERE id = ?1), updated_at = ${NOW}
WHERE tenant = ?1 AND kind = 'target' AND id = ?2
RETURNING version`;

/** Dead letters one redrive statement touches. */
export const REDRIVE_PAGE = 500;

/**
 * ?1 = tenant, ?2 = target or null, ?3 = rule or null, ?4 = from, ?5 = to, ?6 = job, ?7 = how many were
 * redriven before, ?8 = pause between two in ms, ?9 = when the first is due, from now, ?10 = how many.
 */
export const REDRIVE_ALL = `
UPDATE deliveries SET
  state = 'pending', attempts_base = attempts, settled_at = NULL, job = ?6,
  due_at = ${NOW} + ?9 + CAST((?7 + chosen.position) * ?8 AS INTEGER)
FROM (
  SELECT tenant AS t, received_at AS r, event AS e, subscription AS s,
         ROW_NUMBER() OVER (ORDER BY received_at) AS position
  FROM ${OPEN_DELIVERIES}
  WHERE ${OPEN} AND state = 'dead' AND tenant = ?1
    AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR rule = ?3)
    AND received_at >= ?4 AND received_at < ?5
  ORDER BY received_at LIMIT ?10
) AS chosen
WHERE deliveries.tenant = chosen.t AND deliveries.received_at = chosen.r
  AND deliveries.event = chosen.e AND deliveries.subscription = chosen.s
RETURNING event`;
