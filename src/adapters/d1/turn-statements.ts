/**
 * The SQL of turns. All of ?1 = [[tenant, receivedAt, event, subscription, rule, target, priority, source, type,
 * attempts, key, value, mode]] and ?2 = token, unless they say otherwise. What they decide is decided once more, as
 * data, in `src/core/order/turns.ts`.
 */
import { SLOTS, type Slot } from "../../core/generation.ts";
import { ORDER_NEXT_MAX } from "../../core/order/limits.ts";
import { PASSED_REASONS, waitsReason } from "../../core/order/turns.ts";
import { OWED } from "./owed-statements.ts";
import { deliveriesOf, eventsOf, perSlot } from "./slots.ts";
import { AT_KEY, NOW, turnBut, WAITS_FOR_TURN } from "./statements.ts";

const indexed = (slot: Slot, index: "turn" | "wait" | "newest", alias = "n"): string =>
  `${deliveriesOf(slot)} AS ${alias} INDEXED BY ${deliveriesOf(slot)}_${index}`;

/** Parked until it has its turn, by nobody else. */
const waits = (row: string): string =>
  `${row}.state = 'parked' AND ${row}.due_at IS NULL AND COALESCE(${row}.order_turn, '') IN ${WAITS_FOR_TURN}`;
const IS_OWN = "n.token = ?2 AND n.state = 'delivering'";
const HAS_BEGUN = "(n.attempts > 0 OR n.order_turn NOT IN ('.', ?2))";
const IS_HELD = "n.state = 'delivering' AND n.order_turn IN (n.token, '!' || n.token)";

/** The first that a query finds in any slot. */
const firstOf = (select: (slot: Slot) => string): string =>
  SLOTS.map((slot) => `(${select(slot)} LIMIT 1)`).join(",\n    ");
const anyOf = (select: (slot: Slot) => string): string =>
  SLOTS.map((slot) => `EXISTS (${select(slot)})`).join("\n    OR ");

/** ?3 = lease ms. Of events that the token holds; what is there already stays. */
export const BEGIN = perSlot(
  (slot) => `
INSERT INTO ${deliveriesOf(slot)} AS deliveries (
  tenant, received_at, event, subscription, rule, target, priority, source, type,
  state, attempts, due_at, token, order_key, order_value, order_turn)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
       'delivering', value->>9, ${NOW} + ?3, ?2, value->>10, value->>11, ?2
FROM json_each(?1) AS j CROSS JOIN ${eventsOf(slot)} AS e ON e.id = j.value->>2 AND e.token = ?2
CROSS JOIN tenants AS t ON t.id = e.tenant AND t.created_at <= e.claimed_at
WHERE true
ON CONFLICT DO NOTHING`,
);

/** The key may be another one since: targets change. */
export const MOVE = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET order_key = j.value->>10, order_value = j.value->>11
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.token = ?2 AND deliveries.state = 'delivering'
  AND (deliveries.order_key IS NOT j.value->>10 OR deliveries.order_value IS NOT j.value->>11)`,
);

/**
 * One that is newer: of two received in one millisecond neither is dropped for being the older. Not of a former life
 * of the tenant, whose keys have the same names.
 */
const passing = (slot: Slot): string => `
      SELECT n.event FROM ${indexed(slot, "newest")}
      WHERE n.order_key = value->>10 AND n.order_value IS NOT NULL
        AND (n.order_value, n.received_at, n.event) > (value->>11, value->>1,
             CASE value->>12 WHEN 'latest-wins' THEN value->>2 ELSE '~' END)
        AND (${HAS_BEGUN} OR (value->>12 = 'latest-wins' AND (n.${OWED} OR n.state = 'parked')))
        AND EXISTS (
          SELECT 1 FROM ${eventsOf(slot)} AS e WHERE e.id = n.event
            AND e.claimed_at >= (SELECT created_at FROM tenants WHERE id = n.tenant))
      ORDER BY n.order_value, n.received_at, n.event`;

export const PASS = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'cancelled', due_at = NULL, settled_at = ${NOW},
  last_error = CASE j.value->>12 WHEN 'latest-wins' THEN '${PASSED_REASONS["latest-wins"]}'
               ELSE '${PASSED_REASONS["drop-older"]}' END || j.newer
FROM (
  SELECT value, COALESCE(
    ${firstOf(passing)}) AS newer
  FROM json_each(?1) WHERE value->>12 <> 'fifo') AS j
WHERE ${AT_KEY} AND deliveries.token = ?2 AND deliveries.state = 'delivering' AND j.newer IS NOT NULL`,
);

/** In every slot, of all that ask: what one that stands has passed. Whoever holds others judges them. */
const supersede = (index: "turn" | "wait", isThere: string) =>
  perSlot(
    (slot) => `
UPDATE ${indexed(slot, index)} SET
  state = 'cancelled', due_at = NULL, settled_at = ${NOW}, token = NULL,
  last_error = '${PASSED_REASONS["latest-wins"]}' || (j.value->>2)
FROM json_each(?1) AS j
WHERE n.order_key = j.value->>10 AND n.${isThere}
  AND (n.order_value, n.received_at, n.event) < (j.value->>11, j.value->>1, j.value->>2)
  AND (${anyOf(
    (own) => `
      SELECT 1 FROM ${deliveriesOf(own)} AS deliveries
      WHERE ${AT_KEY} AND deliveries.token = ?2 AND deliveries.state = 'delivering'`,
  )})`,
  );
