/** The database that the migrations make is the one that the code believes in. */
import { env } from "cloudflare:workers";
import { getTableConfig, SQLiteTable } from "drizzle-orm/sqlite-core";
import { describe, expect, it } from "vitest";
import * as schema from "../../src/adapters/d1/schema.ts";

const tables = Object.values(schema).filter((value) => value instanceof SQLiteTable);
const configs = tables.map((table) => getTableConfig(table));

async function query<Row>(sql: string): Promise<Row[]> {
  return (await env.DB.prepare(sql).all<Row>()).results;
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly pk: number;
}

describe("the migrated database", () => {
  it("has the tables of the schema and no others", async () => {
    const rows = await query<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
    );
    const ours = rows
      .map(({ name }) => name)
      .filter((name) => !/^(sqlite_|_cf_|d1_migrations)/.test(name));
    expect(ours).toEqual(configs.map(({ name }) => name).sort());
  });

  it.each(configs)("has the columns of $name, in type and in what may be null", async (config) => {
    const columns = await query<Column>(`PRAGMA table_info(${config.name})`);
    const expected = config.columns.map((column) => [
      column.name,
      column.getSQLType(),
      column.notNull,
    ]);
    const actual = columns.map(({ name, type, notnull }) => [
      name,
      type.toLowerCase(),
      notnull === 1,
    ]);
    expect(actual).toEqual(expected);
  });

  it.each(configs)("has the primary key of $name, in its order", async (config) => {
    const columns = await query<Column>(`PRAGMA table_info(${config.name})`);
    const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
    const composite = config.primaryKeys[0]?.columns.map(({ name }) => name);
    const single = config.columns.filter(({ primary }) => primary).map(({ name }) => name);
    expect(key.map(({ name }) => name)).toEqual(composite ?? single);
  });

  it.each(configs)(
    "keeps $name WITHOUT ROWID, so that a row is one row written",
    async ({ name }) => {
      const [table] = await query<{ sql: string }>(
        `SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '${name}'`,
      );
      expect(table?.sql).toMatch(/\) WITHOUT ROWID$/);
    },
  );

  it("has the indexes of the schema and not one more: each costs rows", async () => {
    const rows = await query<{ name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    );
    const expected = configs.flatMap(({ indexes }) => indexes.map((index) => index.config.name));
    expect(rows.map(({ name }) => name).sort()).toEqual(expected.sort());
    // Those of events and deliveries are partial: what succeeds at once never touches them.
    const whole = rows.filter(({ sql }) => !/ WHERE /.test(sql)).map(({ name }) => name);
    expect(whole).toEqual(["deeds_tenant"]);
  });
});
