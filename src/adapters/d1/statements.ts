/**
 * The ledger's SQL for claims and results. Each takes a whole batch as one JSON parameter (D1 binds at most
 * 100), and reads the time from the database, so that leases never depend on a Worker's clock.
 *
 * `WHERE true` keeps SQLite from reading ON CONFLICT as part of a join; CROSS JOIN keeps json_each
 * the outer loop, so that the tables are reached by primary key.
 */
import { SLOTS, type Slot } from "../../core/generation.ts";
import { ATTEMPTS_KEPT_MAX } from "../../core/limits.ts";
import { acrossSlots, deliveriesOf, duplicatesOf, eventsOf, perSlot } from "./slots.ts";

export const NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/**
 * Whether something of the event is settled. Then its row names where the bytes rest, or nothing, and it is
 * kept: what the new claim brings may never reach the archive.
 */
const isSettled = (slot: Slot) => `events.receipt = excluded.receipt AND EXISTS (
    SELECT 1 FROM ${deliveriesOf(slot)} AS d
    WHERE d.tenant = events.tenant AND d.received_at = events.received_at AND d.event = events.id)`;

/**
 * An event that another generation holds has an owner there: this is a copy. Unless the tenant was made
 * anew since: what was claimed before belongs to a life that ended, and is removed by its deletion.
 */
const heldByNoOther = (slot: Slot): string =>
  SLOTS.filter((other) => other !== slot)
    .map(
      (other) => `NOT EXISTS (
  SELECT 1 FROM ${eventsOf(other)} WHERE id = value->>0 AND claimed_at >= t.created_at)`,
    )
    .join(" AND ");

/** In the update of a claim: the row was written in a life of the tenant that ended. */
const IS_OF_LIFE_BEFORE = `events.claimed_at < (SELECT created_at FROM tenants WHERE id = excluded.tenant)`;

/**
 * ?1 = [[id, receipt, tenant, source, type, receivedAt, segment, offset, length, revision]], ?2 = token,
 * ?3 = lease ms. A tenant's first revision is the time of its creation: an event with a lower one was
 * accepted by a tenant of this name that was deleted since, and is not written.
 */
export const CLAIM_EVENTS = perSlot(
  (slot) => `
INSERT INTO ${eventsOf(slot)} AS events (id, receipt, tenant, source, type, received_at,
                    segment, "offset", length, claimed_at, token, lease_until)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
       ${NOW}, ?2, ${NOW} + ?3
FROM json_each(?1) CROSS JOIN tenants AS t ON t.id = value->>2 AND t.created_at <= value->>9
WHERE ${heldByNoOther(slot)}
ON CONFLICT (id) DO UPDATE SET
  token = excluded.token, lease_until = excluded.lease_until,
  receipt = excluded.receipt, received_at = excluded.received_at,
  claimed_at = CASE WHEN ${IS_OF_LIFE_BEFORE} THEN excluded.claimed_at ELSE events.claimed_at END,
  segment = CASE WHEN ${isSettled(slot)} THEN events.segment ELSE excluded.segment END,
  "offset" = CASE WHEN ${isSettled(slot)} THEN events."offset" ELSE excluded."offset" END,
  length = CASE WHEN ${isSettled(slot)} THEN events.length ELSE excluded.length END
WHERE (events.receipt = excluded.receipt
       AND (events.lease_until < ${NOW} OR events.token = excluded.token))
  OR ${IS_OF_LIFE_BEFORE}
RETURNING id, receipt, segment = '' AS unplaced`,
);

/** Owners of events in ?1, of any slot, that the token ?2 does not hold for the receipt it asked with. */
export const CLAIMED_BY_OTHERS = acrossSlots(
  (slot) => `
SELECT e.id, e.receipt AS owner, e.lease_until - ${NOW} AS remaining, e.segment = '' AS unplaced
FROM json_each(?1) AS j CROSS JOIN ${eventsOf(slot)} AS e ON e.id = j.value->>0
CROSS JOIN tenants AS t ON t.id = e.tenant AND t.created_at <= e.claimed_at
WHERE e.token <> ?2 OR e.receipt <> j.value->>1`,
);

