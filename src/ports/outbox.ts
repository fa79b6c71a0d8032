/** The second durable store for packs: kept there until they are settled. */
import type { Origin } from "../core/enqueue/pack.ts";
import type { Priority } from "../core/priority.ts";

export interface OutboxState {
  readonly rows: number;
  /** Beyond this many rows, events are refused. */
  readonly rowsMax: number;
  readonly oldestMs: number | null;
}

export interface Outbox {
  /**
   * The shard that takes a tenant's events now: one of a few that are the tenant's, so that neither a
   * busy tenant is bound to one object nor a full one concerns every tenant.
   */
  shardOf(tenant: string): number;
  /** Whether all packs are durable now; false = the shard is full, and nothing was kept. */
  put(shard: number, priority: Priority, packs: readonly Uint8Array[]): Promise<boolean>;
  /** Strikes off rows whose packs are settled; unknown rows are ignored. */
  settled(origins: readonly Origin[]): Promise<void>;
  /** Sends every kept pack again: whoever held them is known to be gone. */
  recover(): Promise<void>;
  /** Sends what is past due although an alarm should have; answers how many packs that were. */
  wake(): Promise<number>;
  state(): Promise<OutboxState>;
}
