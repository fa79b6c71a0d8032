/** The queues in memory: messages that come again until they are acknowledged. */
import { Invariant, Retryable } from "../../src/core/errors.ts";
import { PACK_BYTES_MAX } from "../../src/core/limits.ts";
import { CONSUMER_SETTINGS } from "../../src/core/queue-settings.ts";
import type { QueueRole } from "../../src/flows/deliver-batch.ts";
import type { QueueMessage } from "../../src/flows/open-messages.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Queues } from "../../src/ports/queues.ts";

export interface Kept {
  readonly id: string;
  readonly body: Uint8Array;
  attempts: number;
  readonly sentAtMs: number;
  /** Handed to a consumer, or delayed, until then. */
  visibleAtMs: number;
}

export interface MemoryQueues extends Queues {
  readonly kept: Readonly<Record<QueueRole, Map<string, Kept>>>;
  /** While set, nothing is taken. */
  refuses: boolean;
  /** Messages that are due; each stays until it is acked and comes again when retried. */
  take(role: QueueRole, count: number): QueueMessage[];
}

/** Longer than any batch is worked on: a message whose consumer died comes again after it. */
const VISIBILITY_MS = 900_000;

export interface MemoryQueuesOptions {
  /** Told of every message that will be there to take, and when. */
  readonly onVisible?: (role: QueueRole, atMs: number) => void;
  /** Times a message comes again before it goes to the dead queue. */
  readonly retriesMax?: number;
}

export function createMemoryQueues(
  clock: Clock,
  {
    onVisible = () => {},
    retriesMax = CONSUMER_SETTINGS.normal.maxRetries,
  }: MemoryQueuesOptions = {},
): MemoryQueues {
  const empty = () => new Map<string, Kept>();
  const queues = {
    ...{ critical: empty(), normal: empty(), bulk: empty(), replay: empty(), dead: empty() },
  };
  let last = 0;

  function show(role: QueueRole, message: Kept, atMs: number): void {
    message.visibleAtMs = atMs;
    onVisible(role, atMs);
  }

  /** Those that came too often leave for the dead queue. */
  function bury(role: QueueRole): void {
    if (role === "dead") return;
    for (const message of queues[role].values()) {
      if (message.attempts <= retriesMax || message.visibleAtMs > clock.nowMs()) continue;
      queues[role].delete(message.id);
      const dead = { ...message, attempts: 0 };
      queues.dead.set(message.id, dead);
      show("dead", dead, clock.nowMs());
    }
  }

  return {
    kept: queues,
    refuses: false,

    async send(priority, packs, delaySeconds = 0) {
      if (this.refuses) throw new Retryable(`queue ${priority} did not take the packs`);
      const tooBig = packs.find(({ length }) => length > PACK_BYTES_MAX);
      if (tooBig !== undefined) throw new Invariant(`a pack of ${tooBig.length} bytes`);
      for (const body of packs) {
        last += 1;
        const id = `message-${last}`;
        const sentAtMs = clock.nowMs();
        const visibleAtMs = sentAtMs + delaySeconds * 1_000;
        queues[priority].set(id, { id, body: body.slice(), attempts: 0, sentAtMs, visibleAtMs });
        onVisible(priority, visibleAtMs);
      }
    },

    async metrics(priority) {
      const messages = [...queues[priority].values()];
      return {
        backlog: messages.length,
        backlogBytes: messages.reduce((sum, { body }) => sum + body.length, 0),
        oldestMessageMs: null,
      };
    },

    take(role, count) {
      bury(role);
      const due = [...queues[role].values()].filter(
        ({ visibleAtMs }) => visibleAtMs <= clock.nowMs(),
      );
      return due.slice(0, count).map((message) => {
        message.attempts += 1;
        show(role, message, clock.nowMs() + VISIBILITY_MS);
        return {
          id: message.id,
          body: message.body,
          attempts: message.attempts,
          sentAtMs: message.sentAtMs,
          ack: () => void queues[role].delete(message.id),
          retry: (delaySeconds) => show(role, message, clock.nowMs() + delaySeconds * 1_000),
        };
      });
    },
  };
}
