/** The ledger's SQL for what gates have parked. */
import { GATE_RETRIES_PASSED_MAX } from "../../core/gate-limits.ts";
import type { Slot } from "../../core/generation.ts";
import { QUEUES } from "../../core/priority.ts";
import { BATCH_TOKEN } from "../../ports/batches.ts";
import { IN_OPEN_QUEUE, IS_CLOSED, LEASES, OPEN } from "./owed-statements.ts";
import { acrossSlots, deliveriesOf, eventsOf, openDeliveriesOf, perSlot } from "./slots.ts";
import { AT_KEY, NOW } from "./statements.ts";

/** Both must read exactly like the partial index, or SQLite does not use it. */
export const GATE_PARKED = "state = 'parked' AND due_at IS NOT NULL";
export const RANK =
  "CASE priority WHEN 'critical' THEN 0 WHEN 'normal' THEN 1 WHEN 'bulk' THEN 2 ELSE 3 END";

/** What waits until its target is opened. */
const CLOSED = "state = 'parked' AND due_at IS NULL";

export const parkedOf = (slot: Slot): string =>
  `${deliveriesOf(slot)} INDEXED BY ${deliveriesOf(slot)}_parked`;

const closedOf = (slot: Slot): string =>
  `${deliveriesOf(slot)} INDEXED BY ${deliveriesOf(slot)}_closed`;

/** What is parked for the target ?2 of the tenant ?1 is leased where it rests, by its reader or for a batch. */
const IS_LEASED = `EXISTS (
  SELECT 1 FROM resources WHERE tenant = ?1 AND kind = 'target' AND id = ?2 AND ${LEASES})`;

/** It went with a batch, and the answer may still come. */
export const IS_IN_BATCH = `(due_at > ${NOW} AND substr(token, 1, ${BATCH_TOKEN.length}) = '${BATCH_TOKEN}')`;

/** In the order in which they go; `next` of them. */
const parkedIn = (slot: Slot, next: string): string => `
  SELECT tenant, received_at, event, subscription, rule, target, priority, attempts, due_at, 0 AS due_in, replay,
         attempts > attempts_base AS is_retry, ${RANK} AS rank
  FROM ${parkedOf(slot)}
  WHERE tenant = ?1 AND target = ?2 AND ${GATE_PARKED} AND ${IN_OPEN_QUEUE}
    AND NOT ${IS_LEASED} AND ${IS_IN_BATCH} IS NOT 1
  ORDER BY ${RANK}, received_at LIMIT ${next}`;

/** ?1 = tenant, ?2 = target, ?3 = how many. */
const parkedBy = (select: (slot: Slot) => string): string => `${acrossSlots(
  (slot) => `
SELECT d.*, e.segment, e."offset", e.length FROM (${select(slot)}) AS d CROSS JOIN ${eventsOf(slot)} AS e ON e.id = d.event`,
)}
ORDER BY rank, received_at LIMIT ?3`;
export const PARKED = parkedBy((slot) => parkedIn(slot, "?3"));
export const PARKED_FRESH = parkedBy(
  (slot) => `
  SELECT * FROM (${parkedIn(slot, `${GATE_RETRIES_PASSED_MAX}`)})
  WHERE NOT is_retry ORDER BY rank, received_at LIMIT ?3`,
);

/** ?1 = [[tenant, receivedAt, event, subscription]], ?2 = ms until the sweeper sends it if nobody else does. */
export const TAKE_PARKED = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET state = 'pending', due_at = ${NOW} + ?2
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.state = 'parked' AND deliveries.due_at IS NOT NULL AND ${IS_IN_BATCH} IS NOT 1
RETURNING event, subscription`,
);

/** ?1 = how many. From one target to the next through an index, without the rows between them. */
const targetsOf = (of: (slot: Slot) => string, condition: string) =>
  perSlot((slot) => {
    const first = (column: string, after: string): string => `(
    SELECT ${column} FROM ${of(slot)} WHERE ${condition} AND ${after}
    ORDER BY tenant, target LIMIT 1)`;
    const behind = "(tenant, target) > (t.at_tenant, t.at_target)";
    const urgent = (column: string): string => `(
    SELECT ${column} FROM ${of(slot)}
    WHERE ${condition} AND tenant = t.at_tenant AND target = t.at_target
    ORDER BY ${RANK}, received_at LIMIT 1)`;
    return `
WITH RECURSIVE t (at_tenant, at_target) AS (
  SELECT ${first("tenant", "true")}, ${first("target", "true")}
  UNION ALL
  SELECT ${first("tenant", behind)}, ${first("target", behind)} FROM t WHERE t.at_tenant IS NOT NULL
  LIMIT ?1)
