/** What becomes of events and their deliveries: one set of tables for each slot of a generation. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Slot } from "../../../core/generation.ts";

/** One row per event: claim, lease and pointer into the archive at once. */
const eventsIn = (slot: Slot) =>
  sqliteTable(`events_${slot}`, {
    id: text().primaryKey(),
    tenant: text().notNull(),
    source: text().notNull(),
    type: text().notNull(),
    /** The receipt that owns the event; another receipt of it is a duplicate. */
    receipt: text().notNull(),
    receivedAt: integer("received_at").notNull(),
    claimedAt: integer("claimed_at").notNull(),
    token: text().notNull(),
    leaseUntil: integer("lease_until").notNull(),
    segment: text().notNull(),
    offset: integer("offset").notNull(),
    length: integer("length").notNull(),
  });

/**
 * One row per delivery, written when it settles, in the order of time so that lists need no index.
 * An event that matched nothing has one row with an empty subscription.
 */
const deliveriesIn = (slot: Slot) =>
  sqliteTable(
    `deliveries_${slot}`,
    {
      tenant: text().notNull(),
      receivedAt: integer("received_at").notNull(),
      event: text().notNull(),
      subscription: text().notNull(),
      rule: text().notNull(),
      target: text().notNull(),
      priority: text({ enum: ["critical", "normal", "bulk", "replay"] }).notNull(),
      source: text().notNull(),
      type: text().notNull(),
      state: text({
        enum: [
          "pending",
          "delivering",
          "delivered",
          "retrying",
          "parked",
          "dead",
          "cancelled",
          "unmatched",
        ],
      }).notNull(),
      attempts: integer().notNull(),
      /** Attempts made before the last redrive: the retry ladder starts anew from there. */
      attemptsBase: integer("attempts_base").notNull().default(0),
      /** When it is next owed, or its lease ends; null where nothing is due. */
      dueAt: integer("due_at"),
      token: text(),
      lastStatus: integer("last_status"),
      lastError: text("last_error"),
      settledAt: integer("settled_at"),
      /** The attempts, a JSON array. */
      log: text().notNull().default("[]"),
      /** The job that redrove it. */
      job: text(),
      /** The replay that made it. */
      replay: text(),
      /** Of a target with an order: what it is in order with, and what says that it is newer than others. */
      orderKey: text("order_key"),
      orderValue: text("order_value"),
      /** The token of its last turn, or "." while it waits for one; after "!" it may have been sent before. */
      orderTurn: text("order_turn"),
    },
    (table) => [
      primaryKey({ columns: [table.tenant, table.receivedAt, table.event, table.subscription] }),
      // Partial: a delivery that succeeds at once never touches them.
      index(`deliveries_${slot}_due`)
        .on(table.dueAt)
        .where(sql`state IN ('pending', 'delivering', 'retrying')`),
      index(`deliveries_${slot}_open`)
        .on(table.tenant, table.state, table.receivedAt)
        .where(sql`state IN ('retrying', 'parked', 'dead')`),
      // What a gate has parked, the most urgent and oldest first.
      index(`deliveries_${slot}_parked`)
        .on(
          table.tenant,
          table.target,
          sql`CASE priority WHEN 'critical' THEN 0 WHEN 'normal' THEN 1 WHEN 'bulk' THEN 2 ELSE 3 END`,
          table.receivedAt,
        )
        .where(sql`state = 'parked' AND due_at IS NOT NULL`),
      // What waits for a closed target, in the same order.
      index(`deliveries_${slot}_closed`)
        .on(
          table.tenant,
          table.target,
          sql`CASE priority WHEN 'critical' THEN 0 WHEN 'normal' THEN 1 WHEN 'bulk' THEN 2 ELSE 3 END`,
          table.receivedAt,
        )
        .where(sql`state = 'parked' AND due_at IS NULL`),
      index(`deliveries_${slot}_replay`).on(table.replay).where(sql`replay IS NOT NULL`),
      index(`deliveries_${slot}_job`).on(table.job).where(sql`job IS NOT NULL`),
      // Of one key: what is on its way, what waits, and what says how new it is.
      index(`deliveries_${slot}_turn`)
        .on(table.orderKey, table.receivedAt, table.event)
        .where(sql`order_key IS NOT NULL AND state IN ('pending', 'delivering', 'retrying')`),
      index(`deliveries_${slot}_wait`)
        .on(table.orderKey, table.receivedAt, table.event)
        .where(sql`order_key IS NOT NULL AND state = 'parked'`),
      index(`deliveries_${slot}_newest`)
        .on(table.orderKey, table.orderValue, table.receivedAt, table.event)
        .where(sql`order_value IS NOT NULL`),
    ],
  );

/** Suppressed copies of events, with the reason. */
const duplicatesIn = (slot: Slot) =>
  sqliteTable(
    `duplicates_${slot}`,
    {
      event: text().notNull(),
      receipt: text().notNull(),
      receivedAt: integer("received_at").notNull(),
      reason: text().notNull(),
    },
    (table) => [primaryKey({ columns: [table.event, table.receipt] })],
  );

export const events0 = eventsIn(0);
export const events1 = eventsIn(1);
export const events2 = eventsIn(2);
export const deliveries0 = deliveriesIn(0);
export const deliveries1 = deliveriesIn(1);
export const deliveries2 = deliveriesIn(2);
export const duplicates0 = duplicatesIn(0);
export const duplicates1 = duplicatesIn(1);
export const duplicates2 = duplicatesIn(2);

/** The generation that each slot was emptied for. */
export const generations = sqliteTable("generations", {
  slot: integer().primaryKey(),
  generation: integer().notNull(),
});

/** Targets that were opened or deleted, until what was parked for them is released. */
export const openings = sqliteTable(
  "openings",
  {
    tenant: text().notNull(),
    target: text().notNull(),
    /** The tenant's revision at that change. */
    version: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.target] })],
);
