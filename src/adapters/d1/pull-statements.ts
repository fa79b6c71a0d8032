/** The SQL of what readers pull: parked rows with a time, in the order of the index that gates have. */
import type { Slot } from "../../core/generation.ts";
import { ATTEMPTS_KEPT_MAX } from "../../core/limits.ts";
import { GATE, OWED_ANEW, SKIPPED } from "../../ports/pulls.ts";
import { GATE_PARKED, parkedOf, RANK } from "./parked-statements.ts";
import { acrossSlots, deliveriesOf, eventsOf, perSlot } from "./slots.ts";
import { AT_KEY, NOW } from "./statements.ts";

/** Whether its bytes rest, and it belongs to this life of the tenant: of another one there may be many still. */
const isWhole = (slot: Slot): string => `EXISTS (
  SELECT 1 FROM ${eventsOf(slot)} AS own WHERE own.id = event AND own.segment <> ''
    AND own.claimed_at >= (SELECT created_at FROM tenants WHERE id = ?1))`;

/**
 * ?1 = tenant, ?2 = target, ?3 = how many. Not what is leased or delayed, what rests nowhere yet, or what belongs
 * to a life of the tenant that ended.
 */
export const readyWhere = (condition: string): string => `${acrossSlots(
  (slot) => `
SELECT d.*, e.segment, e."offset", e.length FROM (
  SELECT tenant, received_at, event, subscription, rule, priority, attempts, replay,
         attempts - attempts_base AS tries, ${NOW} - due_at AS waited,
         token IS NOT NULL AND attempts > attempts_base AS is_left, ${RANK} AS rank
  FROM ${parkedOf(slot)}
  WHERE tenant = ?1 AND target = ?2 AND ${GATE_PARKED} AND due_at <= ${NOW} AND ${isWhole(slot)}
    AND ${condition}
  ORDER BY ${RANK}, received_at LIMIT ?3) AS d CROSS JOIN ${eventsOf(slot)} AS e ON e.id = d.event`,
)}
ORDER BY rank, received_at LIMIT ?3`;
export const READY = readyWhere("true");

/** ?1 = tenant. */
export const REVISION = "SELECT revision FROM tenants WHERE id = ?1";

/** ?1 = [[tenant, receivedAt, event, subscription, attempts]], ?2 = token, ?3 = ms. */
export const LEASE = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET token = ?2, due_at = ${NOW} + ?3, attempts = attempts + 1
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.state = 'parked' AND deliveries.due_at <= ${NOW} AND deliveries.attempts = value->>4
RETURNING event, subscription`,
);

/** In the statements below ?1 = [[tenant, receivedAt, event, subscription, token, leasedAt]]. */
export const IS_HELD = `${AT_KEY} AND deliveries.state = 'parked' AND deliveries.due_at IS NOT NULL
  AND deliveries.token = value->>4`;

export const GIVE_BACK_LEASES = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET token = NULL, due_at = ${NOW}, attempts = attempts - 1
FROM json_each(?1) AS j
WHERE ${IS_HELD}`,
);

/** The attempts with one more, as SQL; the last ones are kept, as in SETTLE_BY_ROW. */
export const withAttempt = (attempt: string): string => `json_insert(
    CASE WHEN json_array_length(log) < ${ATTEMPTS_KEPT_MAX} THEN log ELSE json_remove(log, '$[0]') END, '$[#]', ${attempt})`;

/** The same of what came of one with a reader. */
const logged = (error: string, answer: string): string =>
  withAttempt(`
    json_object('number', attempts, 'at', strftime('%Y-%m-%dT%H:%M:%fZ', (value->>5) / 1000.0, 'unixepoch'),
                'durationMs', MAX(0, ${NOW} - (value->>5)), 'status', NULL,
                'error', ${error}, 'answer', ${answer})`);

/** ?2 = target. */
export const ACKNOWLEDGE = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'delivered', due_at = NULL, last_error = NULL, settled_at = ${NOW},
  log = ${logged("NULL", "'acknowledged'")}