/** Deliveries of the events in ?1 that the ledger already has. */
export const DONE_DELIVERIES = perSlot(
  (slot) => `
SELECT d.event, d.subscription
FROM json_each(?1) AS j CROSS JOIN ${deliveriesOf(slot)} AS d
  ON d.tenant = j.value->>2 AND d.received_at = j.value->>5 AND d.event = j.value->>0`,
);

/** The delivery that one of ?1 names: each begins with tenant, receivedAt, event, subscription. */
export const AT_KEY = `deliveries.tenant = j.value->>0 AND deliveries.received_at = j.value->>1
  AND deliveries.event = j.value->>2 AND deliveries.subscription = j.value->>3`;

/** ?1 = [[tenant, receivedAt, event, subscription, attempts, revision]], ?2 = token, ?3 = lease ms. */
export const CLAIM_DELIVERIES = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET state = 'delivering', token = ?2, due_at = ${NOW} + ?3
FROM json_each(?1) AS j CROSS JOIN tenants AS t ON t.id = j.value->>0 AND t.created_at <= j.value->>5
WHERE ${AT_KEY}
  AND deliveries.attempts = j.value->>4
  AND (deliveries.state IN ('pending', 'retrying')
       OR (deliveries.state = 'delivering' AND (deliveries.due_at < ${NOW} OR deliveries.token = ?2)))
RETURNING event, subscription, attempts_base`,
);

/** ?1 = [[tenant, fan-out]]. */
export const CANCELLED_FAN_OUTS = `
SELECT f.id FROM json_each(?1) AS j CROSS JOIN fan_outs AS f ON f.tenant = j.value->>0 AND f.id = j.value->>1
WHERE f.state = 'cancelled'`;

/** A turn that waits, alone or after one that nobody said what came of. */
export const WAITS_FOR_TURN = "('.', '!.')";

/**
 * The turn of a row from now on, with one before it under another token than ?2 kept in mind by "!": nobody said what
 * came of that, and it may have reached the receiver.
 */
export const turnBut = (next: string): string =>
  `CASE WHEN order_turn IS NULL OR order_turn IN ('.', ?2) THEN ${next} ELSE '!' || COALESCE(${next}, '') END`;

export const REVISIONS = `
SELECT t.id, t.revision, t.created_at FROM json_each(?1) AS j CROSS JOIN tenants AS t ON t.id = j.value`;

/**
 * Without a due time a delivery is parked until its turn, or while its target is closed: one that was opened
 * meanwhile has already released what was parked, so the row is written as due.
 */
const IS_OPEN_AGAIN = `value->>9 = 'parked' AND value->>11 IS NULL AND value->>17 IS NULL AND EXISTS (
  SELECT 1 FROM resources AS r WHERE r.tenant = value->>0 AND r.kind = 'target' AND r.id = value->>5
    AND r.doc->>'$.paused' IS NOT 1 AND r.doc->'$.disabled' IS NULL)`;
const STATE = `CASE WHEN ${IS_OPEN_AGAIN} THEN 'pending' ELSE value->>9 END`;
const DUE_AT = `CASE WHEN ${IS_OPEN_AGAIN} THEN ${NOW} ELSE ${NOW} + (value->>11) END`;

/**
 * ?1 = [[tenant, receivedAt, event, subscription, rule, target, priority, source, type, state, attempts,
 * dueIn, lastStatus, lastError, attempt, orderKey, orderValue, orderTurn]], ?2 = token. Written only while the token
 * holds the event, and while there is the tenant that it was claimed for: nothing comes after what its deletion
 * removed.
 */
export const SETTLE_BY_EVENT = perSlot(
  (slot) => `
