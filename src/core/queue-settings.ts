/** Consumer settings per queue, as wrangler.toml has them; the tidy test compares the two. */
import type { QueueName } from "./priority.ts";

export interface ConsumerSettings {
  readonly maxBatchSize: number;
  readonly maxBatchTimeout: number;
  readonly maxRetries: number;
  readonly maxConcurrency: number;
}

/** Critical: small batches at once. Bulk: large ones, after a short wait for company. Replay: few at once. */
export const CONSUMER_SETTINGS = {
  critical: { maxBatchSize: 10, maxBatchTimeout: 0, maxRetries: 100, maxConcurrency: 50 },
  normal: { maxBatchSize: 25, maxBatchTimeout: 0, maxRetries: 100, maxConcurrency: 20 },
  bulk: { maxBatchSize: 100, maxBatchTimeout: 1, maxRetries: 100, maxConcurrency: 10 },
  replay: { maxBatchSize: 10, maxBatchTimeout: 1, maxRetries: 100, maxConcurrency: 2 },
} as const satisfies Record<QueueName, ConsumerSettings>;
