/** A receiver that is slow holds up no batch: its attempts go on alone, and each is settled by itself. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  ATTEMPT_AWAITED_MS,
  CONNECTIONS_MAX,
  LATE_PER_TARGET_MAX,
  LEASE_MARGIN_MS,
  SLOW_PLACES_MAX,
  SLOW_TARGET_PAUSE_MS,
  SWEEP_GRACE_MS,
} from "../../src/core/limits.ts";
import type { QueueName } from "../../src/core/priority.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { GIVEN_BACK_RETRY_SECONDS } from "../../src/flows/open-messages.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response, type Sent } from "../support/memory-transport.ts";
import { down, messageOf, messageWith, rowOf, statesOf, type TestMessage } from "./consumer.ts";

const TIMEOUT_MS = 15_000;
let world: World;
/** What a batch left to go on alone. */
let left: Promise<void>[];

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", { targets: { pager: {}, mail: {} } });
  left = [];
});

const isPager = ({ url }: Sent): boolean => url.includes("pager");

/** The pager answers after `ms`, everybody else at once. */
function slowPager(ms: number, status = 200): void {
  world.transport.answer = async (sent) => {
    if (!isPager(sent)) return response(200);
    await world.clock.timer(ms).elapsed;
    return response(status);
  };
}

const isolate = (broken: Partial<DeliverPorts> = {}): DeliverPorts =>
  createIsolate(world, { broken: { defer: (work) => void left.push(work), ...broken } }).deliver;

/** Runs the batch as long as it takes; answers the milliseconds. */
async function batch(ports: DeliverPorts, messages: readonly TestMessage[]): Promise<number> {
  const startedAtMs = world.clock.nowMs();
  await world.clock.run(deliverBatch("normal", messages, ports));
  return world.clock.nowMs() - startedAtMs;
}

const taken = (priority: QueueName): TestMessage[] =>
  world.queues.take(priority, 100).map(({ body }) => messageOf(body));

describe("a receiver that takes its time", () => {
  it("holds up its batch for a moment, and no longer: the ledger says that it is under way", async () => {
    slowPager(TIMEOUT_MS - 1);
    const message = messageWith({ to: ["pager", "mail"] });
    expect(await batch(isolate(), [message])).toBeLessThan(2 * ATTEMPT_AWAITED_MS);
    expect(message.answers).toEqual(["ack"]);
    expect(statesOf(world)).toEqual({ pager: "delivering", mail: "delivered" });
    await world.clock.run(Promise.all(left));
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "delivered" });
    expect(rowOf(world, {}, "pager")?.log).toMatchObject([{ number: 1, status: 200 }]);
    expect(world.transport.sent).toHaveLength(2);
  });

  it("is not waited for at all the next time, until it answers in time again", async () => {
    slowPager(5_000);
    const ports = isolate();
    await batch(ports, [messageWith({ key: "a", to: ["pager"] })]);
    expect(await batch(ports, [messageWith({ key: "b", to: ["pager"] })])).toBeLessThan(
      ATTEMPT_AWAITED_MS / 2,
    );
    await world.clock.run(Promise.all(left));
    expect([...world.ledger.deliveries.values()].map(({ state }) => state)).toEqual([
      "delivered",
      "delivered",
    ]);
  });

  it("and fails is tried again after its pause, like one whose batch waited", async () => {
    slowPager(3_000, 500);
    await batch(isolate(), [messageWith({ to: ["pager"] })]);
    await world.clock.run(Promise.all(left));
    expect(rowOf(world, {}, "pager")).toMatchObject({ state: "retrying", attempts: 1 });
    slowPager(0);
    await world.clock.advance(3_600_000);
    await batch(isolate(), taken("normal"));
    expect(rowOf(world, {}, "pager")).toMatchObject({ state: "delivered", attempts: 2 });
  });

  it("is given no more requests than there is room for: the rest waits, and none is lost", async () => {
    slowPager(TIMEOUT_MS - 1);
    const ports = isolate();
    const count = LATE_PER_TARGET_MAX + 20;
    for (let sent = 0; sent < count; sent += 4) {
      const keys = Array.from({ length: 4 }, (_, at) => `key-${sent + at}`);
      await batch(
        ports,
        keys.map((key) => messageWith({ key, to: ["pager"] })),
      );
    }
    expect(world.transport.sent).toHaveLength(LATE_PER_TARGET_MAX);
    await world.clock.run(Promise.all(left));
    slowPager(0);
    for (let round = 0; round < 2; round += 1) {
      await world.clock.advance(2 * SLOW_TARGET_PAUSE_MS);
      await batch(ports, taken("normal"));
      await world.clock.run(Promise.all(left));
    }
    const states = [...world.ledger.deliveries.values()].map(({ state }) => state);
    expect(states).toEqual(Array(count).fill("delivered"));
    expect(world.transport.sent).toHaveLength(count);
  });
});