export const SUPERSEDE_OWED = supersede("turn", `${OWED} AND n.state <> 'delivering'`);
export const SUPERSEDE_PARKED = supersede("wait", "state = 'parked'");

const older = (index: "turn" | "wait") => (slot: Slot) =>
  `
      SELECT n.event FROM ${indexed(slot, index)}
      WHERE value->>12 = 'fifo' AND n.order_key = value->>10
        AND n.${index === "turn" ? OWED : "state = 'parked'"}
        AND (n.received_at, n.event) < (value->>1, value->>2)${index === "turn" ? ` AND NOT (${IS_OWN})` : ""}
      ORDER BY n.received_at, n.event`;

const underWay = (slot: Slot): string => `
      SELECT n.event FROM ${indexed(slot, "turn")}
      WHERE n.order_key = value->>10 AND n.${OWED} AND ${IS_HELD} AND n.token <> ?2 AND n.due_at >= ${NOW}`;

export const WAIT = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'parked', due_at = NULL, settled_at = ${NOW}, order_turn = ${turnBut("'.'")},
  last_error = '${waitsReason("")}' || j.before
FROM (
  SELECT value, COALESCE(
    ${firstOf(older("turn"))},
    ${firstOf(older("wait"))},
    ${firstOf(underWay)}) AS before
  FROM json_each(?1)) AS j
WHERE ${AT_KEY} AND deliveries.token = ?2 AND deliveries.state = 'delivering' AND j.before IS NOT NULL`,
);

/** Those that came by their own row have had their turn now as well. */
export const GRANT = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET order_turn = ${turnBut("?2")}
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.token = ?2 AND deliveries.state = 'delivering'
  AND COALESCE(deliveries.order_turn, '') NOT IN (?2, '!' || ?2)`,
);

/** What became of each. */
export const TURNS = perSlot(
  (slot) => `
SELECT deliveries.event, deliveries.subscription, deliveries.state, deliveries.last_error
FROM json_each(?1) AS j CROSS JOIN ${deliveriesOf(slot)} AS deliveries ON ${AT_KEY}
WHERE deliveries.token = ?2`,
);

/** Of the key k.value: nothing under way, and for those whose value is their time nothing older that goes by itself. */
const isFree = `NOT (${anyOf(
  (slot) => `
      SELECT 1 FROM ${indexed(slot, "turn")}
      WHERE n.order_key = k.value AND n.${OWED} AND ${IS_HELD} AND n.due_at >= ${NOW}`,
)})
  AND (w.order_value IS NOT NULL OR NOT (${anyOf(
    (slot) => `
      SELECT 1 FROM ${indexed(slot, "turn")}
      WHERE n.order_key = k.value AND n.${OWED} AND (n.received_at, n.event) < (w.received_at, w.event)`,
  )} OR ${anyOf(
    (slot) => `
      SELECT 1 FROM ${indexed(slot, "wait")}
      WHERE n.order_key = k.value AND n.state = 'parked' AND (n.received_at, n.event) < (w.received_at, w.event)
        AND NOT (${waits("n")})`,
  )}))`;

/** ?1 = [key], ?2 = how many. */
export const NEXT = perSlot(
  (slot) => `
SELECT w.tenant, w.received_at, w.event, w.subscription, w.rule, w.target, w.priority, w.attempts, 0 AS due_in,
       w.replay, e.segment, e."offset", e.length
FROM json_each(?1) AS k CROSS JOIN ${indexed(slot, "wait", "w")} ON w.order_key = k.value
CROSS JOIN ${eventsOf(slot)} AS e ON e.id = w.event
WHERE ${waits("w")} AND w.received_at <= COALESCE((
    SELECT n.received_at FROM ${indexed(slot, "wait")} WHERE n.order_key = k.value AND n.state = 'parked'
    ORDER BY n.received_at, n.event LIMIT 1 OFFSET ${ORDER_NEXT_MAX - 1}), 9e15)
  AND ${isFree}
LIMIT ?2`,
);

/** ?1 = [[tenant, receivedAt, event, subscription]], ?2 = ms until the sweeper sends it if nobody else does. */
export const TAKE_NEXT = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET state = 'pending', due_at = ${NOW} + ?2
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND ${waits("deliveries")}
RETURNING event, subscription`,
);

/** ?1 = from this key on, ?2 = how many, ?3 = how many it walks over. From one key to the next through the index. */
export const WAITING_KEYS = perSlot((slot) => {
  const first = (after: string): string => `(
    SELECT n.order_key FROM ${indexed(slot, "wait")}
    WHERE n.order_key IS NOT NULL AND n.state = 'parked' AND ${after} ORDER BY n.order_key LIMIT 1)`;
  return `
WITH RECURSIVE k (value) AS (
  SELECT ${first("n.order_key >= ?1")}
  UNION ALL
  SELECT ${first("n.order_key > k.value")} FROM k WHERE k.value IS NOT NULL
  LIMIT ?3)
SELECT k.value FROM k
WHERE k.value IS NOT NULL AND EXISTS (
  SELECT 1 FROM ${indexed(slot, "wait")} WHERE n.order_key = k.value AND ${waits("n")})
LIMIT ?2`;
});
