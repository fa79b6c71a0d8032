/** Reads of the ledger for the admin routes: lists newest first, one event, one delivery, one job. */
import { deliveryId, parseDeliveryId } from "../../core/ids.ts";
import type { DeliveryState } from "../../core/settle.ts";
import type { EventSummary, History, HistoryPage, StoredDelivery } from "../../ports/history.ts";
import type { AttemptRecord } from "../../ports/ledger.ts";
import * as sql from "./history-queries.ts";
import { createRedrive } from "./redrive.ts";
import { number, type Row, type Session, text } from "./session.ts";

export function createHistory(session: Session): History {
  async function rowOf(tenant: string, id: string): Promise<Row | null> {
    const key = parseDeliveryId(id);
    if (key === null) return null;
    const params = [key.event, tenant, key.subscription];
    return (await session.rows("delivery", sql.DELIVERY, params))[0] ?? null;
  }

  async function page<Item>(
    operation: string,
    statement: Parameters<Session["batch"]>[1][number],
    count: number,
    read: (row: Row) => Item,
  ): Promise<HistoryPage<Item>> {
    const rows = await session.rows(operation, statement.sql, statement.params);
    const shown = rows.slice(0, count);
    const last = rows.length > count ? shown.at(-1) : undefined;
    return { items: shown.map(read), next: last === undefined ? null : positionOf(last) };
  }

  return {
    ...createRedrive(session, rowOf),

    events: (tenant, filter, after, count) =>
      page("events", sql.eventPage(tenant, filter, after, count), count, readSummary),

    placedEvents: (tenant, filter, after, count) =>
      page("placed-events", sql.eventPage(tenant, filter, after, count, true), count, (row) => {
        const place = row.place === null ? NOWHERE : JSON.parse(text(row.place));
        const [segment, offset, length] = place as [string, number, number];
        return { ...readSummary(row), pointer: { segment, offset, length } };
      }),

    async event(tenant, id) {
      const [found, rows = [], copies = []] = await session.batch("event", [
        { sql: sql.EVENT, params: [id, tenant] },
        { sql: sql.DELIVERIES_OF_EVENT, params: [id, tenant] },
        { sql: sql.DUPLICATES_OF_EVENT, params: [id] },
      ]);
      const row = found?.[0];
      if (row === undefined) return null;
      return {
        id,
        tenant,
        source: text(row.source),
        type: text(row.type),
        receipt: text(row.receipt),
        receivedAtMs: number(row.received_at),
        claimedAtMs: number(row.claimed_at),
        pointer: {
          segment: text(row.segment),
          offset: number(row.offset),
          length: number(row.length),
        },
        duplicates: copies.map((copy) => ({
          event: text(copy.event),
          receipt: text(copy.receipt),
          receivedAtMs: number(copy.received_at),
          reason: text(copy.reason),
        })),
        deliveries: rows.flatMap((delivery) => readDelivery(delivery) ?? []),
      };
    },

    async deliveries(tenant, filter, after, count) {
      const statement = sql.deliveryPage(tenant, filter, after, count);
      const { items, next } = await page("deliveries", statement, count, readDelivery);
      return { items: items.filter((item) => item !== null), next };
    },

    async delivery(tenant, id) {
      const row = await rowOf(tenant, id);
      return row === null ? null : readDelivery(row);
    },
  };
}

const NOWHERE = ["", 0, 0];

const positionOf = (row: Row) => ({
  receivedAtMs: number(row.received_at),
  event: text(row.event),
  subscription: text(row.subscription),
});

function readSummary(row: Row): EventSummary {
  const counts: Partial<Record<DeliveryState, number>> = {};
  for (const state of JSON.parse(text(row.states)) as (DeliveryState | "unmatched")[]) {
    if (state !== "unmatched") counts[state] = (counts[state] ?? 0) + 1;
  }
  return {
    id: text(row.event),
    source: text(row.source),
    type: text(row.type),
    receivedAtMs: number(row.received_at),
    deliveries: counts,
  };
}

const numberOrNull = (value: Row[string] | undefined): number | null =>
  value === null || value === undefined ? null : Number(value);

/** Null for the row that only records that no rule matched. */
function readDelivery(row: Row): StoredDelivery | null {
  if (row.state === "unmatched") return null;
  const state = text(row.state) as DeliveryState;
  const isDue = state === "retrying" || state === "pending";
  return {
    id: deliveryId(text(row.event), text(row.subscription)),
    event: text(row.event),
    rule: text(row.rule),
    target: text(row.target),
    priority: text(row.priority) as StoredDelivery["priority"],
    source: text(row.source),
    type: text(row.type),
    state,
    attempts: number(row.attempts),
    lastStatus: numberOrNull(row.last_status),
    lastError: row.last_error === null ? null : text(row.last_error),
    nextAttemptAtMs: isDue ? numberOrNull(row.due_at) : null,
    receivedAtMs: number(row.received_at),
    settledAtMs: numberOrNull(row.settled_at),
    log: JSON.parse(text(row.log)) as AttemptRecord[],
    replay: row.replay === null ? null : text(row.replay),
  };
}
