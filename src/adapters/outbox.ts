/** The outbox: packs in Durable Objects, sharded by chance so that no shard is hot. */
import type { Origin } from "../core/enqueue/pack.ts";
import { Retryable } from "../core/errors.ts";
import type { Priority } from "../core/priority.ts";
import type { Random } from "../ports/clock.ts";
import type { Meter } from "../ports/meter.ts";
import type { Outbox, OutboxState } from "../ports/outbox.ts";

export interface OutboxRpc extends Rpc.DurableObjectBranded {
  /** False when the shard is full. */
  put(shard: number, priority: Priority, packs: Uint8Array[]): Promise<boolean>;
  settled(rows: number[]): Promise<void>;
  recover(): Promise<void>;
  state(): Promise<OutboxState>;
}

export function createOutbox(
  namespace: DurableObjectNamespace<OutboxRpc>,
  shards: number,
  random: Random,
  meter: Meter,
): Outbox {
  const shardOf = (shard: number) => {
    meter.add("durable_object_calls");
    return namespace.getByName(`shard-${shard}`);
  };
  const every = Array.from({ length: shards }, (_, shard) => shard);
  return {
    async put(priority, packs) {
      const shard = Math.floor(random.unit() * shards);
      meter.add("outbox_rows", packs.length);
      if (!(await shardOf(shard).put(shard, priority, [...packs]))) {
        throw new Retryable("the outbox is full", 5_000);
      }
    },
    async settled(origins) {
      const byShard = Map.groupBy(origins, (origin: Origin) => origin.shard);
      await Promise.all(
        [...byShard].map(([shard, rows]) => shardOf(shard).settled(rows.map(({ row }) => row))),
      );
    },
    async recover() {
      await Promise.all(every.map((shard) => shardOf(shard).recover()));
    },
    async state() {
      const states = await Promise.all(every.map((shard) => shardOf(shard).state()));
      const oldest = states.flatMap((state) => (state.oldestMs === null ? [] : [state.oldestMs]));
      return {
        rows: states.reduce((sum, state) => sum + state.rows, 0),
        oldestMs: oldest.length === 0 ? null : Math.min(...oldest),
      };
    },
  };
}
