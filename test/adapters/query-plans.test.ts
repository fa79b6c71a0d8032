/** How SQLite runs our queries: by a key or an index, never through a whole table that grows. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createConfigStore } from "../../src/adapters/d1/config-store.ts";
import { createHistory } from "../../src/adapters/d1/history.ts";
import { createLedger } from "../../src/adapters/d1/ledger.ts";
import { createSession } from "../../src/adapters/d1/session.ts";
import * as statements from "../../src/adapters/d1/statements.ts";
import { createTenantStore } from "../../src/adapters/d1/tenant-store.ts";
import { consoleLog, createMeter } from "../../src/adapters/system.ts";
import { vault } from "./ledgers.ts";

const GROWING = ["events", "deliveries", "duplicates", "jobs", "tenants", "resources"];

const PARTIAL_INDEXES = new Set(["deliveries_due", "deliveries_open", "deliveries_job"]);

/**
 * Only the local engine runs it, once as it starts: an index on leases would cost every event a third
 * row so that this is quick.
 */
const MAY_SCAN = new Set(["END_EVENT_LEASES"]);

async function planOf(sql: string): Promise<string[]> {
  const parameters = Math.max(
    0,
    ...[...sql.matchAll(/\?(\d+)/g)].map(([, number]) => Number(number)),
    (sql.match(/\?(?!\d)/g) ?? []).length,
  );
  // A list where json_each wants one; anything else may be text as well.
  const query = env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`).bind(...Array(parameters).fill("[]"));
  const { results } = await query.all<{ detail: string }>();
  return results.map(({ detail }) => detail);
}

/** Steps that go through one of our tables from end to end; a partial index holds only what is open. */
function scansOf(sql: string, plan: readonly string[]): string[] {
  const tables = new Set(GROWING);
  for (const [, table, alias] of sql.matchAll(/\b(\w+)"? AS "?(\w+)/g)) {
    if (table !== undefined && alias !== undefined && tables.has(table)) tables.add(alias);
  }
  return plan.filter((step) => {
    const [, table = "", index] =
      /^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?/.exec(step) ?? [];
    return tables.has(table) && !PARTIAL_INDEXES.has(index ?? "");
  });
}

const texts = Object.entries(statements).flatMap(([name, sql]): [string, string][] =>
  typeof sql === "string" ? [[name, sql]] : [],
);

describe("a ledger statement", () => {
  it.each(texts.filter(([name]) => !MAY_SCAN.has(name)))(
    "%s reads no table whole",
    async (_, sql) => {
      const plan = await planOf(sql);
      expect(scansOf(sql, plan)).toEqual([]);
      const searches = plan.filter((step) => step.startsWith("SEARCH"));
      for (const step of searches)
        expect(step).toMatch(/USING (PRIMARY KEY|(COVERING )?INDEX deliveries_)/);
    },
  );

  it("is refused here when it does: the exceptions are those, and they do", async () => {
    expect(texts.length).toBeGreaterThan(15);
    const scanning = [];
    for (const [name, sql] of texts) {
      if (scansOf(sql, await planOf(sql)).length > 0) scanning.push(name);
    }
    expect(new Set(scanning)).toEqual(MAY_SCAN);
    const aliased = "SELECT d.event FROM deliveries AS d WHERE d.rule = 'r'";
    expect(scansOf(aliased, await planOf(aliased))).toEqual(["SCAN d"]);
  });

  it("that looks for what is due, parked or dead uses the partial index made for it", async () => {
    const { DUE, RELEASE, REDRIVE_ALL, END_DELIVERY_LEASES } = statements;
    expect(await indexOf(DUE)).toBe("deliveries_due");
    expect(await indexOf(END_DELIVERY_LEASES)).toBe("deliveries_due");
    expect(await indexOf(RELEASE)).toBe("deliveries_open");
    expect(await indexOf(REDRIVE_ALL)).toBe("deliveries_open");
  });
});

/** The first of the partial indexes that a query uses. */
const indexOf = async (sql: string): Promise<string | undefined> =>
  / USING (?:COVERING )?INDEX (deliveries_\w+)/.exec((await planOf(sql)).join())?.[1];

/** All SQL that goes to the database from now on. */
function recording(): { readonly db: D1Database; readonly sql: Set<string> } {
  const sql = new Set<string>();
  const db = new Proxy(env.DB, {
    get(target, name) {
      if (name === "prepare") {
        return (text: string) => {
          sql.add(text);
          return target.prepare(text);
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { db, sql };
}

describe("an admin query", () => {
  it("reads no table whole, whatever it filters by and wherever its page starts", async () => {
    const { db, sql } = recording();
    const session = createSession(db, createMeter());
    const history = createHistory(db, session);
    const range = { fromMs: 0, toMs: 2 ** 52 };
    const after = { receivedAtMs: 5, event: "evt_1", subscription: "s1" };
    const delivery = `dlv_${"0".repeat(39)}`;
    for (const from of [null, after]) {
      await history.events("acme", range, from, 10);
      await history.events("acme", { ...range, source: "a", type: "b" }, from, 10);
      await history.events("acme", { ...range, outcome: "matched" }, from, 10);
      await history.deliveries("acme", { ...range, target: "a", rule: "b" }, from, 10);
      await history.deliveries("acme", { ...range, state: "dead" }, from, 10);
      await history.deliveries("acme", { ...range, state: "delivered", event: "e" }, from, 10);
    }
    await history.event("acme", "evt_1");
    await history.delivery("acme", delivery);
    await history.redrive("acme", delivery);
    await history.redriveAll("acme", "job_1", { ...range, target: "sink" }, 5);
    await history.job("acme", "job_1");
    await writeAndReadConfiguration(db);
    await createLedger(session).due(0, 1);
    expect(sql.size).toBeGreaterThan(25);
    for (const text of sql) {
      const scans = scansOf(text, await planOf(text));
      expect([text, scans]).toEqual([text, []]);
    }
  });
});

describe("the list of dead letters", () => {
  it("reads what is dead, not everything that the tenant was ever sent", async () => {
    const { db, sql } = recording();
    const history = createHistory(db, createSession(db, createMeter()));
    const range = { fromMs: 0, toMs: 2 ** 52 };
    for (const state of ["dead", "parked", "retrying"] as const) {
      await history.deliveries("acme", { ...range, state }, null, 10);
    }
    for (const text of sql) expect(await indexOf(text)).toBe("deliveries_open");
    expect(sql.size).toBe(1);
  });
});

async function writeAndReadConfiguration(db: D1Database): Promise<void> {
  const session = createSession(db, createMeter());
  const config = createConfigStore(db, session, vault);
  const document = { doc: "{}", secrets: undefined };
  await config.putTenant("plans", "{}", null);
  await config.putTenant("plans", "{}", 1);
  await config.tenants("", 10);
  await config.putResource("plans", "target", "sink", document, null);
  await config.resource("plans", "target", "sink");
  await config.resources("plans", "target", "", 10);
  await createTenantStore(session, vault, consoleLog).load("plans");
  await config.deleteResource("plans", "target", "sink", null);
  await config.deleteTenant("plans", null);
}
