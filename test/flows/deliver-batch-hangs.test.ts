/** A batch while something does not answer: it ends all the same, and what it could not do is done later. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  ARCHIVE_READ_TIMEOUT_MS,
  LEDGER_TIMEOUT_MS,
  SEND_AGAIN_TIMEOUT_MS,
  SWEEP_GRACE_MS,
} from "../../src/core/limits.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { frameOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import {
  type Answer,
  consume,
  messageOf,
  messageOfItems,
  messageWith,
  rowOf,
  statesOf,
  type TestMessage,
} from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", { targets: { pager: {}, mail: {} } });
});

const hangs = (): Promise<never> => new Promise(() => {});

/** What became of a batch, and how long that took. */
async function timed(
  batch: readonly TestMessage[],
  broken: Partial<DeliverPorts>,
): Promise<{ answers: Answer[]; ms: number }> {
  const beganAtMs = world.clock.nowMs();
  const answers = await consume(world, "normal", batch, broken);
  return { answers, ms: world.clock.nowMs() - beganAtMs };
}

/** An event that rests in an object of its own, and its message. */
async function big(): Promise<TestMessage> {
  const frame = frameOf({ key: "big", to: ["pager"] }, "x".repeat(100));
  const pointer = { segment: "acme/big/1", offset: 0, length: frame.bytes.length };
  await world.archive.put(pointer.segment, [frame.bytes]);
  const { id, receipt, tenant } = frame.record;
  return messageOfItems({ content: { pointer, id, receipt, tenant } });
}

describe("an archive that hangs", () => {
  it("holds nobody up for long: the event that it is asked of comes again, and the others go", async () => {
    const small = messageWith({ key: "small", to: ["mail"] });
    const message = await big();
    const archive = { ...world.archive, meta: hangs };
    const { answers, ms } = await timed([message, small], { archive });
    expect(answers).toEqual([5, "ack"]);
    expect(ms).toBe(ARCHIVE_READ_TIMEOUT_MS);
    expect(statesOf(world)).toEqual({ mail: "delivered" });
    expect(await consume(world, "normal", [messageOf(message.body, 2)])).toEqual(["ack"]);
    expect(statesOf(world)).toEqual({ mail: "delivered", pager: "delivered" });
    expect(world.transport.sent).toHaveLength(2);
  });

  it("before the body that is to be sent counts no attempt, and the delivery is owed again", async () => {
    const archive = { ...world.archive, stream: hangs };
    const { answers, ms } = await timed([await big()], { archive });
    expect(answers).toEqual(["ack"]);
    expect(ms).toBe(ARCHIVE_READ_TIMEOUT_MS);
    expect(world.transport.sent).toEqual([]);
    expect(rowOf(world, { key: "big" }, "pager")).toMatchObject({ state: "pending", attempts: 0 });
    const [again] = world.queues.kept.normal.values();
    await consume(world, "normal", [messageOf(again?.body ?? Uint8Array.of())]);
    expect(statesOf(world)).toEqual({ pager: "delivered" });
  });

  it("when a message that nothing can read is to be kept has it come again", async () => {
    const archive = { ...world.archive, putPoison: hangs };
    const { answers, ms } = await timed([messageOf(Uint8Array.of(9))], { archive });
    expect(answers).toEqual([5]);
    expect(ms).toBe(ARCHIVE_READ_TIMEOUT_MS);
  });

  it("does not have the sweeper take for gone what it could not read", async () => {
    world.transport.answer = () => response(500);
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    world.queues.kept.normal.clear();
    await world.clock.advance(3_600_000);
    const archive = { ...world.archive, frame: hangs };
    const { deliver } = createIsolate(world, { broken: { archive } });
    expect(await world.clock.run(sweep("overdue", deliver))).toMatchObject({
      ...{ revived: 0, unreadable: 0, complete: false },
    });
    expect(rowOf(world, {}, "pager")?.state).toBe("retrying");
    await world.clock.advance(60_000);
    await world.clock.run(sweep("overdue", createIsolate(world).deliver));
    expect(world.queues.kept.normal.size).toBe(1);
  });

  it("and then opens a body that nobody waits for any more closes it", async () => {
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    const { promise: opening, resolve: open } = Promise.withResolvers<ReadableStream<Uint8Array>>();
    const archive = { ...world.archive, stream: () => opening };
    await timed([await big()], { archive });
    open(new ReadableStream({ cancel: () => close() }));
    await closed;
    expect(world.transport.sent).toEqual([]);
  });
});

describe("a queue that hangs", () => {
  it("holds up no batch for long: what is tried again is in the ledger, and the sweeper sends it", async () => {
    world.transport.answer = () => response(500);
    const queues = { ...world.queues, send: hangs };
    const { answers, ms } = await timed([messageWith({ to: ["pager"] })], { queues });
    expect(answers).toEqual(["ack"]);
    expect(ms).toBe(SEND_AGAIN_TIMEOUT_MS);
    expect(rowOf(world, {}, "pager")?.state).toBe("retrying");
    await world.clock.advance(60_000 + SWEEP_GRACE_MS);
    const { deliver } = createIsolate(world);
    expect(await world.clock.run(sweep("overdue", deliver))).toMatchObject({ revived: 1 });
    expect(world.queues.kept.normal.size).toBe(1);
  });
});

describe("a store of tenants that hangs", () => {
  it("holds up no batch for long: nothing is attempted, and nothing stays claimed", async () => {
    const { deliver } = createIsolate(world);
    const directory = { ...deliver.directory, at: hangs };
    const { answers, ms } = await timed([messageWith({ to: ["pager"] })], { directory });
    expect(answers).toEqual([5]);
    expect(ms).toBe(LEDGER_TIMEOUT_MS);
    expect(world.transport.sent).toEqual([]);
    for (const { leaseUntilMs } of world.ledger.events.values()) expect(leaseUntilMs).toBe(0);
    expect(await consume(world, "normal", [messageWith({ to: ["pager"] })])).toEqual(["ack"]);
  });
});

describe("what hangs when a target is to be closed", () => {
  it.each<[string, () => Partial<DeliverPorts>]>([
    ["before it is written down", () => ({ ledger: { ...world.ledger, disableTarget: hangs } })],
    ["when it is announced", () => ({ limiter: { ...world.limiter, announce: hangs } })],
  ])("%s holds up no batch for long, and the answer 410 makes a dead letter", async (_, broken) => {
    world.transport.answer = () => response(410);
    const { answers, ms } = await timed([messageWith({ to: ["pager"] })], broken());
    expect(answers).toEqual(["ack"]);
    expect(ms).toBeLessThanOrEqual(LEDGER_TIMEOUT_MS + 1_000);
    expect(statesOf(world)).toEqual({ pager: "dead" });
    expect(world.log.of("target-not-disabled")).toHaveLength(1);
  });
});