INSERT INTO ${deliveriesOf(slot)} AS deliveries (
  tenant, received_at, event, subscription, rule, target, priority, source, type,
  state, attempts, due_at, last_status, last_error, settled_at, log, token,
  order_key, order_value, order_turn)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
       ${STATE}, value->>10, ${DUE_AT}, value->>12, value->>13, ${NOW},
       CASE WHEN value->14 = 'null' THEN '[]' ELSE json_array(json(value->14)) END, ?2,
       value->>15, value->>16, value->>17
FROM json_each(?1) AS j CROSS JOIN ${eventsOf(slot)} AS e ON e.id = j.value->>2 AND e.token = ?2
CROSS JOIN tenants AS t ON t.id = e.tenant AND t.created_at <= e.claimed_at
WHERE true
ON CONFLICT (tenant, received_at, event, subscription) DO UPDATE SET
  state = excluded.state, attempts = excluded.attempts, due_at = excluded.due_at,
  last_status = excluded.last_status, last_error = excluded.last_error,
  settled_at = excluded.settled_at, log = excluded.log
WHERE deliveries.token = excluded.token
RETURNING event, subscription, state`,
);

/**
 * As SETTLE_BY_EVENT, for deliveries that were claimed by their own row; the last attempts are kept.
 * What the same token wrote before is written once more, without a second log entry.
 */
export const SETTLE_BY_ROW = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = ${STATE}, attempts = value->>10, due_at = ${DUE_AT},
  last_status = COALESCE(value->>12, last_status), last_error = value->>13, settled_at = ${NOW},
  log = CASE WHEN value->14 = 'null' OR attempts = value->>10 THEN log
             WHEN json_array_length(log) < ${ATTEMPTS_KEPT_MAX} THEN json_insert(log, '$[#]', json(value->14))
             ELSE json_insert(json_remove(log, '$[0]'), '$[#]', json(value->14)) END,
  order_turn = CASE WHEN value->>9 IN ('pending', 'parked') THEN ${turnBut("value->>17")} ELSE order_turn END
FROM json_each(?1) AS j
WHERE ${AT_KEY}
  AND deliveries.token = ?2
  AND (deliveries.state = 'delivering'
       OR (deliveries.state = ${STATE} AND deliveries.attempts = value->>10))
RETURNING event, subscription, state`,
);

/** ?1 = [id], ?2 = token. In the transaction that settles something of them whose bytes do not rest. */
export const UNPLACE = perSlot(
  (slot) => `
UPDATE ${eventsOf(slot)} SET segment = ''
WHERE token = ?2 AND id IN (SELECT value FROM json_each(?1))`,
);

/** ?1 = [[id, segment, offset, length]], ?2 = token. */
export const PLACE = perSlot(
  (slot) => `
UPDATE ${eventsOf(slot)} AS events SET
  segment = value->>1, "offset" = value->>2, length = value->>3
FROM json_each(?1) AS j
WHERE events.id = j.value->>0 AND events.token = ?2 AND events.segment = ''`,
);

/** ?1 = [[event, receipt, receivedAt, reason]]. */
export const RECORD_DUPLICATES = perSlot(
  (slot) => `
INSERT INTO ${duplicatesOf(slot)} (event, receipt, received_at, reason)
SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?1) WHERE true
ON CONFLICT (event, receipt) DO NOTHING`,
);

/** ?1 = [id], ?2 = token. */
export const GIVE_BACK_EVENTS = perSlot(
  (slot) => `
UPDATE ${eventsOf(slot)} SET lease_until = 0
WHERE token = ?2 AND id IN (SELECT value FROM json_each(?1))`,
);

/** ?1 = [[tenant, receivedAt, event, subscription]], ?2 = token. */
export const GIVE_BACK_DELIVERIES = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET state = 'pending', due_at = ${NOW}
FROM json_each(?1) AS j
WHERE ${AT_KEY}
  AND deliveries.state = 'delivering' AND deliveries.token = ?2`,
);
