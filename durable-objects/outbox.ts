/**
 * A shard of the outbox: packs that a queue refused, or that must outlive a queue which keeps its
 * messages in memory. A row stays until the consumer says that its events are settled; alarms send
 * again what is not. The queue is only the messenger, the row is the truth.
 */
import { DurableObject } from "cloudflare:workers";
import { composeOutbox, type OutboxParts } from "../src/compose.ts";
import { withOrigin } from "../src/core/enqueue/pack.ts";
import { OUTBOX_RESEND_MS, OUTBOX_ROWS_MAX } from "../src/core/limits.ts";
import type { Priority } from "../src/core/priority.ts";
import type { Env } from "../src/env.ts";
import { errorText } from "../src/ports/log.ts";
import type { OutboxState } from "../src/ports/outbox.ts";

/** Rows one alarm sends again: about 4 MB; what is left follows in the next. */
const RESEND_PAGE = 64;
/** Pause before the next alarm while more is left; never "now", which loses the alarm. */
const RESEND_PAUSE_MS = 250;
/** Pause after a queue refused. */
const REFUSED_PAUSE_MS = 5_000;

/** A row's pack as it is sent: it names the row. */
interface Kept {
  readonly id: number;
  readonly bytes: Uint8Array;
}

type PackRow = { id: number; shard: number; priority: Priority; pack: ArrayBuffer };

export class Outbox extends DurableObject<Env> {
  readonly #sql: SqlStorage;
  readonly #parts: OutboxParts;
  #rows: number;
  /** When the armed alarm fires; kept in memory so that most puts need not ask the storage. */
  #alarmAtMs: number | null = null;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#sql = state.storage.sql;
    this.#parts = composeOutbox(env);
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS packs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, shard INTEGER NOT NULL, priority TEXT NOT NULL,
        pack BLOB NOT NULL, created_at INTEGER NOT NULL, resend_at INTEGER NOT NULL)`);
    this.#rows = this.#sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM packs").one().n;
  }

  /**
   * Keeps the packs and hands them to the queue. The answer leaves only after the rows are durable (the
   * runtime holds it back until then); false when the shard is full and nothing was kept.
   */
  async put(shard: number, priority: Priority, packs: Uint8Array[]): Promise<boolean> {
    if (this.#rows + packs.length > OUTBOX_ROWS_MAX) return false;
    const now = Date.now();
    const kept = packs.map((pack): Kept => {
      const { id } = this.#sql
        .exec<{ id: number }>(
          `INSERT INTO packs (shard, priority, pack, created_at, resend_at)
           VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id`,
          shard,
          priority,
          pack,
          now,
          now + OUTBOX_RESEND_MS,
        )
        .one();
      return { id, bytes: withOrigin(pack, { shard, row: id }, this.#parts.text) };
    });
    this.#rows += packs.length;
    await this.#arm(now + OUTBOX_RESEND_MS);
    this.ctx.waitUntil(this.#handOn(priority, kept));
    return true;
  }

  settled(rows: number[]): void {
    this.#rows -= this.#sql
      .exec(
        "DELETE FROM packs WHERE id IN (SELECT value FROM json_each(?1)) RETURNING id",
        JSON.stringify(rows),
      )
      .toArray().length;
  }

  /** Everything kept is sent again at once: the queue that held it is known to have lost it. */
  async recover(): Promise<void> {
    this.#sql.exec("UPDATE packs SET resend_at = 0");
    if (this.#rows > 0) await this.#arm(Date.now() + 1);
  }

  state(): OutboxState {
    const { oldest } = this.#sql
      .exec<{ oldest: number | null }>("SELECT MIN(created_at) AS oldest FROM packs")
      .one();
    return { rows: this.#rows, oldestMs: oldest };
  }

  /** Never throws: an alarm that throws is dropped by the platform after a few tries. */
  override async alarm(): Promise<void> {
    this.#alarmAtMs = null;
    try {
      const now = Date.now();
      const due = this.#sql
        .exec<PackRow>(
          "SELECT id, shard, priority, pack FROM packs WHERE resend_at <= ?1 ORDER BY id LIMIT ?2",
          now,
          RESEND_PAGE,
        )
        .toArray();
      const { text } = this.#parts;
      for (const [priority, rows] of Map.groupBy(due, (row) => row.priority)) {
        const kept = rows.map(({ id, shard, pack }): Kept => {
          return { id, bytes: withOrigin(new Uint8Array(pack), { shard, row: id }, text) };
        });
        this.#putOff(kept, OUTBOX_RESEND_MS);
        await this.#handOn(priority, kept);
      }
    } catch (error) {
      this.#parts.log.error("outbox-alarm-failed", { error: errorText(error) });
    }
    const { next } = this.#sql
      .exec<{ next: number | null }>("SELECT MIN(resend_at) AS next FROM packs")
      .one();
    if (next !== null) await this.#arm(Math.max(next, Date.now() + RESEND_PAUSE_MS));
  }

  /** Arms the alarm unless an earlier one is armed. */
  async #arm(atMs: number): Promise<void> {
    const armed = this.#alarmAtMs ?? (await this.ctx.storage.getAlarm());
    if (armed !== null && armed <= atMs && armed > Date.now()) {
      this.#alarmAtMs = armed;
      return;
    }
    this.#alarmAtMs = atMs;
    await this.ctx.storage.setAlarm(atMs);
  }

  /** To the queue; what it refuses comes back with an early alarm. */
  async #handOn(priority: Priority, kept: readonly Kept[]): Promise<void> {
    try {
      await this.#parts.queues.send(
        priority,
        kept.map(({ bytes }) => bytes),
      );
    } catch (error) {
      this.#parts.log.warn("outbox-send-failed", { priority, error: errorText(error) });
      this.#putOff(kept, REFUSED_PAUSE_MS);
      await this.#arm(Date.now() + REFUSED_PAUSE_MS);
    }
  }

  #putOff(kept: readonly Kept[], byMs: number): void {
    this.#sql.exec(
      "UPDATE packs SET resend_at = ?1 WHERE id IN (SELECT value FROM json_each(?2))",
      Date.now() + byMs,
      JSON.stringify(kept.map(({ id }) => id)),
    );
  }
}