describe("what finds no room at a slow receiver", () => {
  it("is not let go again and again while there is none", async () => {
    slowPager(TIMEOUT_MS - 1);
    const ports = isolate();
    for (let sent = 0; sent < LATE_PER_TARGET_MAX + 20; sent += 4) {
      const keys = Array.from({ length: 4 }, (_, at) => `key-${sent + at}`);
      await batch(
        ports,
        keys.map((key) => messageWith({ key, to: ["pager"] })),
      );
    }
    let messages = 0;
    for (let passedMs = 0; passedMs < 2 * SLOW_TARGET_PAUSE_MS; passedMs += 50) {
      const came = taken("normal");
      messages += came.length;
      if (came.length > 0) await batch(ports, came);
      await world.clock.advance(50);
    }
    expect(messages).toBeLessThanOrEqual(3);
  });
});

describe("a healthy receiver beside slow ones", () => {
  const slow = Array.from({ length: CONNECTIONS_MAX }, (_, at) => `pager-${at}`);
  beforeEach(() => {
    const targets = Object.fromEntries([...slow, "mail"].map((name) => [name, {}]));
    world.tenants.put("acme", { targets });
    slowPager(TIMEOUT_MS - 1);
  });

  it("gets what is its own with its message again when they hold every connection, and is not called in trouble", async () => {
    const ports = isolate();
    const message = messageWith({ to: [...slow, "mail"] });
    await batch(ports, [message]);
    expect(message.answers).toEqual([GIVEN_BACK_RETRY_SECONDS]);
    expect(rowOf(world, {}, "mail")).toBeUndefined();
    expect(ports.receivers.isInTrouble("acme/mail", world.clock.nowMs())).toBe(false);
    await batch(ports, [messageOf(message.body)]);
    expect(rowOf(world, {}, "mail")?.state).toBe("delivered");
    expect(world.transport.sent).toHaveLength(slow.length + 1);
  });

  it("never waits for them once they are known: they hold two places while it has something to do", async () => {
    const ports = isolate();
    await batch(ports, [messageWith({ key: "first", to: slow })]);
    const before = world.transport.sent.length;
    const mails = Array.from({ length: 20 }, (_, at) =>
      messageWith({ key: `${at}`, to: ["mail"] }),
    );
    const pages = messageWith({ key: "pages", to: slow });
    expect(await batch(ports, [pages, ...mails])).toBeLessThan(ATTEMPT_AWAITED_MS / 2);
    expect(mails.map(({ answers }) => answers)).toEqual(mails.map(() => ["ack"]));
    const begun = world.transport.sent.slice(before);
    const lastMail = begun.findLastIndex((sent) => !isPager(sent));
    expect(begun.slice(0, lastMail).filter(isPager)).toHaveLength(SLOW_PLACES_MAX);
    // What is left goes on with all that there is.
    expect(begun.filter(isPager)).toHaveLength(CONNECTIONS_MAX);
    await world.clock.run(Promise.all(left));
    expect(new Set([...world.ledger.deliveries.values()].map(({ state }) => state))).toEqual(
      new Set(["delivered"]),
    );
  });
});

describe("an attempt that its batch left under way", () => {
  it("is made again by the sweeper when its process died, and not before it has had its time", async () => {
    world.transport.answer = () => new Promise(() => {});
    await batch(isolate(), [messageWith({ to: ["pager"] })]);
    const { deliver } = createIsolate(world);
    await world.clock.advance(TIMEOUT_MS + LEASE_MARGIN_MS);
    expect(await sweep("overdue", deliver)).toMatchObject({ revived: 0 });
    await world.clock.advance(SWEEP_GRACE_MS + 1_000);
    expect(await sweep("overdue", deliver)).toMatchObject({ revived: 1 });
  });

  it("settles nothing when another has taken it up meanwhile", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    world.transport.answer = () => promise.then(() => response(500));
    await batch(isolate(), [messageWith({ to: ["pager"] })]);
    await world.clock.advance(TIMEOUT_MS + LEASE_MARGIN_MS + SWEEP_GRACE_MS + 1_000);
    const { deliver } = createIsolate(world);
    await world.clock.run(sweep("overdue", deliver));
    world.transport.answer = () => response(200);
    await batch(deliver, taken("normal"));
    expect(statesOf(world)).toEqual({ pager: "delivered" });
    resolve();
    await world.clock.run(Promise.all(left));
    expect(statesOf(world)).toEqual({ pager: "delivered" });
    expect(world.queues.take("normal", 10)).toEqual([]);
  });

  it("is not begun by another while it is, though the ledger could not be told of it", async () => {
    slowPager(10_000);
    const ledger = { ...world.ledger, settle: down };
    const message = messageWith({ to: ["pager", "mail"] });
    await batch(isolate({ ledger }), [message]);
    expect(message.answers).toEqual([expect.any(Number)]);
    await batch(isolate(), [messageWith({ to: ["pager", "mail"] })]);
    expect(world.transport.sent.filter(isPager)).toHaveLength(1);
  });

  it("keeps its message when the archive refuses the bytes: a row would promise what nobody has", async () => {
    slowPager(5_000);
    const archive = { ...world.archive, put: () => Promise.reject(new Error("down")) };
    const message = messageWith({ to: ["pager"] });
    await batch(isolate({ archive }), [message]);
    expect(message.answers).toEqual([expect.any(Number)]);
    await world.clock.run(Promise.all(left));
    expect(statesOf(world)).toEqual({ pager: "delivered" });
  });
});
