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

function createRows(storage: DurableObjectStorage): OutboxRows {
  const { sql } = storage;
  sql.exec(`
    CREATE TABLE IF NOT EXISTS packs (
      id INTEGER PRIMARY KEY, shard INTEGER NOT NULL, priority TEXT NOT NULL,
      pack BLOB NOT NULL, created_at INTEGER NOT NULL, resend_at INTEGER NOT NULL)`);
  const one = (query: string): number | null => sql.exec<{ it: number | null }>(query).one().it;
  let count = one("SELECT COUNT(*) AS it FROM packs") ?? 0;
  const nextId = createRowNumbers(sql, one("SELECT MAX(id) AS it FROM packs") ?? 0);
  return {
    count: () => count,
    add(shard, priority, pack, nowMs, dueMs) {
      const id = nextId();
      counted(
        sql,
        `INSERT INTO packs (id, shard, priority, pack, created_at, resend_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
        ...[id, shard, priority, pack, nowMs, dueMs],
      );
      count += 1;
      return id;
    },
    remove(rows) {
      count -= counted(
        sql,
        "DELETE FROM packs WHERE id IN (SELECT value FROM json_each(?1)) RETURNING id",
        JSON.stringify(rows),
      ).length;
    },
    due: (nowMs, most) =>
      sql
        .exec<PackRow>(
          `SELECT id, shard, priority, pack FROM packs WHERE resend_at <= ?1
           ORDER BY CASE priority WHEN 'critical' THEN 0 WHEN 'normal' THEN 1 ELSE 2 END, id LIMIT ?2`,
          ...[nowMs, most],
        )
        .toArray()
        .map(({ id, shard, priority, pack }) => {
          return { origin: { shard, row: id }, priority, pack: new Uint8Array(pack) };
        }),
    setDue(rows, dueMs) {
      if (rows === "all") counted(sql, "UPDATE packs SET resend_at = ?1", dueMs);
      else {
        counted(
          sql,
          "UPDATE packs SET resend_at = ?1 WHERE id IN (SELECT value FROM json_each(?2))",
          ...[dueMs, JSON.stringify(rows)],
        );
      }
    },
    nextDueMs: () => one("SELECT MIN(resend_at) AS it FROM packs"),
    oldestMs: () => one("SELECT MIN(created_at) AS it FROM packs"),
    alarmMs: () => storage.getAlarm(),
    setAlarm: (atMs) => setAlarm(storage, atMs),
  };
}
