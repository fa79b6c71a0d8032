/** A shard of the outbox: its rows and its alarm. What it does with them is `flows/outbox-shard.ts`. */
import { DurableObject } from "cloudflare:workers";
import { composeOutbox } from "../src/compose.ts";
import type { Priority } from "../src/core/priority.ts";
import type { Env } from "../src/env.ts";
import { createOutboxShard, type OutboxShard } from "../src/flows/outbox-shard.ts";
import type { OutboxState } from "../src/ports/outbox.ts";
import type { OutboxRows } from "../src/ports/outbox-rows.ts";
import { counted, setAlarm } from "./counted.ts";
import { createRowNumbers } from "./row-numbers.ts";

type PackRow = { id: number; shard: number; priority: Priority; pack: ArrayBuffer };

export class Outbox extends DurableObject<Env> {
  readonly #shard: OutboxShard;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#shard = createOutboxShard({
      ...composeOutbox(env),
      rows: createRows(state.storage),
      defer: (work) => state.waitUntil(work),
    });
  }

  /** The answer leaves only after the rows are durable: the runtime holds it back until then. */
  put(shard: number, priority: Priority, packs: Uint8Array[]): Promise<boolean> {
    return this.#shard.put(shard, priority, packs);
  }

  settled(rows: number[]): void {
    this.#shard.settled(rows);
  }

  recover(): Promise<void> {
    return this.#shard.recover();
  }

  wake(): Promise<number> {
    return this.#shard.relay();
  }

  state(): OutboxState {
    return this.#shard.state();
  }

  override async alarm(): Promise<void> {
    await this.#shard.relay();
  }
}

/** Of objects that kept packs before: its rows go as they are settled, and it when it is found empty. */
const OLD = "packs";

/** The pack comes last: what follows it in a row is reached only through all of its pages. */
const CREATE = `
  CREATE TABLE IF NOT EXISTS kept_packs (
    id INTEGER PRIMARY KEY, shard INTEGER NOT NULL, priority TEXT NOT NULL,
    created_at INTEGER NOT NULL, resend_at INTEGER NOT NULL, pack BLOB NOT NULL)`;

/** The tables that have rows, or take them. */
function openTables(sql: SqlStorage): readonly string[] {
  sql.exec(CREATE);
  const old = sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", OLD);
  if (old.toArray().length === 0) return ["kept_packs"];
  if (sql.exec(`SELECT 1 FROM ${OLD} LIMIT 1`).toArray().length > 0) return ["kept_packs", OLD];
  sql.exec(`DROP TABLE ${OLD}`);
  return ["kept_packs"];
}

function createRows(storage: DurableObjectStorage): OutboxRows {
  const { sql } = storage;
  const tables = openTables(sql);
  const least = (values: readonly (number | null)[]): number | null =>
    values.reduce((one, other) => (one === null || (other ?? one) < one ? other : one), null);
  const ofEach = (what: string): (number | null)[] =>
    tables.map(
      (table) => sql.exec<{ it: number | null }>(`SELECT ${what} AS it FROM ${table}`).one().it,
    );
  let count = ofEach("COUNT(*)").reduce((sum: number, rows) => sum + (rows ?? 0), 0);
  const nextId = createRowNumbers(sql, Math.max(...ofEach("MAX(id)").map((id) => id ?? 0)));
  const dueOf = (table: string): string =>
    `SELECT id, shard, priority, pack FROM ${table} WHERE resend_at <= ?1`;
  return {
    count: () => count,
    add(shard, priority, pack, nowMs, dueMs) {
      const id = nextId();
      counted(
        sql,
        `INSERT INTO kept_packs (id, shard, priority, created_at, resend_at, pack)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
        ...[id, shard, priority, nowMs, dueMs, pack],
      );
      count += 1;
      return id;
    },
    remove(rows) {
      for (const table of tables) {
        count -= counted(
          sql,
          `DELETE FROM ${table} WHERE id IN (SELECT value FROM json_each(?1)) RETURNING id`,
          JSON.stringify(rows),
        ).length;
      }
    },
    due: (nowMs, most) =>
      sql
        .exec<PackRow>(
          `SELECT * FROM (${tables.map(dueOf).join(" UNION ALL ")})
           ORDER BY CASE priority WHEN 'critical' THEN 0 WHEN 'normal' THEN 1 ELSE 2 END, id LIMIT ?2`,
          ...[nowMs, most],
        )
        .toArray()
        .map(({ id, shard, priority, pack }) => {
          return { origin: { shard, row: id }, priority, pack: new Uint8Array(pack) };
        }),
    setDue(rows, dueMs) {
      for (const table of tables) {
        if (rows === "all") counted(sql, `UPDATE ${table} SET resend_at = ?1`, dueMs);
        else {
          counted(
            sql,
            `UPDATE ${table} SET resend_at = ?1 WHERE id IN (SELECT value FROM json_each(?2))`,
            ...[dueMs, JSON.stringify(rows)],
          );
        }
      }
    },
    nextDueMs: () => least(ofEach("MIN(resend_at)")),
    oldestMs: () => least(ofEach("MIN(created_at)")),
    alarmMs: () => storage.getAlarm(),
    setAlarm: (atMs) => setAlarm(storage, atMs),
  };
}
