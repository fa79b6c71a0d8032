/** How SQLite runs our queries: by a key or an index, never through a whole table that grows. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as audits from "../../src/adapters/d1/audit.ts";
import * as batches from "../../src/adapters/d1/batch-statements.ts";
import * as config from "../../src/adapters/d1/config-statements.ts";
import { createConfigStore } from "../../src/adapters/d1/config-store.ts";
import * as deedStatements from "../../src/adapters/d1/deeds.ts";
import * as deletions from "../../src/adapters/d1/deletions.ts";
import * as encryption from "../../src/adapters/d1/encryption.ts";
import * as expiry from "../../src/adapters/d1/expire.ts";
import * as fanOuts from "../../src/adapters/d1/fan-outs.ts";
import { createHistory } from "../../src/adapters/d1/history.ts";
import * as queries from "../../src/adapters/d1/history-queries.ts";
import * as jobStatements from "../../src/adapters/d1/jobs.ts";
import { createLedger } from "../../src/adapters/d1/ledger.ts";
import * as owed from "../../src/adapters/d1/owed-statements.ts";
import * as parked from "../../src/adapters/d1/parked-statements.ts";
import * as pulls from "../../src/adapters/d1/pull-statements.ts";
import * as queueControls from "../../src/adapters/d1/queue-controls.ts";
import * as redrives from "../../src/adapters/d1/redrive.ts";
import * as removals from "../../src/adapters/d1/remover.ts";
import * as replays from "../../src/adapters/d1/replays.ts";
import * as reseals from "../../src/adapters/d1/reseals.ts";
import * as ruleEnds from "../../src/adapters/d1/rule-ends.ts";
import * as sagas from "../../src/adapters/d1/saga-index.ts";
import * as sagaJobs from "../../src/adapters/d1/saga-jobs.ts";
import { createSession } from "../../src/adapters/d1/session.ts";
import { acrossSlots, deliveriesOf, duplicatesOf, eventsOf } from "../../src/adapters/d1/slots.ts";
import * as claims from "../../src/adapters/d1/statements.ts";
import { createTenantStore } from "../../src/adapters/d1/tenant-store.ts";
import * as turns from "../../src/adapters/d1/turn-statements.ts";
import * as versionStatements from "../../src/adapters/d1/versions.ts";
import * as fanOutJobs from "../../src/adapters/fan-out-jobs.ts";
import * as replayers from "../../src/adapters/replayers.ts";
import { consoleLog, createMeter } from "../../src/adapters/system.ts";
import { SLOTS } from "../../src/core/generation.ts";
import { vault } from "./ledgers.ts";

const GROWING = [
  ...SLOTS.flatMap((slot) => [eventsOf(slot), deliveriesOf(slot), duplicatesOf(slot)]),
  ...[
    "jobs",
    "tenants",
    "resources",
    "rule_versions",
    "replays",
    "fan_outs",
    "saga_instances",
    "saga_versions",
    "deeds",
  ],
];

/** They hold what is open, not all that was ever sent. */
const PARTIAL_INDEX =
  /^(deliveries_\d_(due|open|parked|closed|job|replay|turn|wait)|(jobs|replays|fan_outs)_running)$/;

/**
 * Only the local engine runs the first, once as it starts: an index on leases would cost every event a third
 * row so that this is quick. The others are a person's, when a key is rotated.
 */
const MAY_SCAN = new Set([
  ...SLOTS.map((slot) => `END_EVENT_LEASES ${slot}`),
  ...["CENSUS", "BEGIN_RESEAL"],
]);

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
    return tables.has(table) && !PARTIAL_INDEX.test(index ?? "");
  });
}

const MODULES = {
  ...{
    audits,
    claims,
    config,
    deedStatements,
    deletions,
    encryption,
    expiry,
    jobStatements,
    owed,
    parked,
  },
  ...{ batches, fanOuts, fanOutJobs, pulls },
  ...{ queries, queueControls, redrives, removals, replays, replayers, reseals, sagaJobs, sagas },
  ...{ ruleEnds, turns, versionStatements },
};

