/**
 * Cloudflare Queues, one per priority and one for replays. Sizes are checked before: the platform's own errors
 * say little.
 */
import { createDelayedMessages } from "../core/enqueue/delayed.ts";
import { groupBySize } from "../core/enqueue/pack.ts";
import { Invariant, Retryable } from "../core/errors.ts";
import { DELAYED_MESSAGES_MAX, PACK_BYTES_MAX, QUEUE_BATCH_BYTES_MAX } from "../core/limits.ts";
import type { QueueName } from "../core/priority.ts";
import type { Meter } from "../ports/meter.ts";
import type { Queues } from "../ports/queues.ts";

/** Metadata that counts towards a batch's size, per message (Cloudflare Queues limits). */
const MESSAGE_OVERHEAD_BYTES = 100;

export function createQueues(
  bindings: Readonly<Record<QueueName, Queue<Uint8Array>>>,
  meter: Meter,
): Queues {
  const counted = () => createDelayedMessages(DELAYED_MESSAGES_MAX);
  const delayed = { critical: counted(), normal: counted(), bulk: counted(), replay: counted() };

  return {
    async send(queue, packs, delaySeconds = 0) {
      const tooBig = packs.find((pack) => pack.length > PACK_BYTES_MAX);
      if (tooBig !== undefined) throw new Invariant(`a pack of ${tooBig.length} bytes`);
      if (delaySeconds > 0 && !delayed[queue].take(packs.length, delaySeconds, Date.now())) {
        throw new Retryable(`as many messages as may wait in queue ${queue}`);
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
            await bindings[queue].send(only, { contentType: "bytes", delaySeconds });
          } else {
            await bindings[queue].sendBatch(
              batch.map((body) => ({ body, contentType: "bytes", delaySeconds })),
            );
          }
        } catch (error) {
          throw new Retryable(`queue ${queue} did not take the packs`, 2_000, { cause: error });
        }
      }
    },

    async metrics(queue) {
      const metrics = await bindings[queue].metrics();
      return {
        backlog: metrics.backlogCount,
        backlogBytes: metrics.backlogBytes,
        oldestMessageMs: metrics.oldestMessageTimestamp?.getTime() ?? null,
      };
    },
  };
}
