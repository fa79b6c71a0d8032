/** The outbox's one shard: rows and an alarm that last, and an object over them that may die at any time. */
import { platformText } from "../../src/adapters/crypto.ts";
import { shardOf } from "../../src/core/enqueue/shard.ts";
import { Retryable } from "../../src/core/errors.ts";
import type { QueueName } from "../../src/core/priority.ts";
import { createOutboxShard, type OutboxShard } from "../../src/flows/outbox-shard.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Outbox } from "../../src/ports/outbox.ts";
import type { Queues } from "../../src/ports/queues.ts";
import { createMemoryOutboxRows, type MemoryOutboxRows } from "../support/memory-outbox.ts";
import { createLife, type Life } from "./life.ts";
import type { Scheduler } from "./scheduler.ts";

export interface SimulatedOutbox {
  /** What callers reach: the object that lives now. */
  readonly outbox: Outbox;
  readonly rows: MemoryOutboxRows["rows"];
  /** The platform rings the alarm, if one is armed. */
  ring(): void;
  isObject(life: Life): boolean;
  diedAtMs(): number;
  /** The object is gone; the next call starts it anew. */
  kill(): void;
}

export function createSimulatedOutbox(
  scheduler: Scheduler,
  queuesOf: (life: Life) => Pick<Queues, "send">,
  pausedQueues: (life: Life) => Promise<ReadonlySet<QueueName>>,
  log: Log,
  onArmed: (atMs: number) => void,
): SimulatedOutbox {
  const rows = createMemoryOutboxRows();
  const storage = {
    ...rows,
    async setAlarm(atMs: number) {
      await rows.setAlarm(atMs);
      onArmed(atMs);
    },
  };
  let life: Life;
  let shard: OutboxShard;
  let diedAtMs = Number.NEGATIVE_INFINITY;
  let death = Promise.withResolvers<never>();

  function start(): void {
    death = Promise.withResolvers();
    death.promise.catch(() => {});
    life = createLife("outbox", scheduler);
    shard = createOutboxShard({
      ...{ clock: life.clock, log, rows: storage, text: platformText, queues: queuesOf(life) },
      pausedQueues: () => pausedQueues(life),
      defer: (work) => void work.catch(() => {}),
    });
  }
  start();

  /** Whoever waits for an object that dies hears so. */
  function reach<T>(work: () => Promise<T>): Promise<T> {
    const { promise } = death;
    return Promise.race([work(), promise]);
  }

  return {
    rows: rows.rows,
    outbox: {
      shardOf: (tenant) => shardOf(tenant, 0, 1),
      put: (at, priority, packs) => reach(() => shard.put(at, priority, packs)),
      settled: async (origins) => shard.settled(origins.map(({ row }) => row)),
      recover: () => reach(() => shard.recover()),
      wake: () => reach(() => shard.relay()),
      state: async () => shard.state(),
    },
    ring() {
      const armed = rows.armedMs;
      if (armed === null || armed > scheduler.nowMs()) return;
      rows.disarm();
      void shard.relay();
    },
    isObject: (other) => other === life,
    diedAtMs: () => diedAtMs,
    kill() {
      diedAtMs = scheduler.nowMs();
      life.kill();
      death.reject(new Retryable("Network connection lost."));
      start();
    },
  };
}
