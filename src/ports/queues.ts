/** The queues: one per priority, and one for replays. */
import type { QueueName } from "../core/priority.ts";

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
  send(queue: QueueName, packs: readonly Uint8Array[], delaySeconds?: number): Promise<void>;
  /** What the platform says of a queue now; delayed messages may not be counted. */
  metrics(queue: QueueName): Promise<QueueMetrics>;
}
