/** The queue door: which queue a batch comes from decides its role, and nothing else is decided here. */
import { deliverBatch, type QueueRole } from "../src/flows/deliver-batch.ts";
import type { QueueMessage } from "../src/flows/open-messages.ts";
import type { DeliverPorts } from "../src/flows/ports.ts";

const ROLES: Readonly<Record<string, QueueRole>> = {
  "signalbox-critical": "critical",
  "signalbox-normal": "normal",
  "signalbox-bulk": "bulk",
  "signalbox-replay": "replay",
  "signalbox-dead": "dead",
};

/** The platform's longest delay of a retried message is a day; ours are far below. */
export async function handleQueue(
  batch: MessageBatch<unknown>,
  ports: DeliverPorts,
): Promise<void> {
  const role = ROLES[batch.queue];
  if (role === undefined) {
    ports.log.error("queue-unknown", { queue: batch.queue, messages: batch.messages.length });
    batch.retryAll({ delaySeconds: 600 });
    return;
  }
  ports.meter.add("queue_batches");
  await deliverBatch(role, batch.messages.map(toMessage), ports);
}

function toMessage(message: Message<unknown>): QueueMessage {
  return {
    id: message.id,
    body: bytesOf(message.body),
    attempts: message.attempts,
    sentAtMs: message.timestamp.getTime(),
    ack: () => message.ack(),
    retry: (delaySeconds) => message.retry({ delaySeconds }),
  };
}

/** What no producer of ours sends is still kept: as the text it has. */
function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  return new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
}
