/**
 * Tables of the D1 database, for migrations and tests: nothing at run time reads this. All are WITHOUT ROWID,
 * so that one row costs one row written, and have no index that a query does not need: the hot path touches
 * primary keys only.
 */
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
import type { Slot } from "../../core/generation.ts";

export const tenants = sqliteTable("tenants", {
  id: text().primaryKey(),
  doc: text().notNull(),
  /** Rises with every change of the tenant or of anything below it. */
  revision: integer().notNull(),
  createdAt: integer("created_at").notNull(),
  updatedAt: integer("updated_at").notNull(),
  /** The revision at the last change of the tenant itself; the ETag. */
  version: integer().notNull().default(0),
  /** How many it has: counting them anew would read them all. */
  rules: integer().notNull().default(0),
});

/** Sources, targets and rules: one JSON document each, secrets apart and encrypted. */
export const resources = sqliteTable(
  "resources",
  {
    tenant: text().notNull(),
    kind: text({ enum: ["source", "target", "rule", "saga"] }).notNull(),
    id: text().notNull(),
    doc: text().notNull(),
    sealed: text(),
    /** The tenant's revision at the last change; the ETag. */
    version: integer().notNull(),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.kind, table.id] })],
);

/** What each rule was, one row for each change of it, the present one included. */
export const ruleVersions = sqliteTable(
  "rule_versions",
  {
    tenant: text().notNull(),
    id: text().notNull(),
    /** The tenant's revision at that change. */
    version: integer().notNull(),
    /** Null where the rule was deleted. */
    doc: text(),
    changedAt: integer("changed_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id, table.version] })],
);

/** What each saga was, in the same way. */
export const sagaVersions = sqliteTable(
  "saga_versions",
  {
    tenant: text().notNull(),
    id: text().notNull(),
    version: integer().notNull(),
    doc: text(),
    changedAt: integer("changed_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id, table.version] })],
);

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

/** What operators did. */
export const deeds = sqliteTable(
  "deeds",
  {
    at: integer().notNull(),
    id: text().notNull(),
    /** Empty for what belongs to none. */
    tenant: text().notNull(),
    key: text().notNull(),
    name: text(),
    action: text().notNull(),
    resource: text().notNull(),
    reason: text(),
    outcome: text({ enum: ["begun", "done", "refused", "failed"] }).notNull(),
    status: integer(),
    /** What was different after, a JSON object. */
    change: text(),
  },
  (table) => [
    primaryKey({ columns: [table.at, table.id] }),
    index("deeds_tenant").on(table.tenant, table.at, table.id),
  ],
);

/** What operators say of the queues. */
export const queueControls = sqliteTable("queue_controls", {
  queue: text({ enum: ["critical", "normal", "bulk", "replay"] }).primaryKey(),
  paused: integer().notNull(),
  concurrency: integer(),
  delaySeconds: integer("delay_seconds").notNull(),
  pausedAt: integer("paused_at"),
  changedAt: integer("changed_at").notNull(),
  version: integer().notNull(),
});

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