SELECT at_tenant AS tenant, at_target AS target, ${urgent(RANK)} AS rank, ${urgent("received_at")} AS oldest_at
FROM t WHERE at_tenant IS NOT NULL`;
  });

export const PARKED_TARGETS = targetsOf(parkedOf, GATE_PARKED);
export const CLOSED_TARGETS = targetsOf(closedOf, CLOSED);

/**
 * ?1 = tenant, ?2 = target, ?3 = how many may wait, ?4 = how many. What a former life of the tenant has left does
 * not count: it is being removed.
 */
const excessOf = (of: (slot: Slot) => string, condition: string): string => `${acrossSlots(
  (slot) => `
SELECT tenant, received_at, event, subscription, ${RANK} AS rank
FROM ${of(slot)} WHERE tenant = ?1 AND target = ?2 AND ${condition}
  AND received_at >= (SELECT created_at FROM tenants WHERE id = ?1)`,
)}
ORDER BY rank, received_at LIMIT ?4 OFFSET ?3`;

export const EXCESS = excessOf(parkedOf, GATE_PARKED);
export const CLOSED_EXCESS = excessOf(closedOf, CLOSED);

/** ?1 = tenant, ?2 = target, ?3 = how many are counted. The oldest of each rank is the first in its index. */
export const WAITING = perSlot((slot) => {
  const own = (of: (slot: Slot) => string, condition: string): string => `${of(slot)}
  WHERE tenant = ?1 AND target = ?2 AND ${condition}
  AND received_at >= (SELECT created_at FROM tenants WHERE id = ?1)`;
  const counted = (from: string): string =>
    `(SELECT COUNT(*) FROM (SELECT 1 FROM ${from} LIMIT ?3))`;
  const ofRank = (from: string, rank: number): string =>
    `SELECT received_at FROM ${from} AND ${RANK} = ${rank}`;
  const oldest = (from: string): string => `
  (${QUEUES.map((_, rank) => ofRank(from, rank)).join("\nUNION ALL\n")}
  ORDER BY received_at LIMIT 1)`;
  const [gated, closed] = [own(parkedOf, GATE_PARKED), own(closedOf, CLOSED)];
  return `
SELECT ${counted(gated)} + ${counted(closed)} AS count,
  ${oldest(gated)} AS gated_at, ${oldest(closed)} AS closed_at`;
});

/** ?1 = tenant, ?2 = target, ?3 = [[tenant, receivedAt, event, subscription]], ?4 = reason. */
export const BURY_CLOSED_EXCESS = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET state = 'dead', settled_at = ${NOW}, last_error = ?4
FROM json_each(?3) AS j
WHERE ${AT_KEY} AND deliveries.${CLOSED} AND ${IS_CLOSED}
RETURNING event, subscription`,
);

/** Tenants of which something is open. */
export const OPEN_TENANTS = perSlot((slot) => {
  const first = (after: string): string => `(
    SELECT tenant FROM ${openDeliveriesOf(slot)} WHERE ${OPEN} AND ${after} ORDER BY tenant LIMIT 1)`;
  return `
WITH RECURSIVE t (at_tenant) AS (
  SELECT ${first("true")}
  UNION ALL
  SELECT ${first("tenant > t.at_tenant")} FROM t WHERE t.at_tenant IS NOT NULL
  LIMIT ?1)
SELECT at_tenant AS tenant FROM t WHERE at_tenant IS NOT NULL`;
});

/** ?1 = [tenant], ?2 = age in ms, ?3 = how many. As BURY_PARKED, of what no gate has. */
export const BURY_CLOSED = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} SET
  state = 'dead', settled_at = ${NOW},
  last_error = 'parked for too long: ' || COALESCE(last_error, 'its target is closed')
WHERE (tenant, received_at, event, subscription) IN (
  SELECT tenant, received_at, event, subscription
  FROM json_each(?1) AS j CROSS JOIN ${openDeliveriesOf(slot)} ON tenant = j.value
  WHERE ${OPEN} AND state = 'parked' AND received_at < ${NOW} - ?2
    AND due_at IS NULL AND settled_at < ${NOW} - ?2
  LIMIT ?3)
RETURNING event`,
);

/** Rows that one statement gives up. */
export const BURY_PARKED_PAGE = 500;

/**
 * ?1 = tenant, ?2 = target, ?3 = age in ms, ?4 = how many, ?5 = what stays of what is due later: 0 nothing,
 * 1 what may be leased, to a reader at work, 2 all. By when it was parked: a replay or a redrive brings
 * events that are older. Nothing is parked before it was received, and that is in the index.
 */
export const BURY_PARKED = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} SET
  state = 'dead', due_at = NULL, settled_at = ${NOW},
  last_error = 'parked for too long: ' || COALESCE(last_error, 'its gate had no room')
WHERE (tenant, received_at, event, subscription) IN (
  SELECT tenant, received_at, event, subscription FROM ${parkedOf(slot)}
  WHERE tenant = ?1 AND target = ?2 AND ${GATE_PARKED} AND ${RANK} IN (0, 1, 2, 3) AND received_at < ${NOW} - ?3
    AND settled_at < ${NOW} - ?3 AND (?5 = 0 OR due_at <= ${NOW} OR (?5 = 1 AND token IS NULL))
  LIMIT ?4)
RETURNING event`,
);
