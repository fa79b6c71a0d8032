/** The outbox: packs in Durable Objects, sharded by tenant. */
import type { Origin } from "../core/enqueue/pack.ts";
import { shardOf } from "../core/enqueue/shard.ts";
import type { Priority } from "../core/priority.ts";
import type { Random } from "../ports/clock.ts";
import type { Meter } from "../ports/meter.ts";
import type { Outbox, OutboxState } from "../ports/outbox.ts";

export interface OutboxRpc extends Rpc.DurableObjectBranded {
  /** False when the shard is full. */
  put(shard: number, priority: Priority, packs: Uint8Array[]): Promise<boolean>;
  settled(rows: number[]): Promise<void>;
  recover(): Promise<void>;
  wake(): Promise<number>;
  state(): Promise<OutboxState>;
}

export function createOutbox(
  namespace: DurableObjectNamespace<OutboxRpc>,
  shards: number,
  random: Random,
  meter: Meter,
): Outbox {
  const object = (shard: number) => {
    meter.add("durable_object_calls");
    return namespace.getByName(`shard-${shard}`);
  };
  const every = Array.from({ length: shards }, (_, shard) => shard);
  return {
    shardOf: (tenant) => shardOf(tenant, random.unit(), shards),
    put(shard, priority, packs) {
      meter.add("outbox_rows", packs.length);
      return object(shard).put(shard, priority, [...packs]);
    },
    async settled(origins) {
      const byShard = Map.groupBy(origins, (origin: Origin) => origin.shard);
      await Promise.all(
        [...byShard].map(([shard, rows]) => object(shard).settled(rows.map(({ row }) => row))),
      );
    },
    async recover() {
      await Promise.all(every.map((shard) => object(shard).recover()));
    },
    async wake() {
      const sent = await Promise.all(every.map((shard) => object(shard).wake()));
      return sent.reduce((sum, packs) => sum + packs, 0);
    },
    async state() {
      const states = await Promise.all(every.map((shard) => object(shard).state()));
      const oldest = states.flatMap((state) => (state.oldestMs === null ? [] : [state.oldestMs]));
      return {
        rows: states.reduce((sum, { rows }) => sum + rows, 0),
        rowsMax: states.reduce((sum, { rowsMax }) => sum + rowsMax, 0),
        oldestMs: oldest.length === 0 ? null : Math.min(...oldest),
      };
    },
  };
}
