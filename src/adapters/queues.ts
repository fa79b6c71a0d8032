/** Cloudflare Queues, one per priority. Sizes are checked before: the platform's own errors say little. */
import { createDelayedMessages } from "../core/enqueue/delayed.ts";
import { groupBySize } from "../core/enqueue/pack.ts";
import { Invariant, Retryable } from "../core/errors.ts";
import { DELAYED_MESSAGES_MAX, PACK_BYTES_MAX, QUEUE_BATCH_BYTES_MAX } from "../core/limits.ts";
import type { Priority } from "../core/priority.ts";
import type { Meter } from "../ports/meter.ts";
import type { Queues } from "../ports/queues.ts";

/** Metadata that counts towards a batch's size, per message (Cloudflare Queues limits). */
const MESSAGE_OVERHEAD_BYTES = 100;

export function createQueues(
  bindings: Readonly<Record<Priority, Queue<Uint8Array>>>,
  meter: Meter,
): Queues {
  const counted = () => createDelayedMessages(DELAYED_MESSAGES_MAX);
  const delayed = { critical: counted(), normal: counted(), bulk: counted() };

  return {
    async send(priority, packs, delaySeconds = 0) {
      const tooBig = packs.find((pack) => pack.length > PACK_BYTES_MAX);
      if (tooBig !== undefined) throw new Invariant(`a pack of ${tooBig.length} bytes`);
      if (delaySeconds > 0 && !delayed[priority].take(packs.length, delaySeconds, Date.now())) {
        throw new Retryable(`as many messages as may wait in queue ${priority}`);
      }
      const batches = groupBySize(
        packs,
        (pack) => pack.length + MESSAGE_OVERHEAD_BYTES,
        QUEUE_BATCH_BYTES_MAX,
      );
      for (const batch of batches) {
        meter.add("queue_sends");
        meter.add("queue_messages", batch.length);
        try {
          const [only] = batch;
          if (batch.length === 1 && only !== undefined) {
            await bindings[priority].send(only, { contentType: "bytes", delaySeconds });
          } else {
            await bindings[priority].sendBatch(
              batch.map((body) => ({ body, contentType: "bytes", delaySeconds })),
            );
          }
        } catch (error) {
          throw new Retryable(`queue ${priority} did not take the packs`, 2_000, { cause: error });
        }
      }
    },

    async metrics(priority) {
      const metrics = await bindings[priority].metrics();
      return {
        backlog: metrics.backlogCount,
        backlogBytes: metrics.backlogBytes,
        oldestMessageMs: metrics.oldestMessageTimestamp?.getTime() ?? null,
      };
    },
  };
}
