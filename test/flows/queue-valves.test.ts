/** A queue that is paused, slowed down or narrowed: what becomes of its batches, and of what waits behind them. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  CONNECTIONS_MAX,
  LEASE_SECONDS,
  MESSAGE_ATTEMPTS_MAX,
  SWEEP_PAGE,
  SWEEP_PAGES_MAX,
} from "../../src/core/limits.ts";
import { QUEUE_ASK_MS, QUEUE_HOLD_MS_MAX } from "../../src/core/operator-limits.ts";
import type { QueueName } from "../../src/core/priority.ts";
import { type QueueControl, uncontrolled } from "../../src/core/queue-control.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { releaseParked } from "../../src/flows/release-parked.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { type DeliveryKey, keyOf } from "../../src/ports/claim.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, down, messageOf, messageWith, rowOf, statesOf } from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", { targets: { pager: {}, mail: {} } });
});

const say = (said: Partial<QueueControl>, queue: QueueName = "normal") =>
  void world.ledger.controls.set(queue, { ...uncontrolled(queue), ...said });

const paused = { isPaused: true };

/** An isolate that has heard what is said of the queues, by a batch that was put back. */
async function toldIsolate() {
  const { deliver } = createIsolate(world);
  deliver.queueValves.learn([...world.ledger.controls.values()]);
  return deliver;
}

/** Works on `messages` behind the test's back; `isOver` says whether that has ended. */
function begun(work: Promise<void>): { isOver: boolean } {
  const state = { isOver: false };
  void work.then(() => {
    state.isOver = true;
  });
  return state;
}

describe("a batch of a queue that is narrowed, or widened, while it is at work", () => {
  it.each([
    { from: CONNECTIONS_MAX, to: 1 },
    { from: 1, to: CONNECTIONS_MAX },
  ])("has $to at once within a second, where it had $from", async ({ from, to }) => {
    world.transport.answer = async () => {
      await world.clock.timer(200).elapsed;
      return response(200);
    };
    const targets = Array.from({ length: 40 }, (_, at) => `to-${at}`);
    world.tenants.put("acme", { targets: Object.fromEntries(targets.map((each) => [each, {}])) });
    say({ concurrency: from });
    const deliver = await toldIsolate();
    const messages = targets.map((target) => messageWith({ key: target, to: [target] }));
    const working = deliverBatch("normal", messages, deliver);
    await world.clock.advance(300);
    expect(world.transport.mostAtOnce).toBe(from);
    say({ concurrency: to });
    await world.clock.advance(1_200);
    world.transport.mostAtOnce = 0;
    await world.clock.run(working);
    expect(world.transport.mostAtOnce).toBe(to);
    expect(world.transport.sent).toHaveLength(targets.length);
  });
});

