/** What operators say of tenants and queues, what it was before, and the record of who did what. */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

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
