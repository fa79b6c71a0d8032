/** The outbox in memory: a row stays until it is settled, the queue is only its messenger. */
import type { Text } from "../../src/core/crypto.ts";
import { withOrigin } from "../../src/core/enqueue/pack.ts";
import type { Priority } from "../../src/core/priority.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Outbox } from "../../src/ports/outbox.ts";
import type { Queues } from "../../src/ports/queues.ts";

export interface Row {
  readonly priority: Priority;
  readonly pack: Uint8Array;
  readonly createdAtMs: number;
}

export interface MemoryOutbox extends Outbox {
  readonly rows: Map<number, Row>;
}

const SHARD = 0;

export function createMemoryOutbox(clock: Clock, queues: Queues, text: Text): MemoryOutbox {
  const rows: MemoryOutbox["rows"] = new Map();
  let last = 0;

  /** A refusal of the queue is no failure of the outbox: the row is sent again later. */
  function handOn(row: number, { priority, pack }: Row): Promise<void> {
    const bytes = withOrigin(pack, { shard: SHARD, row }, text);
    return queues.send(priority, [bytes]).catch(() => {});
  }

  return {
    rows,
    async put(priority, packs) {
      for (const pack of packs) {
        last += 1;
        const row = { priority, pack: pack.slice(), createdAtMs: clock.nowMs() };
        rows.set(last, row);
        void handOn(last, row);
      }
    },
    async settled(origins) {
      for (const { row } of origins) rows.delete(row);
    },
    async recover() {
      for (const [id, row] of rows) await handOn(id, row);
    },
    async state() {
      const created = [...rows.values()].map(({ createdAtMs }) => createdAtMs);
      return { rows: rows.size, oldestMs: created.length === 0 ? null : Math.min(...created) };
    },
  };
}
