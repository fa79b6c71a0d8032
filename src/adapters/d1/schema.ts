/**
 * Tables of the D1 database, for migrations and tests: nothing at run time reads this. All are WITHOUT ROWID,
 * so that one row costs one row written, and have no index that a query does not need: the hot path touches
 * primary keys only.
 */
export * from "./schema/config.ts";
export * from "./schema/ledger.ts";
export * from "./schema/progress.ts";