FROM json_each(?1) AS j
WHERE ${IS_HELD} AND deliveries.target = ?2
RETURNING event, subscription`,
);

const IS_SPENT = "attempts - attempts_base >= ?4";

/** ?2 = target, ?3 = ms, ?4 = tries at most, ?5 = reason. Without a token: its lease is over. */
export const REFUSE = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = CASE WHEN ${IS_SPENT} THEN 'dead' ELSE 'parked' END,
  due_at = CASE WHEN ${IS_SPENT} THEN NULL ELSE ${NOW} + ?3 END,
  settled_at = CASE WHEN ${IS_SPENT} THEN ${NOW} ELSE settled_at END,
  last_error = ?5 || CASE WHEN ${IS_SPENT} THEN '; attempts exhausted' ELSE '' END,
  token = NULL, log = ${logged("?5", "NULL")}
FROM json_each(?1) AS j
WHERE ${IS_HELD} AND deliveries.target = ?2
RETURNING event, subscription`,
);

/** ?2 = target, ?3 = ms. */
export const EXTEND = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET due_at = ${NOW} + ?3
FROM json_each(?1) AS j
WHERE ${IS_HELD} AND deliveries.target = ?2
RETURNING event, subscription`,
);

/** ?2 = target. */
export const STANDING = perSlot(
  (slot) => `
SELECT event, subscription, value->>4 AS lease, state, token IS value->>4 AS is_last
FROM json_each(?1) AS j CROSS JOIN ${deliveriesOf(slot)} AS deliveries
WHERE ${AT_KEY} AND deliveries.target = ?2`,
);

/** ?1 = [[tenant, receivedAt, event, subscription]], ?2 = reason, ?3 = token, NO_LEASE or GATE. */
export const BURY_PULLED = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'dead', due_at = NULL, last_error = ?2, settled_at = ${NOW}, token = NULL
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.state = 'parked' AND deliveries.due_at IS NOT NULL
  AND CASE WHEN ?3 IS NULL THEN deliveries.due_at <= ${NOW} OR deliveries.token IS NULL
           WHEN ?3 = '${GATE}' THEN true ELSE deliveries.token = ?3 END
RETURNING event, subscription`,
);

/** ?1 = tenant, ?2 = target. A delayed one has no token. */
export const BACKLOG = perSlot(
  (slot) => `
SELECT priority, SUM(due_at <= ${NOW}) AS waiting, SUM(due_at > ${NOW} AND token IS NOT NULL) AS leased,
       SUM(due_at > ${NOW} AND token IS NULL) AS delayed, MIN(received_at) AS oldest
FROM ${parkedOf(slot)} WHERE tenant = ?1 AND target = ?2 AND ${GATE_PARKED} GROUP BY ${RANK}`,
);

/** ?1 = tenant, ?2 = target, ?3 = before, ?4 = reason, ?5 = how many. */
export const PASS_OVER = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} SET
  state = 'cancelled', due_at = NULL, last_error = '${SKIPPED}' || ?4, settled_at = ${NOW}, token = NULL
WHERE (tenant, received_at, event, subscription) IN (
  SELECT tenant, received_at, event, subscription FROM ${parkedOf(slot)}
  WHERE tenant = ?1 AND target = ?2 AND ${GATE_PARKED} AND ${RANK} IN (0, 1, 2, 3) AND received_at < ?3
  LIMIT ?5)
RETURNING event`,
);

const AFTER = "(received_at, event, subscription) > (?2, ?3, ?4)";

/** ?1 = tenant, ?2, ?3, ?4 = received at, event and subscription of the last one, ?5 = until, ?6 = how many. */
export const SEEK_PAGE = `${acrossSlots(
  (slot) => `
SELECT received_at, event, subscription FROM ${deliveriesOf(slot)}
WHERE tenant = ?1 AND ${AFTER} AND received_at < ?5`,
)}
ORDER BY received_at, event, subscription LIMIT 1 OFFSET ?6`;

/** ?1 to ?5 as above, ?6 = target, ?7, ?8, ?9 = the last one of the page, ?10 = why. Its tries begin anew. */
export const OWE = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} SET
  state = 'parked', due_at = ${NOW}, attempts_base = attempts, settled_at = ${NOW}, token = NULL,
  last_error = '${OWED_ANEW}' || ?10
WHERE tenant = ?1 AND ${AFTER} AND (received_at, event, subscription) <= (?7, ?8, ?9)
  AND received_at < ?5 AND target = ?6
  AND (state = 'delivered' OR (state = 'cancelled' AND substr(last_error, 1, ${SKIPPED.length}) = '${SKIPPED}'))
RETURNING event`,
);
