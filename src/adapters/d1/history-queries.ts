/** The SQL of the ledger's lists and views. Lists walk each slot's primary key, newest first, and are merged. */

import type { Slot } from "../../core/generation.ts";
import type {
  DeliverySelection,
  EventSelection,
  Position,
  TimeRange,
} from "../../ports/history.ts";
import { OPEN } from "./owed-statements.ts";
import type { Statement } from "./session.ts";
import { acrossSlots, deliveriesOf, duplicatesOf, eventsOf, openDeliveriesOf } from "./slots.ts";

const COLUMNS = [
  ...[
    "tenant",
    "received_at",
    "event",
    "subscription",
    "rule",
    "target",
    "priority",
    "source",
    "type",
  ],
  ...["state", "attempts", "due_at", "last_status", "last_error", "settled_at", "log", "replay"],
]
  .map((name) => `d.${name}`)
  .join(", ");

/** From an event's row to its deliveries by their primary key. */
const AT_EVENT = "d.tenant = e.tenant AND d.received_at = e.received_at AND d.event = e.id";

/** ?1 = event, ?2 = tenant. */
export const EVENT = acrossSlots(
  (slot) => `SELECT * FROM ${eventsOf(slot)} WHERE id = ?1 AND tenant = ?2`,
);

/** ?1 = event, ?2 = tenant. */
export const DELIVERIES_OF_EVENT = acrossSlots(
  (slot) => `
SELECT ${COLUMNS} FROM ${eventsOf(slot)} AS e CROSS JOIN ${deliveriesOf(slot)} AS d ON ${AT_EVENT}
WHERE e.id = ?1 AND e.tenant = ?2`,
);

/** ?1 = event. A copy stands in the slot of its own time. */
export const DUPLICATES_OF_EVENT = acrossSlots(
  (slot) => `
SELECT event, receipt, received_at, reason FROM ${duplicatesOf(slot)} WHERE event = ?1`,
);

/** ?1 = event, ?2 = tenant, ?3 = subscription. */
export const DELIVERY = acrossSlots(
  (slot) => `
SELECT ${COLUMNS} FROM ${eventsOf(slot)} AS e CROSS JOIN ${deliveriesOf(slot)} AS d ON ${AT_EVENT}
WHERE e.id = ?1 AND e.tenant = ?2 AND d.subscription = ?3`,
);

type Parameter = string | number;

/** Conditions of one query, joined by AND: what a term interpolates becomes a parameter, never SQL. */
class Where {
  readonly params: Parameter[] = [];
  private readonly terms: string[] = [];

  readonly bind = (value: Parameter): string => `?${this.params.push(value)}`;

  and(texts: TemplateStringsArray, ...values: readonly Parameter[]): this {
    this.terms.push(String.raw({ raw: texts }, ...values.map(this.bind)));
    return this;
  }

  toString(): string {
    return this.terms.join(" AND ");
  }
}

const inRange = (tenant: string, { fromMs, toMs }: TimeRange): Where =>
  new Where().and`tenant = ${tenant}`.and`received_at >= ${fromMs}`.and`received_at < ${toMs}`;

/** Where the bytes of a listed event rest: asked of each that is shown, by its primary key. */
const placeIn = (slot: Slot): string => `
  (SELECT json_array(segment, "offset", length) FROM ${eventsOf(slot)} AS e
   WHERE e.id = event AND e.tenant = d.tenant AND e.received_at = d.received_at)`;

const HAS_OUTCOME = {
  matched: "MAX(state <> 'unmatched') = 1",
  unmatched: "MAX(state <> 'unmatched') = 0",
} as const;

/** One event more than `count` tells whether there are more; `isPlaced` asks for places as well. */
export function eventPage(
  tenant: string,
  filter: EventSelection,
  after: Position | null,
  count: number,
  isPlaced = false,
): Statement {
  const where = inRange(tenant, filter);
  if (after !== null) {
    where.and`(received_at, event) < (${after.receivedAtMs}, ${after.event})`;
  }
  if (filter.source !== undefined) where.and`source = ${filter.source}`;
  if (filter.type !== undefined) where.and`type = ${filter.type}`;
  // Of all rows of an event: a replay may have made deliveries of one that no rule had matched.
  const having = filter.outcome === undefined ? "" : `HAVING ${HAS_OUTCOME[filter.outcome]}`;
  // COLLATE spells out what a merged ORDER BY means: only then SQLite sees that groups come in its order.
  const select = acrossSlots(
    (slot) => `
SELECT event, received_at, source, type, json_group_array(state) AS states,
       ${isPlaced ? placeIn(slot) : "NULL"} AS place
FROM ${deliveriesOf(slot)} AS d WHERE ${where}
GROUP BY received_at COLLATE BINARY, event COLLATE BINARY ${having}`,
  );
  const sql = `${select}\nORDER BY received_at DESC, event DESC LIMIT ${where.bind(count + 1)}`;
  return { sql, params: where.params };
}

/** One delivery more than `count` tells whether there are more. */
export function deliveryPage(
  tenant: string,
  filter: DeliverySelection,
  after: Position | null,
  count: number,
): Statement {
  const { state } = filter;
  // What a person looks for has a partial index; its own condition stands in the query word for word.
  const isOpen = state === "retrying" || state === "parked" || state === "dead";
  const where = inRange(tenant, filter);
  if (after !== null) {
    const { receivedAtMs, event, subscription } = after;
    where.and`(received_at, event, subscription) < (${receivedAtMs}, ${event}, ${subscription})`;
  }
  if (state === undefined) where.and`subscription <> ''`;
  else where.and`state = ${state}`;
  if (filter.target !== undefined) where.and`target = ${filter.target}`;
  if (filter.rule !== undefined) where.and`rule = ${filter.rule}`;
  if (filter.event !== undefined) where.and`event = ${filter.event}`;
  const select = acrossSlots(
    (slot) => `
SELECT ${COLUMNS} FROM ${isOpen ? openDeliveriesOf(slot) : `${deliveriesOf(slot)} AS d`}
WHERE ${isOpen ? `${OPEN} AND ` : ""}${where}`,
  );
  const order = "received_at DESC, event DESC, subscription DESC";
  const sql = `${select}\nORDER BY ${order} LIMIT ${where.bind(count + 1)}`;
  return { sql, params: where.params };
}
