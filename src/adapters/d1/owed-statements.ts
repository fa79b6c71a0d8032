/** The ledger's SQL for what is still owed: what is due, parked or leased, and targets that close. */
import { acrossSlots, deliveriesOf, eventsOf, openDeliveriesOf, perSlot } from "./slots.ts";
import { AT_KEY, NOW, WAITS_FOR_TURN } from "./statements.ts";

/** Must read exactly like the partial index's own condition, or SQLite does not use the index. */
export const OWED = "state IN ('pending', 'delivering', 'retrying')";
export const OPEN = "state IN ('retrying', 'parked', 'dead')";

/** Copies of what waits in a paused queue would only fill it, and its rows every page. */
export const IN_OPEN_QUEUE = "priority NOT IN (SELECT queue FROM queue_controls WHERE paused)";

/**
 * ?1 = horizon ms from now, ?2 = how many, ?3 = horizon of paced redrives, which no message carries
 * yet and which therefore go out ahead of time, with a delay.
 */
export const DUE = `${acrossSlots(
  (slot) => `
SELECT d.tenant, d.received_at, d.event, d.subscription, d.rule, d.target, d.priority, d.attempts,
       d.due_at, d.due_at - ${NOW} AS due_in, d.replay, e.segment, e."offset", e.length
FROM ${deliveriesOf(slot)} AS d CROSS JOIN ${eventsOf(slot)} AS e ON e.id = d.event
WHERE d.${OWED} AND d.due_at < ${NOW} + MAX(?1, ?3)
  AND d.due_at < ${NOW} + CASE WHEN d.job IS NOT NULL AND d.state = 'pending' THEN ?3 ELSE ?1 END
  AND d.${IN_OPEN_QUEUE}`,
)}
ORDER BY due_at LIMIT ?2`;

/**
 * ?1 = [[tenant, receivedAt, event, subscription]], ?2 = ms. A lease that has ended becomes "pending": as
 * "delivering", its new time would be a lease again, and refuse the very message that was just sent.
 */
export const PUT_OFF = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = CASE state WHEN 'delivering' THEN 'pending' ELSE state END,
  due_at = MAX(due_at, ${NOW}) + ?2
FROM json_each(?1) AS j
WHERE ${AT_KEY}
  AND deliveries.${OWED} AND (deliveries.state <> 'delivering' OR deliveries.due_at < ${NOW})`,
);

/** ?1 as in PUT_OFF, ?2 = reason. */
export const BURY = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'dead', due_at = NULL, last_error = ?2, settled_at = ${NOW}
FROM json_each(?1) AS j
WHERE ${AT_KEY}
  AND deliveries.${OWED}`,
);

/** Rows one release statement touches, so that no statement runs for long. */
export const RELEASE_PAGE = 500;

/** The target ?2 of the tenant ?1. */
const target = (condition: string): string => `EXISTS (
  SELECT 1 FROM resources WHERE tenant = ?1 AND kind = 'target' AND id = ?2 AND ${condition})`;
const IS_THERE = target("true");
export const IS_CLOSED = target("(doc->>'$.paused' IS 1 OR doc->'$.disabled' IS NOT NULL)");

/** A target whose deliveries are leased where they rest: by its reader, or for a batch. */
export const LEASES = "(doc->>'$.kind' = 'pull' OR doc->'$.batch' IS NOT NULL)";

/** What waits for its turn there has it without being released. */
const HAS_ORDER = target("doc->'$.order' IS NOT NULL");

/** Where what was parked waits on: for its gate, or for whoever leases it. */
const HAS_GATE = target(
  `(doc->'$.gate' IS NOT NULL OR doc->>'$.permission.ratePerMinute' IS NOT NULL OR ${LEASES})`,
);

/**
 * ?1 = tenant, ?2 = target, ?3 = how many. Of a closed target nothing; of a deleted one all is cancelled. What
 * waits for its gate already is left to it, and where there is one, it gets the rest.
 */
export const RELEASE = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} SET
  state = CASE WHEN ${HAS_GATE} THEN 'parked' WHEN ${IS_THERE} THEN 'pending' ELSE 'cancelled' END,
  due_at = CASE WHEN ${HAS_GATE} THEN ${NOW} WHEN ${IS_THERE} THEN 0 END,
  settled_at = ${NOW},
  last_error = CASE WHEN ${HAS_GATE} THEN 'target opened' WHEN ${IS_THERE} THEN NULL ELSE 'target deleted' END
WHERE NOT ${IS_CLOSED} AND (tenant, received_at, event, subscription) IN (
  SELECT tenant, received_at, event, subscription FROM ${openDeliveriesOf(slot)}
  WHERE ${OPEN} AND state = 'parked' AND tenant = ?1 AND target = ?2 AND (due_at IS NULL OR NOT ${IS_THERE})
    AND (COALESCE(order_turn, '') NOT IN ${WAITS_FOR_TURN} OR NOT ${HAS_ORDER})
  ORDER BY received_at LIMIT ?3)
RETURNING event`,
);

/** ?1 = how many. */
export const OPENINGS = "SELECT tenant, target FROM openings LIMIT ?1";
/** ?1 = tenant, ?2 = target. */
export const OPENING = "SELECT version FROM openings WHERE tenant = ?1 AND target = ?2";
/** ?1 = tenant, ?2 = target, ?3 = the version that was seen before the last release. */
export const END_OPENING =
  "DELETE FROM openings WHERE tenant = ?1 AND target = ?2 AND version = ?3";

/** ?1 = what the tokens begin with that are not meant. */
export const END_EVENT_LEASES = perSlot(
  (slot) => `
UPDATE ${eventsOf(slot)} SET lease_until = 0
WHERE lease_until > ${NOW} AND substr(token, 1, length(?1)) <> ?1`,
);
/** ?1 as above. */
export const END_DELIVERY_LEASES = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} SET due_at = 0
WHERE ${OWED} AND state = 'delivering' AND substr(token, 1, length(?1)) <> ?1`,
);

/** ?1 = tenant. */
export const BUMP_REVISION = `
UPDATE tenants SET revision = revision + 1, updated_at = ${NOW} WHERE id = ?1 RETURNING revision`;

/** ?1 = tenant, ?2 = target, ?3 = reason, ?4 = the version that it is about, or null for whichever it is. */
export const DISABLE_TARGET = `
UPDATE resources SET
  doc = json_set(doc, '$.disabled', json_object('reason', ?3, 'at', strftime('%Y-%m-%dT%H:%M:%fZ'))),
  version = (SELECT revision FROM tenants WHERE id = ?1), updated_at = ${NOW}
WHERE tenant = ?1 AND kind = 'target' AND id = ?2 AND version = COALESCE(?4, version)
RETURNING version`;
