/** Forward through the migrations with rows in the tables: none is lost on the way. */
import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { createHistory } from "../../src/adapters/d1/history.ts";
import { createLedger } from "../../src/adapters/d1/ledger.ts";
import { createSagaDirectory } from "../../src/adapters/d1/saga-index.ts";
import { SLOTS, slotOf } from "../../src/core/generation.ts";
import { GENERATION_MS } from "../../src/core/limits.ts";
import { firstKey } from "../../src/ports/claim.ts";
import { againOf, claim, dueOf, firstOf, freshToken, session } from "./ledgers.ts";

const ledger = createLedger(session);
const RANGE = { fromMs: 0, toMs: 2 ** 52 };
const NOW_MS = Date.UTC(2026, 0, 1);
const firsts = [0, 1, 2, 3].map((generations) =>
  firstOf({ tenant: "moved", receivedAtMs: NOW_MS - generations * GENERATION_MS }),
);

/** A rule from before there were versions, and a target, which has none. */
const CONFIGURATION = `
INSERT INTO resources (tenant, kind, id, doc, version, created_at, updated_at)
VALUES ('moved', 'rule', 'all', '{"d":1}', 7, 1, 5), ('moved', 'target', 'sink', '{}', 6, 1, 5)`;
const TENANTS = `
INSERT INTO tenants (id, doc, revision, created_at, updated_at)
VALUES ('moved', '{}', 7, 1, 5), ('without', '{}', 1, 1, 1)`;

/** A saga from before there were versions of them. */
const SAGA = `
INSERT INTO resources (tenant, kind, id, doc, version, created_at, updated_at)
VALUES ('moved', 'saga', 'order', '{"steps":[]}', 8, 1, 6)`;

/** Instances of sagas from before their rows were in the order of lists. */
const INSTANCES = `
INSERT INTO saga_instances (tenant, id, saga, version, "key", correlation_id, status, paused, step, reason, rev, due_at, started_at, updated_at)
VALUES ('moved', 'sga_b', 's', 1, 'k', 'o-1', 'RUNNING', 1, 'pay', NULL, 3, 9, 7, 8), ('moved', 'sga_a', 's', 1, 'k', NULL, 'STUCK', 0, NULL, 'why', 2, NULL, 8, 9)`;

/** The database as it was made first. */
async function startOver(): Promise<void> {
  const tables = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
  ).all<{ name: string }>();
  await env.DB.batch(tables.results.map(({ name }) => env.DB.prepare(`DROP TABLE ${name}`)));
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS.slice(0, 1));
}

/** What the first release wrote of an event: its row, a delivery that is tried again, a copy. */
function writtenBefore(first: (typeof firsts)[number]): D1PreparedStatement[] {
  const { id, tenant, source, type, receipt, receivedAtMs, pointer } = first;
  return [
    env.DB.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, 1, 'token', 2, ?, ?, ?)").bind(
      ...[id, tenant, source, type, receipt, receivedAtMs],
      ...[pointer.segment, pointer.offset, pointer.length],
    ),
    env.DB.prepare(
      `INSERT INTO deliveries (tenant, received_at, event, subscription, rule, target, priority, source, type,
                               state, attempts, due_at, log)
       VALUES (?, ?, ?, 's1', 'all', 'sink', 'normal', ?, ?, 'retrying', 3, 5, '[{"number":3}]')`,
    ).bind(tenant, receivedAtMs, id, source, type),
    env.DB.prepare("INSERT INTO duplicates VALUES (?, 'rcp_copy', ?, 'duplicate')").bind(
      id,
      receivedAtMs,
    ),
  ];
}

beforeAll(async () => {
  await startOver();
  await env.DB.batch([
    ...firsts.flatMap(writtenBefore),
    ...[CONFIGURATION, TENANTS].map((sql) => env.DB.prepare(sql)),
  ]);
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS.slice(0, 10));
  await env.DB.batch([INSTANCES, SAGA].map((sql) => env.DB.prepare(sql)));
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
});

describe("rows that were written before there were generations", () => {
  it("stand in the slots where the ledger looks for them", async () => {
    expect(new Set(firsts.map(({ receivedAtMs }) => slotOf(receivedAtMs))).size).toBe(SLOTS.length);
    const agains = firsts.map((first) => againOf(first, { attempts: 3 }));
    expect(await dueOf(ledger, "moved")).toHaveLength(firsts.length);
    expect((await claim(ledger, freshToken(), { agains })).agains.size).toBe(firsts.length);
  });

  it("are owned as before, so that a copy is refused", async () => {
    for (const { id, receipt } of firsts) {
      const copy = firstOf({ tenant: "moved", id });
      const answer = await claim(ledger, freshToken(), { firsts: [copy] });
      expect(answer.firsts.get(firstKey(copy))).toEqual({ kind: "duplicate", owner: receipt });
    }
  });

  it("are listed newest first, each with its attempts and its copies", async () => {
    const history = createHistory(session);
    const { items } = await history.events("moved", RANGE, null, 10);
    expect(items.map(({ id }) => id)).toEqual(firsts.map(({ id }) => id));
    for (const { id } of firsts) {
      const event = await history.event("moved", id);
      expect(event?.duplicates).toMatchObject([{ receipt: "rcp_copy" }]);
      expect(event?.deliveries).toMatchObject([{ attempts: 3, log: [{ number: 3 }] }]);
    }
  });

  it("leave each rule with the version that it had", async () => {
    const rows = await env.DB.prepare("SELECT * FROM rule_versions").all();
    const version = { tenant: "moved", id: "all", version: 7, doc: '{"d":1}', changed_at: 5 };
    expect(rows.results).toEqual([version]);
  });

  it("leave each tenant with the number of its rules", async () => {
    const rows = await env.DB.prepare("SELECT id, rules FROM tenants ORDER BY id").all();
    expect(rows.results).toEqual([
      { id: "moved", rules: 1 },
      { id: "without", rules: 0 },
    ]);
  });

  it("leave each saga with the version that it had", async () => {
    const rows = await env.DB.prepare("SELECT * FROM saga_versions").all();
    const version = {
      tenant: "moved",
      id: "order",
      version: 8,
      doc: '{"steps":[]}',
      changed_at: 6,
    };
    expect(rows.results).toEqual([version]);
  });

  it("leave every instance of a saga where it is found", async () => {
    const sagas = createSagaDirectory(session);
    const { items } = await sagas.list("moved", {}, null, 10);
    expect(items).toMatchObject([
      { id: "sga_a", status: "STUCK", reason: "why", dueAtMs: null },
      { id: "sga_b", correlationId: "o-1", paused: true, step: "pay", rev: 3, startedAtMs: 7 },
    ]);
    expect(await sagas.overdue(10, 10)).toMatchObject([{ id: "sga_b", startedAtMs: 7 }]);
  });

  it("leave no table behind", async () => {
    await expect(env.DB.prepare("SELECT 1 FROM events").all()).rejects.toThrow("no such table");
  });
});
