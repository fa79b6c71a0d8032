/**
 * One queue batch: claim, deliver, settle, then ack. Every delivery is settled on its own; a message is
 * acknowledged only when everything in it is written down, and a failing part is retried alone.
 */
import { BATCH_BEGIN_MS_MAX, CONNECTIONS_MAX } from "../core/limits.ts";
import type { QueueName } from "../core/priority.ts";
import { errorText } from "../ports/log.ts";
import { answerMessages } from "./answer-messages.ts";
import { deliverPortion } from "./deliver-portion.ts";
import {
  GIVEN_BACK_RETRY_SECONDS,
  type OpenedBatch,
  type OpenMessage,
  type QueueMessage,
  retryLater,
  tryAgainLater,
} from "./open-messages.ts";
import { portionsOf } from "./portions.ts";
import type { DeliverPorts } from "./ports.ts";

/** Which queue a batch comes from; "dead" holds messages whose handling crashed too often. */
export type QueueRole = QueueName | "dead";

/** Never rejects: whatever happens, each message is acknowledged or retried by name. */
export async function deliverBatch(
  role: QueueRole,
  messages: readonly QueueMessage[],
  ports: DeliverPorts,
): Promise<void> {
  if (role !== "dead" && !(await ports.queueValves.opened(role, ports))) {
    return answerMessages(role, messages.map(givenBack), ports);
  }
  const untilMs = ports.clock.nowMs() + BATCH_BEGIN_MS_MAX;
  const invocation: Invocation = { untilMs, lateCount: 0, resultsMax: 0 };
  const worked: OpenMessage[] = [];
  const ended = ports.givingWay.begins(role, ports.clock);
  for await (const portion of portionsOf(messages, ports)) {
    await workOn(role, portion, invocation, ports);
    worked.push(...portion.messages);
    // The rest is not opened: what is large would be read from the archive, and go back.
    if (!mayBegin(invocation, ports)) break;
  }
  ended();
  // Together: what is done holds when the invocation ends, and the outbox is told once.
  const known = new Set(worked.map(({ message }) => message));
  const rest = messages.filter((message) => !known.has(message)).map(givenBack);
  await answerMessages(role, [...worked, ...rest], ports);
}

const givenBack = (message: QueueMessage): OpenMessage => {
  return { message, origin: null, retryAfterSeconds: GIVEN_BACK_RETRY_SECONDS };
};

/** What the portions of a batch have in common. */
export interface Invocation {
  /** None is begun any more from then on. */
  readonly untilMs: number;
  /** Attempts that are not waited for, each with a connection. */
  lateCount: number;
  /** Results of the largest portion so far: what is left of a large batch is settled like the rest of it. */
  resultsMax: number;
}

const mayBegin = ({ untilMs, lateCount }: Invocation, { clock }: DeliverPorts): boolean =>
  clock.nowMs() < untilMs && lateCount < CONNECTIONS_MAX;

async function workOn(
  role: QueueRole,
  opened: OpenedBatch,
  invocation: Invocation,
  ports: DeliverPorts,
): Promise<void> {
  try {
    if (opened.events.length === 0) return;
    if (mayBegin(invocation, ports)) return await deliverPortion(role, opened, invocation, ports);
    for (const open of opened.messages) retryLater(open, GIVEN_BACK_RETRY_SECONDS);
  } catch (error) {
    ports.log.error("batch-failed", { role, error: errorText(error) });
    for (const open of opened.messages) tryAgainLater(open);
  }
}
