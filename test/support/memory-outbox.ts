/** The outbox in memory: the real shard's logic over rows and an alarm that outlive the isolate. */
import type { Text } from "../../src/core/crypto.ts";
import { shardOf } from "../../src/core/enqueue/shard.ts";
import { PRIORITIES, type Priority } from "../../src/core/priority.ts";
import {
  createOutboxShard,
  type OutboxShard,
  type OutboxShardPorts,
} from "../../src/flows/outbox-shard.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Outbox } from "../../src/ports/outbox.ts";
import type { OutboxRows } from "../../src/ports/outbox-rows.ts";
import type { Queues } from "../../src/ports/queues.ts";

export interface Row {
  readonly shard: number;
  readonly priority: Priority;
  readonly pack: Uint8Array;
  readonly createdAtMs: number;
  dueAtMs: number;
}

export interface MemoryOutboxRows extends OutboxRows {
  readonly rows: Map<number, Row>;
  /** When the armed alarm rings. */
  readonly armedMs: number | null;
  /** The alarm is taken, as the platform takes it before it calls. */
  disarm(): void;
}

export function createMemoryOutboxRows(): MemoryOutboxRows {
  const rows: MemoryOutboxRows["rows"] = new Map();
  let last = 0;
  let alarm: number | null = null;
  const least = (values: readonly number[]) => (values.length === 0 ? null : Math.min(...values));
  const urgency = ([id, { priority }]: [number, Row]) => PRIORITIES.indexOf(priority) * 1e9 + id;
  return {
    rows,
    count: () => rows.size,
    add(shard, priority, pack, nowMs, dueAtMs) {
      last += 1;
      rows.set(last, { shard, priority, pack: pack.slice(), createdAtMs: nowMs, dueAtMs });
      return last;
    },
    remove(ids) {
      for (const id of ids) rows.delete(id);
    },
    due: (nowMs, count) =>
      [...rows]
        .filter(([, { dueAtMs }]) => dueAtMs <= nowMs)
        .sort((a, b) => urgency(a) - urgency(b))
        .slice(0, count)
        .map(([row, { shard, priority, pack }]) => ({ origin: { shard, row }, priority, pack })),
    setDue(ids, dueAtMs) {
      for (const [id, row] of rows) if (ids === "all" || ids.includes(id)) row.dueAtMs = dueAtMs;
    },
    nextDueMs: () => least([...rows.values()].map(({ dueAtMs }) => dueAtMs)),
    oldestMs: () => least([...rows.values()].map(({ createdAtMs }) => createdAtMs)),
    get armedMs() {
      return alarm;
    },
    disarm() {
      alarm = null;
    },
    alarmMs: async () => alarm,
    async setAlarm(atMs) {
      alarm = atMs;
    },
  };
}

export interface MemoryOutbox extends Outbox {
  /** Of the only shard. */
  readonly rows: Map<number, Row>;
}

/** One shard whose alarms never ring: what they would do, `wake` and `recover` do. */
export function createMemoryOutbox(
  clock: Clock,
  queues: Queues,
  text: Text,
  log: Log,
  pausedQueues: OutboxShardPorts["pausedQueues"] = async () => new Set(),
): MemoryOutbox {
  const rows = createMemoryOutboxRows();
  const defer = (work: Promise<void>): void => void work.catch(() => {});
  const shard: OutboxShard = createOutboxShard({
    ...{ clock, log, queues, rows, text, defer, pausedQueues },
  });
  return {
    rows: rows.rows,
    shardOf: (tenant) => shardOf(tenant, 0, 1),
    put: (at, priority, packs) => shard.put(at, priority, packs),
    settled: async (origins) => shard.settled(origins.map(({ row }) => row)),
    recover: () => shard.recover(),
    wake: () => shard.relay(),
    state: async () => shard.state(),
  };
}
