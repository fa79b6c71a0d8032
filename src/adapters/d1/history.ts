/** Reads of the ledger for the admin routes, and redrives. Lists walk the primary key, newest first. */
import { and, desc, eq, gte, inArray, lt, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { deliveryId, parseDeliveryId } from "../../core/ids.ts";
import { SWEEP_GRACE_MS } from "../../core/limits.ts";
import type { DeliveryState } from "../../core/settle.ts";
import type {
  DeliverySelection,
  EventSummary,
  History,
  HistoryPage,
  Job,
  Position,
  StoredDelivery,
  TimeRange,
} from "../../ports/history.ts";
import type { AttemptRecord } from "../../ports/ledger.ts";
import { deliveries, duplicates, events, jobs, NOW_MS } from "./schema.ts";
import { named, type Session } from "./session.ts";
import { REDRIVE_ALL, REDRIVE_PAGE } from "./statements.ts";

type DeliveryRow = typeof deliveries.$inferSelect;

export function createHistory(d1: D1Database, session: Session): History {
  const db = drizzle(d1);

  async function jobStates(id: string): Promise<Job["states"]> {
    const rows = await named(
      "job",
      db
        .select({ state: deliveries.state, count: sql<number>`COUNT(*)` })
        .from(deliveries)
        .where(eq(deliveries.job, id))
        .groupBy(deliveries.state),
    );
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  }

  async function rowOf(tenant: string, id: string): Promise<DeliveryRow | null> {
    const key = parseDeliveryId(id);
    if (key === null) return null;
    const rows = await named(
      "delivery",
      db
        .select({ delivery: deliveries })
        .from(events)
        .innerJoin(deliveries, and(atEvent, eq(deliveries.subscription, key.subscription)))
        .where(and(eq(events.id, key.event), eq(events.tenant, tenant))),
    );
    return rows[0]?.delivery ?? null;
  }

  return {
    async events(tenant, filter, after, count) {
      const unmatched = eq(deliveries.state, "unmatched");
      const rows = await named(
        "events",
        db
          .select({
            event: deliveries.event,
            receivedAt: deliveries.receivedAt,
            source: deliveries.source,
            type: deliveries.type,
            states: sql<string>`json_group_array(${deliveries.state})`,
          })
          .from(deliveries)
          .where(
            and(
              ...inRange(tenant, filter, after, "events"),
              ...equals(deliveries.source, filter.source),
              ...equals(deliveries.type, filter.type),
              ...(filter.outcome === "unmatched" ? [unmatched] : []),
              ...(filter.outcome === "matched" ? [sql`NOT ${unmatched}`] : []),
            ),
          )
          .groupBy(deliveries.receivedAt, deliveries.event)
          .orderBy(desc(deliveries.receivedAt), desc(deliveries.event))
          .limit(count + 1),
      );
      return pageOf(rows, count, (row): EventSummary => {
        const { event: id, source, type, receivedAt } = row;
        return { id, source, type, receivedAtMs: receivedAt, deliveries: countStates(row.states) };
      });
    },

    async event(tenant, id) {
      const [found, rows, copies] = await named(
        "event",
        db.batch([
          db
            .select()
            .from(events)
            .where(and(eq(events.id, id), eq(events.tenant, tenant))),
          db
            .select({ delivery: deliveries })
            .from(events)
            .innerJoin(deliveries, atEvent)
            .where(and(eq(events.id, id), eq(events.tenant, tenant))),
          db.select().from(duplicates).where(eq(duplicates.event, id)),
        ]),
      );
      const row = found[0];
      if (row === undefined) return null;
      return {
        id,
        tenant,
        source: row.source,
        type: row.type,
        receipt: row.receipt,
        receivedAtMs: row.receivedAt,
        claimedAtMs: row.claimedAt,
        pointer: { segment: row.segment, offset: row.offset, length: row.length },
        duplicates: copies.map(({ event, receipt, receivedAt, reason }) => {
          return { event, receipt, receivedAtMs: receivedAt, reason };
        }),
        deliveries: rows.flatMap(({ delivery }) => readDelivery(delivery) ?? []),
      };
    },

    async deliveries(tenant, filter, after, count) {
      const where = and(...inRange(tenant, filter, after, "deliveries"), ...matching(filter));
      const rows = await named(
        "deliveries",
        db
          .select()
          .from(deliveries)
          .where(isOpen(filter.state) ? amongOpen(where, count + 1) : where)
          .orderBy(
            desc(deliveries.receivedAt),
            desc(deliveries.event),
            desc(deliveries.subscription),
          )
          .limit(count + 1),
      );
      const page = pageOf(rows, count, readDelivery);
      return { ...page, items: page.items.filter((item) => item !== null) };
    },

    async delivery(tenant, id) {
      const row = await rowOf(tenant, id);
      return row === null ? null : readDelivery(row);
    },

    async redrive(tenant, id) {
      const row = await rowOf(tenant, id);
      if (row === null) return false;
      const updated = await named(
        "redrive",
        db
          .update(deliveries)
          .set({ state: "pending", dueAt: 0, attemptsBase: deliveries.attempts, settledAt: null })
          .where(and(isRow(row), inArray(deliveries.state, ["dead", "cancelled", "retrying"])))
          .returning({ event: deliveries.event }),
      );
      return updated.length > 0;
    },

    async redriveAll(tenant, id, filter, perSecond) {
      let total = 0;
      const pauseMs = perSecond === null ? 0 : 1_000 / perSecond;
      for (;;) {
        const [rows] = await session.batch("redrive-all", [
          {
            sql: REDRIVE_ALL,
            params: [
              ...[tenant, filter.target ?? null, filter.rule ?? null, filter.fromMs, filter.toMs],
              ...[id, total, pauseMs, perSecond === null ? -SWEEP_GRACE_MS : 0, REDRIVE_PAGE],
            ],
          },
        ]);
        total += rows?.length ?? 0;
        if ((rows?.length ?? 0) < REDRIVE_PAGE) break;
      }
      const query = JSON.stringify({ ...filter, perSecond });
      const job = { tenant, id, kind: "redrive", query, total, createdAt: NOW_MS };
      const [row] = await named("job", db.insert(jobs).values(job).returning());
      const createdAtMs = row?.createdAt ?? 0;
      return { id, kind: "redrive", createdAtMs, total, states: await jobStates(id) };
    },

    async job(tenant, id) {
      const where = and(eq(jobs.tenant, tenant), eq(jobs.id, id));
      const [row] = await named("job", db.select().from(jobs).where(where));
      if (row === undefined) return null;
      const { kind, total, createdAt } = row;
      return { id, kind, createdAtMs: createdAt, total, states: await jobStates(id) };
    },
  };
}

/** From an event's row to its deliveries by their primary key. */
const atEvent = and(
  eq(deliveries.tenant, events.tenant),
  eq(deliveries.receivedAt, events.receivedAt),
  eq(deliveries.event, events.id),
);

const isRow = (row: DeliveryRow) =>
  and(
    eq(deliveries.tenant, row.tenant),
    eq(deliveries.receivedAt, row.receivedAt),
    eq(deliveries.event, row.event),
    eq(deliveries.subscription, row.subscription),
  );

const equals = (column: SQLiteColumn, value: string | undefined): SQL[] =>
  value === undefined ? [] : [eq(column, value)];

function inRange(
  tenant: string,
  range: TimeRange,
  after: Position | null,
  what: "events" | "deliveries",
): SQL[] {
  const conditions = [
    eq(deliveries.tenant, tenant),
    gte(deliveries.receivedAt, range.fromMs),
    lt(deliveries.receivedAt, range.toMs),
  ];
  if (after === null) return conditions;
  const { receivedAtMs, event, subscription } = after;
  const row = sql`${deliveries.receivedAt}, ${deliveries.event}`;
  return what === "events"
    ? [...conditions, sql`(${row}) < (${receivedAtMs}, ${event})`]
    : [
        ...conditions,
        sql`(${row}, ${deliveries.subscription}) < (${receivedAtMs}, ${event}, ${subscription})`,
      ];
}

const isOpen = (state: DeliveryState | undefined): boolean =>
  state === "retrying" || state === "parked" || state === "dead";

/**
 * The states that a person looks for have a partial index, which SQLite takes only when it is told to
 * (and drizzle cannot): otherwise it walks through everything that a tenant was ever sent.
 */
const amongOpen = (where: SQL | undefined, count: number): SQL => sql`
  (${deliveries.tenant}, ${deliveries.receivedAt}, ${deliveries.event}, ${deliveries.subscription}) IN (
    SELECT tenant, received_at, event, subscription FROM ${deliveries} INDEXED BY deliveries_open
    WHERE ${where} ORDER BY received_at DESC, event DESC, subscription DESC LIMIT ${count})`;

function matching(filter: DeliverySelection): SQL[] {
  return [
    // The index's own condition, word for word.
    ...(isOpen(filter.state) ? [sql.raw("state IN ('retrying', 'parked', 'dead')")] : []),
    ...(filter.state === undefined ? [] : [eq(deliveries.state, filter.state)]),
    ...equals(deliveries.target, filter.target),
    ...equals(deliveries.rule, filter.rule),
    ...(filter.event === undefined ? [] : [eq(deliveries.event, filter.event)]),
    ...(filter.state === undefined ? [sql`${deliveries.subscription} <> ''`] : []),
  ];
}

function pageOf<Row extends { receivedAt: number; event: string; subscription?: string }, Item>(
  rows: readonly Row[],
  count: number,
  read: (row: Row) => Item,
): HistoryPage<Item> {
  const shown = rows.slice(0, count);
  const last = shown.at(-1);
  const next =
    rows.length <= count || last === undefined
      ? null
      : {
          receivedAtMs: last.receivedAt,
          event: last.event,
          subscription: last.subscription ?? "",
        };
  return { items: shown.map(read), next };
}

function countStates(json: string): EventSummary["deliveries"] {
  const counts: Partial<Record<DeliveryState, number>> = {};
  for (const state of JSON.parse(json) as (DeliveryState | "unmatched")[]) {
    if (state !== "unmatched") counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

/** Null for the row that only records that no rule matched. */
function readDelivery(row: DeliveryRow): StoredDelivery | null {
  if (row.state === "unmatched") return null;
  const { event, rule, target, priority, source, type, state, attempts, lastStatus, lastError } =
    row;
  return {
    id: deliveryId(event, row.subscription),
    ...{ event, rule, target, priority, source, type, state, attempts, lastStatus, lastError },
    nextAttemptAtMs: state === "retrying" || state === "pending" ? row.dueAt : null,
    receivedAtMs: row.receivedAt,
    settledAtMs: row.settledAt,
    log: JSON.parse(row.log) as AttemptRecord[],
  };
}
