/** What the queue is told of each message: done, or again later; and what the outbox may forget. */
import { MESSAGE_ATTEMPTS_MAX, QUEUE_DELAY_SECONDS_MAX } from "../core/limits.ts";
import { errorText } from "../ports/log.ts";
import type { QueueRole } from "./deliver-batch.ts";
import type { OpenMessage } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

/** Acknowledges or retries every message by name, then strikes off what is done. Never rejects. */
export async function answerMessages(
  role: QueueRole,
  messages: readonly OpenMessage[],
  ports: DeliverPorts,
): Promise<void> {
  await Promise.all(messages.map((open) => answer(role, open, ports)));
  await strikeOff(messages, ports);
}

async function answer(role: QueueRole, open: OpenMessage, ports: DeliverPorts): Promise<void> {
  const { message, retryAfterSeconds } = open;
  try {
    if (retryAfterSeconds === null) message.ack();
    else if (message.attempts < MESSAGE_ATTEMPTS_MAX) message.retry(retryAfterSeconds);
    else if (await renew(role, open, retryAfterSeconds, ports)) message.ack();
    else message.retry(retryAfterSeconds);
  } catch (error) {
    // It comes again by itself, and what is done is known then.
    ports.log.error("message-not-answered", { message: message.id, error: errorText(error) });
  }
}

/**
 * A message tried this often met failures of ours, such as a ledger that is down for a day. The
 * platform counts them and gives up in the end, so a new message takes its place before that.
 */
async function renew(
  role: QueueRole,
  { message }: OpenMessage,
  seconds: number,
  ports: DeliverPorts,
): Promise<boolean> {
  const queue = role === "dead" ? "bulk" : role;
  try {
    const delaySeconds = Math.min(seconds, QUEUE_DELAY_SECONDS_MAX);
    await ports.queues.send(queue, [message.body], delaySeconds);
    ports.log.warn("message-renewed", { message: message.id, queue, attempts: message.attempts });
    return true;
  } catch (error) {
    ports.log.warn("message-not-renewed", { message: message.id, error: errorText(error) });
    return false;
  }
}

/** A failure only means that the packs are sent once more. */
async function strikeOff(messages: readonly OpenMessage[], ports: DeliverPorts): Promise<void> {
  const origins = messages.flatMap((open) =>
    open.retryAfterSeconds === null && open.origin !== null ? [open.origin] : [],
  );
  if (origins.length === 0) return;
  try {
    await ports.outbox.settled(origins);
  } catch (error) {
    ports.log.warn("outbox-unreachable", { rows: origins.length, error: errorText(error) });
  }
}