/** By name; those that there are for each slot with its number. */
const texts = Object.values(MODULES)
  .flatMap((module) => Object.entries(module))
  .flatMap(([name, sql]): [string, unknown][] =>
    typeof sql === "object"
      ? Object.entries(sql).map(([slot, text]) => [`${name} ${slot}`, text])
      : [[name, sql]],
  )
  .filter((entry): entry is [string, string] =>
    /^\s*(SELECT|INSERT|UPDATE|DELETE)/.test(`${entry[1]}`),
  );

describe("a ledger statement", () => {
  it.each(texts.filter(([name]) => !MAY_SCAN.has(name)))(
    "%s reads no table whole",
    async (_, sql) => {
      const plan = await planOf(sql);
      expect(scansOf(sql, plan)).toEqual([]);
      const searches = plan.filter((step) => step.startsWith("SEARCH"));
      for (const step of searches)
        expect(step).toMatch(
          /USING (PRIMARY KEY|(COVERING )?INDEX (deliveries_\d_|deeds_tenant|jobs_command|(replays|fan_outs)_running|fan_outs_ended|saga_instances_))/,
        );
    },
  );

  it("is refused here when it does: the exceptions are those, and they do", async () => {
    const isEmpty = (module: object) => !Object.keys(module).some((name) => /^[A-Z_]+$/.test(name));
    expect(Object.keys(MODULES).filter((name) => isEmpty(MODULES[name as "sagas"]))).toEqual([]);
    expect(texts.length).toBeGreaterThan(100);
    const scanning = [];
    for (const [name, sql] of texts) {
      if (scansOf(sql, await planOf(sql)).length > 0) scanning.push(name);
    }
    expect(new Set(scanning)).toEqual(MAY_SCAN);
    const aliased = "SELECT d.event FROM deliveries_0 AS d WHERE d.rule = 'r'";
    expect(scansOf(aliased, await planOf(aliased))).toEqual(["SCAN d"]);
  });

  it("that looks for what is due, parked or dead uses the partial indexes made for it", async () => {
    expect(await indexesOf(owed.DUE)).toEqual(allSlots("due"));
    expect(await indexesOf(redrives.DEAD_LETTERS)).toEqual(allSlots("open"));
    for (const slot of SLOTS) {
      const own = [`deliveries_${slot}_closed`, `deliveries_${slot}_parked`];
      expect(await indexesOf(parked.WAITING[slot])).toEqual(own);
      expect(await indexesOf(owed.END_DELIVERY_LEASES[slot])).toEqual([`deliveries_${slot}_due`]);
      expect(await indexesOf(owed.RELEASE[slot])).toEqual([`deliveries_${slot}_open`]);
    }
  });

  it("over all slots merges them as they come, and sorts nothing that may be long", async () => {
    for (const [name, sql] of texts) {
      if (sql.includes("sqlite_master") || name === "CENSUS") continue; // a handful of rows
      // Each slot yields a page at most.
      if ([parked.PARKED, parked.PARKED_FRESH, pulls.READY, batches.READY_FOR_BATCH].includes(sql))
        continue;
      expect([name, sortsOf(await planOf(sql))]).toEqual([name, []]);
    }
    const unordered = acrossSlots((slot) => `SELECT event, rule FROM ${deliveriesOf(slot)}`);
    const plan = await planOf(`${unordered} ORDER BY rule LIMIT 1`);
    expect(sortsOf(plan)).toHaveLength(SLOTS.length);
  });
});

/** A sort by the last term alone is one of the few rows that agree in all before it. */
const sortsOf = (plan: readonly string[]): string[] =>
  plan.filter((step) => step === "USE TEMP B-TREE FOR ORDER BY");

const allSlots = (index: string): string[] => SLOTS.map((slot) => `deliveries_${slot}_${index}`);

