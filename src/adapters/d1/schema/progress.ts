/** What goes on by itself once it was begun, and how far it is: jobs, replays, fan-outs, instances of sagas. */
import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

/** Long-running operator actions. Their ids sort by time. */
export const jobs = sqliteTable(
  "jobs",
  {
    id: text().primaryKey(),
    tenant: text().notNull(),
    /** A job over all tenants has an empty one. */
    kind: text({ enum: ["redrive", "delete-tenant", "command-sagas", "reseal"] }).notNull(),
    query: text().notNull(),
    total: integer().notNull(),
    /** A redrive has nothing left to do itself: the states of its deliveries tell the rest. */
    state: text({ enum: ["running", "done", "cancelled"] }).notNull(),
    removed: integer().notNull().default(0),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    /** Of a command for many sagas: how far it is, a JSON object. */
    progress: text(),
    /** The client's name for what it asked: under the same one there is one job. */
    commandId: text("command_id"),
  },
  (table) => [
    index("jobs_running").on(table.id).where(sql`state = 'running'`),
    uniqueIndex("jobs_command")
      .on(table.tenant, table.commandId)
      .where(sql`command_id IS NOT NULL`),
  ],
);

/** Slices of the past that are sent once more: what a person asked for, and how far it came. */
export const replays = sqliteTable(
  "replays",
  {
    tenant: text().notNull(),
    /** Sorts by time. */
    id: text().notNull(),
    /** What was asked for, a JSON object. */
    query: text().notNull(),
    state: text({ enum: ["running", "paused", "done", "cancelled"] }).notNull(),
    /** Rises with every slice: one that was begun before is not written after. */
    rev: integer().notNull().default(0),
    /** Where the next slice begins, a JSON object. */
    checkpoint: text().notNull(),
    /** When the last event that was looked at was received. */
    reachedAt: integer("reached_at"),
    examined: integer().notNull().default(0),
    deliveries: integer().notNull().default(0),
    unreadableBytes: integer("unreadable_bytes").notNull().default(0),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.id] }),
    index("replays_running").on(table.updatedAt).where(sql`state = 'running'`),
  ],
);

/** Lists whose elements become events: what was found, and how far it is sent. */
export const fanOuts = sqliteTable(
  "fan_outs",
  {
    tenant: text().notNull(),
    /** Sorts by the time of its event. */
    id: text().notNull(),
    event: text().notNull(),
    rule: text().notNull(),
    priority: text({ enum: ["critical", "normal", "bulk"] }).notNull(),
    /** Of every element, a JSON array. */
    subscriptions: text().notNull(),
    state: text({ enum: ["running", "paused", "done", "cancelled", "failed"] }).notNull(),
    reason: text(),
    /** Rises with every page: of two that send the same one is written down. */
    rev: integer().notNull().default(0),
    total: integer().notNull(),
    sent: integer().notNull().default(0),
    /** Within the body: where the next element begins. */
    offset: integer("offset").notNull(),
    perSecond: real("per_second"),
    /** The time at which its elements were received. */
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.id] }),
    index("fan_outs_running").on(table.updatedAt).where(sql`state = 'running'`),
    index("fan_outs_ended")
      .on(table.createdAt)
      .where(sql`state IN ('done', 'cancelled', 'failed')`),
  ],
);

/** Instances of sagas, as far as one is found by it: the truth is in its object. */
export const sagaInstances = sqliteTable(
  "saga_instances",
  {
    tenant: text().notNull(),
    id: text().notNull(),
    saga: text().notNull(),
    /** Of the definition that it runs by. */
    version: integer().notNull(),
    key: text().notNull(),
    correlationId: text("correlation_id"),
    status: text().notNull(),
    paused: integer().notNull(),
    step: text(),
    reason: text(),
    rev: integer().notNull(),
    /** By then its object wakes by itself; the sweeper looks for those that did not. */
    dueAt: integer("due_at"),
    startedAt: integer("started_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [
    // In the order of lists, which so need no index: it would be a row more for every instance.
    primaryKey({ columns: [table.tenant, table.startedAt, table.id] }),
    index("saga_instances_correlation")
      .on(table.tenant, table.correlationId, table.startedAt, table.id)
      .where(sql`correlation_id IS NOT NULL`),
    index("saga_instances_due").on(table.dueAt).where(sql`due_at IS NOT NULL`),
  ],
);
