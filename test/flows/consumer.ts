/** A queue consumer for tests: hands messages to the flow and sees what became of each. */
import { expect } from "vitest";
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import type { PackItem } from "../../src/core/enqueue/pack.ts";
import { subscriptionHash } from "../../src/core/ids.ts";
import { acceptEvent } from "../../src/flows/accept-event.ts";
import { deliverBatch, type QueueRole } from "../../src/flows/deliver-batch.ts";
import type { QueueMessage } from "../../src/flows/open-messages.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { DeliveryRow } from "../support/memory-ledger.ts";
import {
  boundTo,
  frameOf,
  packOf,
  type RecordSketch,
  recordOf,
} from "../support/memory-records.ts";
import { createIsolate, type Isolate, type World } from "../support/memory-router.ts";
import { webhook } from "./sender.ts";

/** "ack", or the seconds after which it comes again. */
export type Answer = "ack" | number;

export interface TestMessage extends QueueMessage {
  readonly answers: Answer[];
}

let last = 0;
let isolates = 0;

/** One that has not waited in its queue, unless it says since when. */
export function messageOf(
  body: Uint8Array,
  attempts = 1,
  sentAtMs = Number.POSITIVE_INFINITY,
): TestMessage {
  last += 1;
  const answers: Answer[] = [];
  return {
    id: `message-${last}`,
    body,
    attempts,
    sentAtMs,
    answers,
    ack: () => void answers.push("ack"),
    retry: (seconds) => void answers.push(seconds),
  };
}

/** A message with one event on its first way. */
export const messageWith = (sketch: RecordSketch, body = "{}"): TestMessage =>
  messageOf(packOf({ content: frameOf(sketch, body) }));

export const messageOfItems = (...items: readonly PackItem[]): TestMessage =>
  messageOf(packOf(...items));

/**
 * Accepts a body as from `acme/shop` and delivers what is in the queue: one that is too large for a pack waits in the
 * archive, as only a door leaves it.
 */
export async function sendThrough(
  world: World,
  { accept, deliver }: Isolate,
  body: string,
): Promise<void> {
  await world.clock.run(acceptEvent(webhook("acme/shop", body, {}), accept));
  await world.clock.run(deliverBatch("normal", world.queues.take("normal", 10), deliver));
}

/** Of an isolate that dies where it waits: no timer of it ends. */
export const dyingClock = ({ clock }: World): Clock => ({
  nowMs: clock.nowMs,
  timer: () => ({ elapsed: new Promise(() => {}), cancel() {} }),
});

/**
 * Lets a new isolate work on the batch, and on what the batch left under way; answers what became of each
 * message, which is one thing.
 */
export async function consume(
  world: World,
  role: QueueRole,
  messages: readonly TestMessage[],
  broken: Partial<DeliverPorts> = {},
): Promise<Answer[]> {
  isolates += 1;
  const deferred: Promise<void>[] = [];
  const defer = (work: Promise<void>) => void deferred.push(work);
  const { deliver } = createIsolate(world, { broken: { defer, ...broken }, seed: isolates });
  await world.clock.run(deliverBatch(role, messages, deliver));
  await world.clock.run(Promise.all(deferred));
  return messages.map(({ answers }) => {
    expect(answers).toHaveLength(1);
    return answers[0] ?? Number.NaN;
  });
}

/** The ledger's row for an event's delivery to a target of the rule `orders`. */
export function rowOf(world: World, sketch: RecordSketch, target: string): DeliveryRow | undefined {
  const { tenant, receivedAtMs, id: event } = recordOf(sketch);
  const subscription = subscriptionHash(boundTo(target), platformCrypto, platformText);
  return world.ledger.deliveries.get(keyOf({ tenant, receivedAtMs, event, subscription }));
}

/** State of each row, by target. */
export function statesOf(world: World): Record<string, string> {
  return Object.fromEntries(
    [...world.ledger.deliveries.values()].map(({ target, state }) => [target, state]),
  );
}

export const down = (): Promise<never> => Promise.reject(new Error("down"));