describe("a batch of a paused queue", () => {
  it("is claimed by nobody for long, sent nowhere and put back by whoever did not know", async () => {
    say(paused);
    const message = messageWith({ to: ["pager"] });
    expect(await consume(world, "normal", [message])).toEqual([1]);
    expect(world.transport.sent).toEqual([]);
    expect(statesOf(world)).toEqual({});
    for (const { leaseUntilMs } of world.ledger.events.values()) expect(leaseUntilMs).toBe(0);
  });

  it("waits where it is, and goes on within half a second of its resumption", async () => {
    say(paused);
    const deliver = await toldIsolate();
    const message = messageWith({ to: ["pager"] });
    const state = begun(deliverBatch("normal", [message], deliver));
    await world.clock.advance(QUEUE_HOLD_MS_MAX / 2);
    expect(state.isOver).toBe(false);
    expect(world.ledger.events.size).toBe(0);
    say({});
    await world.clock.advance(QUEUE_ASK_MS);
    expect(state.isOver).toBe(true);
    expect(message.answers).toEqual(["ack"]);
    expect(statesOf(world)).toEqual({ pager: "delivered" });
  });

  it("goes back before its invocation would be ended, and is delivered when it comes again", async () => {
    say(paused);
    const deliver = await toldIsolate();
    const message = messageWith({ to: ["pager"] });
    await world.clock.run(deliverBatch("normal", [message], deliver));
    expect(message.answers).toEqual([1]);
    say({});
    expect(await consume(world, "normal", [messageWith({ to: ["pager"] })])).toEqual(["ack"]);
    expect(statesOf(world)).toEqual({ pager: "delivered" });
  });

  it("begins nothing more within a second when it was at work already, and repeats nothing then", async () => {
    const slowly = async () => {
      await world.clock.timer(200).elapsed;
      return response(200);
    };
    world.transport.answer = slowly;
    const targets = Array.from({ length: 60 }, (_, at) => `to-${at}`);
    world.tenants.put("acme", { targets: Object.fromEntries(targets.map((each) => [each, {}])) });
    const { deliver } = createIsolate(world);
    const messages = targets.map((target) => messageWith({ key: target, to: [target] }));
    const working = deliverBatch("normal", messages, deliver);
    await world.clock.advance(300);
    say(paused);
    await world.clock.run(working);
    const begun = world.transport.sent.length;
    expect(begun).toBeLessThanOrEqual(CONNECTIONS_MAX * 6);
    expect(
      messages.flatMap(({ answers }) => answers).filter((each) => each === "ack"),
    ).toHaveLength(begun);
    say({});
    const rest = messages.filter(({ answers }) => answers[0] !== "ack");
    await consume(
      world,
      "normal",
      rest.map(({ body }) => messageOf(body)),
    );
    expect(world.transport.sent).toHaveLength(targets.length);
    expect(new Set(Object.values(statesOf(world)))).toEqual(new Set(["delivered"]));
  });

  it("that went back as often as the platform allows gives its place to a new message", async () => {
    say(paused);
    const deliver = await toldIsolate();
    const message = { ...messageWith({ to: ["pager"] }), attempts: MESSAGE_ATTEMPTS_MAX };
    await world.clock.run(deliverBatch("normal", [message], deliver));
    expect(message.answers).toEqual(["ack"]);
    expect(world.queues.kept.normal.size).toBe(1);
  });

  it("is not put back twice as fast when its claim cannot be given back", async () => {
    say(paused);
    const ledger = { ...world.ledger, giveBack: down };
    const answers = await consume(world, "normal", [messageWith({ to: ["pager"] })], { ledger });
    expect(answers).toEqual([LEASE_SECONDS + 1]);
  });

  it.each([
    ["refuses", down],
    ["hangs", () => new Promise<never>(() => {})],
  ])("stays paused while the ledger %s, and says so", async (_, queueControls) => {
    say(paused);
    const { deliver } = createIsolate(world, {
      broken: { ledger: { ...world.ledger, queueControls } },
    });
    deliver.queueValves.learn([...world.ledger.controls.values()]);
    const message = messageWith({ to: ["pager"] });
    await world.clock.run(deliverBatch("normal", [message], deliver));
    expect(message.answers).toEqual([1]);
    expect(world.log.lines.map(({ event }) => event)).toContain("queue-control-unknown");
  });

  it("holds up no batch of another queue, nor messages that crashed", async () => {
    say(paused);
    const deliver = await toldIsolate();
    const urgent = messageWith({
      key: "urgent",
      to: [{ rule: "orders", target: "pager", priority: "critical" }],
    });
    await world.clock.run(deliverBatch("critical", [urgent], deliver));
    expect(urgent.answers).toEqual(["ack"]);
    const crashed = messageWith({ key: "crashed", to: ["mail"] });
    await world.clock.run(deliverBatch("dead", [crashed], deliver));
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "dead" });
  });
});

describe("what is overdue in a paused queue", () => {
  it("is sent no copy of, and goes out when it is resumed", async () => {
    world.transport.answer = () => response(500);
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    world.queues.kept.normal.clear();
    world.transport.answer = () => response(200);
    say(paused);
    const { deliver } = createIsolate(world);
    await world.clock.advance(3_600_000);
    for (let pass = 0; pass < 3; pass += 1) {
      await world.clock.run(sweep("overdue", deliver));
      await world.clock.advance(60_000);
    }
    expect(world.queues.kept.normal.size).toBe(0);
    expect(rowOf(world, {}, "pager")?.state).toBe("retrying");
    say({});
    await world.clock.advance(300_000);
    await world.clock.run(sweep("overdue", deliver));
    expect(world.queues.kept.normal.size).toBe(1);
  });

  it("holds back nothing that is overdue in another", async () => {
    world.transport.answer = () => response(500);
    const urgent = { rule: "orders", target: "pager", priority: "critical" } as const;
    await consume(world, "critical", [messageWith({ key: "urgent", to: [urgent] })]);
    await consume(world, "normal", [messageWith({ to: ["mail"] })]);
    for (const queue of ["critical", "normal"] as const) world.queues.kept[queue].clear();
    say(paused);
    await world.clock.advance(3_600_000);
    await world.clock.run(sweep("overdue", createIsolate(world).deliver));
    expect(world.queues.kept.critical.size).toBe(1);
    expect(world.queues.kept.normal.size).toBe(0);
  });
});

