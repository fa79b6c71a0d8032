/** The three priority queues. */
import type { Priority } from "../core/priority.ts";

export interface QueueMetrics {
  readonly backlog: number;
  readonly backlogBytes: number;
  readonly oldestMessageMs: number | null;
}

export interface Queues {
  /**
   * Resolves once every pack is durable in the queue. A rejection may come after some or all were
   * taken: whoever sends again must expect duplicates.
   */
  send(priority: Priority, packs: readonly Uint8Array[], delaySeconds?: number): Promise<void>;
  /** What the platform says of a queue now; delayed messages may not be counted. */
  metrics(priority: Priority): Promise<QueueMetrics>;
}
