/** The second durable store for packs: kept there until they are settled. */
import type { Origin } from "../core/enqueue/pack.ts";
import type { Priority } from "../core/priority.ts";

export interface OutboxState {
  readonly rows: number;
  readonly oldestMs: number | null;
}

export interface Outbox {
  /** Resolves once all packs are durable. Rejects when the store is full or does not answer. */
  put(priority: Priority, packs: readonly Uint8Array[]): Promise<void>;
  /** Strikes off rows whose packs are settled; unknown rows are ignored. */
  settled(origins: readonly Origin[]): Promise<void>;
  /** Sends every kept pack again: whoever held them is known to be gone. */
  recover(): Promise<void>;
  state(): Promise<OutboxState>;
}