describe("more than a pass can read that is overdue in a paused queue", () => {
  it("neither hides what is overdue in another nor has a row written", async () => {
    world.transport.answer = () => response(500);
    const urgent = { rule: "orders", target: "pager", priority: "critical" } as const;
    await consume(world, "normal", [messageWith({ to: ["mail"] })]);
    const [row] = world.ledger.deliveries.values();
    if (row === undefined) throw new Error("nothing is owed");
    for (let at = 0; at <= SWEEP_PAGE * SWEEP_PAGES_MAX; at += 1) {
      const subscription = `s${at}`;
      world.ledger.deliveries.set(keyOf({ ...row, subscription }), { ...row, subscription });
    }
    await consume(world, "critical", [messageWith({ key: "urgent", to: [urgent] })]);
    for (const queue of ["critical", "normal"] as const) world.queues.kept[queue].clear();
    say(paused);
    await world.clock.advance(3_600_000);
    const { deliver } = createIsolate(world);
    const putOff: string[] = [];
    const ledger = {
      ...world.ledger,
      async putOff(keys: readonly DeliveryKey[], byMs: number) {
        putOff.push(...keys.map(({ event }) => event));
        await world.ledger.putOff(keys, byMs);
      },
    };
    const swept = await world.clock.run(sweep("overdue", { ...deliver, ledger }));
    expect(swept).toMatchObject({ revived: 1, complete: true });
    expect(world.queues.kept.critical.size).toBe(1);
    expect(putOff).toHaveLength(1);
  });
});

describe("what a gate has parked of a paused queue", () => {
  const ID = { tenant: "acme", target: "pager" };

  it("stays parked, holds up nothing of another, and is let go when it is resumed", async () => {
    world.transport.answer = () => response(500);
    for (const priority of ["critical", "normal"] as const) {
      const to = [{ rule: "orders", target: "pager", priority }];
      await consume(world, priority, [messageWith({ key: priority, to })]);
      world.queues.kept[priority].clear();
    }
    for (const [key, row] of world.ledger.deliveries) {
      world.ledger.deliveries.set(key, { ...row, state: "parked" });
    }
    say(paused, "critical");
    const { deliver } = createIsolate(world);
    const none = { isEmpty: true, areRetries: false };
    expect(await world.clock.run(releaseParked(ID, { count: 5, retries: 5 }, deliver))).toEqual([
      { priority: "critical", count: 0, retries: 0, ...none },
      { priority: "normal", count: 1, retries: 1, ...none },
      { priority: "bulk", count: 0, retries: 0, ...none },
    ]);
    expect(world.queues.kept.critical.size).toBe(0);
    say({}, "critical");
    const [released] = await world.clock.run(releaseParked(ID, { count: 5, retries: 5 }, deliver));
    expect(released).toEqual({ priority: "critical", count: 1, retries: 1, ...none });
  });
});

describe("a queue that is slowed down", () => {
  it("has each batch wait for its delay, and none when that was taken back", async () => {
    say({ delaySeconds: 20 });
    const deliver = await toldIsolate();
    const first = messageWith({ key: "first", to: ["pager"] });
    const state = begun(deliverBatch("normal", [first], deliver));
    await world.clock.advance(19_999);
    expect(state.isOver).toBe(false);
    await world.clock.advance(1);
    expect(first.answers).toEqual(["ack"]);
    say({});
    const second = messageWith({ key: "second", to: ["pager"] });
    const other = begun(deliverBatch("normal", [second], deliver));
    await world.clock.advance(0);
    expect(other.isOver).toBe(true);
  });
});

describe("a delay that an isolate has not heard of", () => {
  it("holds from its second batch on: the first brings it", async () => {
    say({ delaySeconds: 20 });
    const { deliver } = createIsolate(world);
    const deliverOne = (key: string) => {
      const message = messageWith({ key, to: ["pager"] });
      return begun(deliverBatch("normal", [message], deliver));
    };
    const first = deliverOne("first");
    await world.clock.advance(0);
    expect(first.isOver).toBe(true);
    const second = deliverOne("second");
    await world.clock.advance(19_999);
    expect(second.isOver).toBe(false);
    await world.clock.advance(1);
    expect(second.isOver).toBe(true);
  });
});

describe("a queue that is narrowed", () => {
  it.each([
    [null, CONNECTIONS_MAX],
    [2, 2],
    [1, 1],
  ])("to %s sends at most so many deliveries of a batch at once: %i", async (concurrency, most) => {
    const targets = ["a", "b", "c", "d", "e", "f", "g", "h"];
    world.tenants.put("acme", { targets: Object.fromEntries(targets.map((name) => [name, {}])) });
    say({ concurrency });
    let underWay = 0;
    let seen = 0;
    world.transport.answer = async () => {
      underWay += 1;
      seen = Math.max(seen, underWay);
      await world.clock.timer(10).elapsed;
      underWay -= 1;
      return response(200);
    };
    expect(await consume(world, "normal", [messageWith({ to: targets })])).toEqual(["ack"]);
    expect(seen).toBe(most);
    expect(world.transport.sent).toHaveLength(targets.length);
  });
});