/** The partial indexes that a query uses, each once. */
const indexesOf = async (sql: string): Promise<string[]> => {
  const plan = (await planOf(sql)).join();
  const found = plan.matchAll(/ USING (?:COVERING )?INDEX (deliveries_\w+)/g);
  return [...new Set([...found].flatMap(([, index]) => index ?? []))].sort();
};

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
  it("reads no table whole and sorts none, whatever it filters by and wherever its page starts", async () => {
    const { db, sql } = recording();
    const session = createSession(db, createMeter());
    const history = createHistory(session);
    const range = { fromMs: 0, toMs: 2 ** 52 };
    const after = { receivedAtMs: 5, event: "evt_1", subscription: "s1" };
    const delivery = `dlv_${"0".repeat(39)}`;
    for (const from of [null, after]) {
      await history.events("acme", range, from, 10);
      await history.events("acme", { ...range, source: "a", type: "b" }, from, 10);
      await history.events("acme", { ...range, outcome: "matched" }, from, 10);
      await history.placedEvents("acme", { ...range, source: "a" }, from, 10);
      await history.deliveries("acme", { ...range, target: "a", rule: "b" }, from, 10);
      await history.deliveries("acme", { ...range, state: "dead" }, from, 10);
      await history.deliveries("acme", { ...range, state: "delivered", event: "e" }, from, 10);
    }
    await history.event("acme", "evt_1");
    await history.delivery("acme", delivery);
    await history.redrive("acme", delivery);
    await history.redriveAll("acme", "job_1", { ...range, target: "sink" }, 5);
    await history.cancel("acme", delivery, ["dead"], "discarded");
    await history.cancelAll("acme", { ...range, rule: "all" }, "discarded");
    const jobs = jobStatements.createJobs(session);
    await jobs.job("acme", "job_1");
    for (const from of [null, "job_1"]) await jobs.jobs(undefined, from, 10);
    await jobs.jobs("running", null, 10);
    await deletions.runningDeletions(session, 10);
    const deeds = deedStatements.createDeeds(session);
    for (const tenant of ["acme", undefined]) await deeds.list({ ...range, tenant }, null, 10);
    await writeAndReadConfiguration(db);
    await createLedger(session).due(0, 1);
    expect(sql.size).toBeGreaterThan(25);
    for (const text of sql) {
      const scans = scansOf(text, await planOf(text));
      expect([text, scans]).toEqual([text, []]);
      expect([text, sortsOf(await planOf(text))]).toEqual([text, []]);
    }
  });
});

describe("the list of dead letters", () => {
  it("reads what is dead, not everything that the tenant was ever sent", async () => {
    const { db, sql } = recording();
    const history = createHistory(createSession(db, createMeter()));
    const range = { fromMs: 0, toMs: 2 ** 52 };
    for (const state of ["dead", "parked", "retrying"] as const) {
      await history.deliveries("acme", { ...range, state }, null, 10);
    }
    for (const text of sql) expect(await indexesOf(text)).toEqual(allSlots("open"));
    expect(sql.size).toBe(1);
  });
});

async function writeAndReadConfiguration(db: D1Database): Promise<void> {
  const session = createSession(db, createMeter());
  const store = createConfigStore(session, vault);
  const document = { doc: "{}", secrets: undefined };
  await store.putTenant("plans", "{}", null);
  await store.putTenant("plans", "{}", 1);
  await store.tenants("", 10);
  await store.putResource("plans", "target", "sink", document, null);
  await store.resource("plans", "target", "sink");
  const rule = { doc: '{"pattern":{"type":["a"]}}', secrets: null };
  await store.putResource("plans", "rule", "all", rule, null);
  const versions = versionStatements.createVersions(session, "rule");
  await versions.list("plans", "all", null, 10);
  await versions.at("plans", "all", 5);
  await store.resources("plans", "target", "", 10);
  await createTenantStore(session, vault, consoleLog).load("plans");
  await store.deleteResource("plans", "target", "sink", null);
  await store.deleteTenant("plans", null, "job_plans");
}
