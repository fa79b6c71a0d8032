/**
 * Batches of anything, while any call of any port may fail before or after it did its work. Each
 * message gets exactly one ack or retry and nothing escapes; what is acknowledged is written down;
 * and once the failures end, everything owed ends too.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import type { PackItem } from "../../src/core/enqueue/pack.ts";
import type { Frame } from "../../src/core/enqueue/record.ts";
import { subscriptionHash } from "../../src/core/ids.ts";
import { PRIORITIES, type Subscription } from "../../src/core/priority.ts";
import { deliverBatch, type QueueRole } from "../../src/flows/deliver-batch.ts";
import type { QueueMessage } from "../../src/flows/open-messages.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { keyOf } from "../../src/ports/claim.ts";
import { type Fault, withFaults } from "../support/memory-faults.ts";
import { boundTo, frameOf, packOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { messageOf } from "./consumer.ts";

const TARGETS = ["pager", "mail", "paused", "deleted"] as const;

const subscription = fc
  .tuple(fc.constantFrom(...TARGETS), fc.constantFrom(...PRIORITIES))
  .map(([target, priority]) => boundTo(target, priority));
const event = fc.record({
  key: fc.constantFrom("a", "b", "c", "d"),
  receipt: fc.constantFrom("rcp_1", "rcp_2"),
  to: fc.uniqueArray(subscription, { maxLength: 3, selector: ({ target }) => target }),
});
type EventSketch = { readonly key: string; readonly receipt: string; readonly to: Subscription[] };
/** A message: events, one event that rests in the archive or should, or nothing readable. */
type MessageSketch =
  | EventSketch[]
  | { readonly big: EventSketch; readonly isThere: boolean }
  | null;

const batch: fc.Arbitrary<MessageSketch[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.array(event, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.record({ big: event, isThere: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
  { minLength: 1, maxLength: 6 },
);

interface Batch {
  readonly messages: readonly (readonly PackItem[] | null)[];
  /** What rests in the archive. */
  readonly stored: ReadonlyMap<string, Uint8Array>;
}

function batchOf(sketches: readonly MessageSketch[]): Batch {
  const stored = new Map<string, Uint8Array>();
  const known = new Map<string, EventSketch>();
  /** One receipt of one event is one record, in however many messages it comes. */
  const frame = (sketch: EventSketch): Frame => {
    const name = `${sketch.key} ${sketch.receipt}`;
    const first = known.get(name) ?? sketch;
    known.set(name, first);
    return frameOf(first);
  };
  const messages = sketches.map((sketch) => {
    if (sketch === null) return null;
    if (Array.isArray(sketch)) return sketch.map((each) => ({ content: frame(each) }));
    const { record, bytes } = frame(sketch.big);
    const { id, receipt, tenant } = record;
    const segment = `acme/big/${id}/${receipt}`;
    if (sketch.isThere) stored.set(segment, bytes);
    const pointer = { segment, offset: 0, length: bytes.length };
    return [{ content: { pointer, id, receipt, tenant } }];
  });
  return { messages, stored };
}

const faults = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant<Fault>("none") },
    { weight: 1, arbitrary: fc.constantFrom<Fault>("throws", "before", "after") },
  ),
  { minLength: 20, maxLength: 60 },
);
const statuses = fc.array(fc.constantFrom(200, 200, 500, 410), { minLength: 1, maxLength: 8 });
const role = fc.constantFrom<QueueRole>(...PRIORITIES, "dead");

function prepare(stored: Batch["stored"]): World {
  const world = createWorld();
  world.tenants.put("acme", { targets: { pager: {}, mail: {}, paused: { closed: "paused" } } });
  for (const [key, bytes] of stored) world.archive.objects.set(key, bytes);
  return world;
}

/** The isolate's ports; each call of one that reaches outside meets the next fault. */
function faulty(world: World, seed: number, plan: readonly Fault[]): DeliverPorts {
  const { deliver } = createIsolate(world, { seed });
  let calls = 0;
  const next = (): Fault => plan[calls++ % plan.length] ?? "none";
  return {
    ...deliver,
    archive: withFaults(deliver.archive, next),
    directory: withFaults(deliver.directory, (method) => (method === "forget" ? "none" : next())),
    ledger: withFaults(deliver.ledger, next),
    limiter: withFaults(deliver.limiter, next),
    outbox: withFaults(deliver.outbox, next),
    queues: withFaults(deliver.queues, next),
  };
}

const bodyOf = (items: readonly PackItem[] | null): Uint8Array =>
  items === null ? Uint8Array.of(0xba, 0xd0) : packOf(...items);

/** Whether the ledger says what became of every delivery of a message's events. */
function expectWrittenDown(world: World, items: readonly PackItem[]): void {
  for (const { content } of items) {
    if ("pointer" in content) continue;
    const { id, receipt, tenant, receivedAtMs, subscriptions } = content.record;
    const owner = world.ledger.events.get(id)?.receipt;
    expect(owner).toBeDefined();
    if (owner !== receipt) continue;
    const owed = subscriptions.map((each) => subscriptionHash(each, platformCrypto, platformText));
    for (const each of owed.length === 0 ? [""] : owed) {
      const key = keyOf({ tenant, receivedAtMs, event: id, subscription: each });
      expect(world.ledger.deliveries.has(key)).toBe(true);
    }
  }
}

describe("whatever fails", () => {
  it("each message is answered once, and what is acknowledged is written down", async () => {
    await fc.assert(
      fc.asyncProperty(batch, role, faults, statuses, async (sketches, from, plan, answers) => {
        const { messages, stored } = batchOf(sketches);
        const world = prepare(stored);
        let sent = 0;
        world.transport.answer = () => response(answers[sent++ % answers.length] ?? 200);
        const batched = messages.map((items) => messageOf(bodyOf(items)));
        await world.clock.run(deliverBatch(from, batched, faulty(world, 1, plan)));
        for (const [at, { answers: given }] of batched.entries()) {
          expect(given).toHaveLength(1);
          const items = messages[at] ?? null;
          if (given[0] === "ack" && items !== null) expectWrittenDown(world, items);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("everything owed ends once nothing fails any more", async () => {
    await fc.assert(
      fc.asyncProperty(batch, faults, statuses, async (sketches, plan, answers) => {
        const { messages, stored } = batchOf(sketches);
        const world = prepare(stored);
        let sent = 0;
        world.transport.answer = () => response(answers[sent++ % answers.length] ?? 200);
        await world.queues.send("normal", messages.map(bodyOf));
        for (let round = 1; round <= 3; round += 1) await step(world, faulty(world, round, plan));
        const { deliver } = createIsolate(world, { seed: 100 });
        for (let round = 1; round <= 12; round += 1) await step(world, deliver);
        for (const { state } of world.ledger.deliveries.values()) {
          expect(["delivered", "dead", "parked", "cancelled", "unmatched"]).toContain(state);
        }
        for (const items of messages) if (items !== null) expectWrittenDown(world, items);
        expect(PRIORITIES.flatMap((each) => [...world.queues.kept[each].keys()])).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

/** All queues once, then the sweeper, then time for whatever waits. */
async function step(world: World, ports: DeliverPorts): Promise<void> {
  for (const from of PRIORITIES) {
    const taken: QueueMessage[] = world.queues.take(from, 100);
    await world.clock.run(deliverBatch(from, taken, ports));
  }
  await world.clock.run(sweep("overdue", ports));
  await world.clock.advance(400_000);
}
