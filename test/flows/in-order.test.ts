/** Deliveries of one key go in order, those of others do not wait for them, and all go out in the end. */
import { describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { compileOrder, type OrderDoc } from "../../src/core/order/order.ts";
import { QUEUES } from "../../src/core/priority.ts";
import type { Target } from "../../src/core/tenant.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { Turns } from "../../src/ports/turns.ts";
import { boundTo } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { createMemoryTurns } from "../support/memory-turns.ts";
import { consume, down, messageOf, messageWith, rowOf, type TestMessage } from "./consumer.ts";
import { settleDown } from "./settle-down.ts";

const FIFO: OrderDoc = { key: "$.data.order", mode: "fifo" };

function worldWith(order: OrderDoc, more: Partial<Target> = {}): World {
  const world = createWorld();
  world.tenants.put("acme", { targets: { crm: { order: compileOrder(order), ...more }, log: {} } });
  return world;
}

/** The n-th event of a key. */
const event = (order: string, number: number, to = ["crm"]) => {
  const sketch = {
    key: `${order}-${number}`,
    receivedAtMs: Date.UTC(2026, 0, 1) - 1_000 + number,
    to,
  };
  return { sketch, message: () => messageWith(sketch, JSON.stringify({ order, number })) };
};

/** What each receiver got, in its order. */
const sentTo = (world: World): string[] =>
  world.transport.sent.map(({ body }) => {
    const { order, number } = JSON.parse(platformText.decode(body as Uint8Array) ?? "{}");
    return `${order}${number}`;
  });

const turnsOf = (world: World): Turns =>
  createMemoryTurns(world.clock, world.ledger, world.tenants);
const broken = (world: World, turns: Partial<Turns>) => ({
  turns: async () => ({ ...turnsOf(world), ...turns }),
});

describe("an event that fills half a message and more", () => {
  it("keeps its place when it is sent from the archive", async () => {
    const world = worldWith(FIFO);
    const note = "x".repeat(40_000);
    world.transport.answer = async () => {
      await world.clock.timer(300).elapsed;
      return response(world.transport.sent.length === 1 ? 503 : 200);
    };
    for (const number of [1, 2, 3, 4]) {
      const { sketch } = event("b", number);
      const body = JSON.stringify({ order: "b", number, note });
      await consume(world, "normal", [messageWith(sketch, body)]);
    }
    await settleDown(world, 5);
    expect(sentTo(world)).toEqual(["b1", "b1", "b2", "b3", "b4"]);
    expect(world.transport.mostAtOnce).toBe(1);
  });
});

describe("what is held", () => {
  it("is not overtaken by a younger one of its batch whose hold ends while the archive is waited for", async () => {
    const world = worldWith({ ...FIFO, holdSeconds: 1 });
    const archive = {
      ...world.archive,
      async put(...given: Parameters<typeof world.archive.put>) {
        await world.clock.timer(60).elapsed;
        return world.archive.put(...given);
      },
    };
    // Of others nothing is written meanwhile: what is held is not either.
    world.transport.answer = async ({ body }) => {
      const isOther = platformText.decode(body as Uint8Array)?.includes("other") === true;
      if (isOther) await world.clock.timer(700).elapsed;
      return response(200);
    };
    const [one, two] = [event("c", 5_000), event("c", 5_020)];
    const many = Array.from({ length: 20 }, (_, at) => event(`other-${at}`, 100));
    await world.clock.advance(Date.UTC(2026, 0, 1) + 4_990 - world.clock.nowMs());
    const batch = [one, two, ...many].map((each) => each.message());
    await consume(world, "normal", batch, { archive });
    await settleDown(world, 2);
    expect(sentTo(world).filter((name) => name.startsWith("c"))).toEqual(["c5000", "c5020"]);
  });
});

describe("a batch", () => {
  it("sends what it has of one key one after the other, oldest first, and keys side by side", async () => {
    const world = worldWith(FIFO);
    const now = new Map<string, number>();
    let most = 0;
    world.transport.answer = async ({ body }) => {
      const { order } = JSON.parse(platformText.decode(body as Uint8Array) ?? "{}");
      now.set(order, (now.get(order) ?? 0) + 1);
      most = Math.max(most, now.get("a") ?? 0);
      await world.clock.timer(10).elapsed;
      now.set(order, (now.get(order) ?? 1) - 1);
      return response(200);
    };
    const messages = [3, 1, 2].flatMap((number) =>
      ["a", "b"].map((order) => event(order, number).message()),
    );
    expect(await consume(world, "normal", messages)).toEqual(messages.map(() => "ack"));
    expect(sentTo(world)).toEqual(["a1", "b1", "a2", "b2", "a3", "b3"]);
    expect(most).toBe(1);
  });

  it("without an order asks nobody for a turn", async () => {
    const world = worldWith(FIFO);
    const turns = () => Promise.reject(new Error("asked"));
    const messages = [1, 2].map((number) => event("a", number, ["log"]).message());
    await consume(world, "normal", messages, { turns });
    expect(world.log.lines.map(({ event: line }) => line)).toEqual([]);
    expect(sentTo(world)).toEqual(["a1", "a2"]);
  });

  it("does not let deliveries without a key, or replays, wait for anything", async () => {
    const world = worldWith(FIFO);
    world.transport.answer = () => response(500);
    await consume(world, "normal", [event("a", 1).message()]);
    world.transport.answer = () => response(200);
    const sketch = { key: "no-key", to: ["crm"] };
    await consume(world, "normal", [messageWith(sketch, '{"number":7}')]);
    expect(rowOf(world, sketch, "crm")?.state).toBe("delivered");
    expect(rowOf(world, sketch, "crm")?.order).toBeUndefined();
  });

  it("sends others while it asks, and what it asks for only when its bytes rest", async () => {
    const world = worldWith(FIFO);
    const archive = { ...world.archive, put: down };
    const ordered = event("a", 1);
    const free = event("b", 2, ["log"]);
    const answers = await consume(world, "normal", [ordered.message(), free.message()], {
      archive,
    });
    expect(sentTo(world)).toEqual(["b2"]);
    expect(answers[0]).toBeTypeOf("number");
    expect(rowOf(world, ordered.sketch, "crm")).toBeUndefined();
  });

  it.each(["throws", "hangs"])(
    "whose ledger %s when it is asked sends nothing, and all comes again",
    async (how) => {
      const world = worldWith(FIFO);
      const take = how === "throws" ? down : () => new Promise<never>(() => {});
      const one = event("a", 1);
      expect(await consume(world, "normal", [one.message()], broken(world, { take }))).toEqual([5]);
      expect(sentTo(world)).toEqual([]);
      expect(await consume(world, "normal", [one.message()])).toEqual(["ack"]);
      expect(sentTo(world)).toEqual(["a1"]);
    },
  );

  it("that is told nothing although its question was heard leaves the rest to the sweeper", async () => {
    const world = worldWith(FIFO);
    const take: Turns["take"] = async (...asked) => {
      await turnsOf(world).take(...asked);
      throw new Error("the connection broke");
    };
    const one = event("a", 1);
    await consume(world, "normal", [one.message()], broken(world, { take }));
    expect(rowOf(world, one.sketch, "crm")).toMatchObject({ state: "pending" });
    await world.clock.advance(400_000);
    await settleDown(world, 2);
    expect(rowOf(world, one.sketch, "crm")).toMatchObject({ state: "delivered" });
  });
});

describe("a fifo", () => {
  it("waits for one that is retried, says so, and goes on by itself when that has ended", async () => {
    const world = worldWith(FIFO);
    world.transport.answer = () => response(500);
    const [one, two, other] = [event("a", 1), event("a", 2), event("b", 3)];
    await consume(world, "normal", [one.message()]);
    world.transport.answer = () => response(200);
    await consume(world, "normal", [two.message(), other.message()]);
    expect(sentTo(world)).toEqual(["a1", "b3"]);
    const head = rowOf(world, one.sketch, "crm");
    expect(rowOf(world, two.sketch, "crm")).toMatchObject({
      state: "parked",
      lastError: `order: waits for ${head?.event}`,
    });
    await settleDown(world, 3);
    expect(sentTo(world)).toEqual(["a1", "b3", "a1", "a2"]);
  });

  it("has what is behind a slow attempt wait for its answer, and no batch does", async () => {
    const world = worldWith(FIFO);
    world.transport.answer = async () => {
      await world.clock.timer(8_000).elapsed;
      return response(200);
    };
    const messages = [1, 2].map((number) => event("a", number).message());
    expect(await consume(world, "normal", messages)).toEqual(["ack", "ack"]);
    expect(sentTo(world)).toEqual(["a1"]);
    expect(world.queues.kept.normal.size).toBe(1);
    await settleDown(world);
    expect(sentTo(world)).toEqual(["a1", "a2"]);
  });

  it("goes on behind a dead letter, and one that is redriven takes its turn anew", async () => {
    const world = worldWith(FIFO, { retry: { delaysSeconds: [] } });
    world.transport.answer = () => response(400);
    const [one, two] = [event("a", 1), event("a", 2)];
    await consume(world, "normal", [one.message()]);
    expect(rowOf(world, one.sketch, "crm")).toMatchObject({ state: "dead" });
    world.transport.answer = () => response(200);
    await consume(world, "normal", [two.message()]);
    const [key] = [...world.ledger.deliveries].find(([, { state }]) => state === "dead") ?? [""];
    world.ledger.redrive(key);
    await world.clock.advance(400_000);
    await settleDown(world, 2);
    expect(sentTo(world)).toEqual(["a1", "a2", "a1"]);
  });

  it("is found by the sweeper when nobody calls the next", async () => {
    const world = worldWith(FIFO);
    world.transport.answer = () => response(500);
    const [one, two] = [event("a", 1), event("a", 2)];
    await consume(world, "normal", [one.message()]);
    await consume(world, "normal", [two.message()]);
    world.transport.answer = () => response(200);
    await world.clock.advance(60_000);
    const [again] = world.queues.take("normal", 10);
    if (again === undefined) throw new Error("the retry has a message");
    await consume(world, "normal", [messageOf(again.body)], broken(world, { next: down }));
    again.ack();
    expect(world.log.lines.map(({ event: line }) => line)).toContain("turns-not-passed");
    expect(sentTo(world)).toEqual(["a1", "a1"]);
    await settleDown(world, 2);
    expect(sentTo(world)).toEqual(["a1", "a1", "a2"]);
  });

  it("keeps its order through a pause of its target", async () => {
    const world = worldWith(FIFO, { closed: "paused" });
    const events = [1, 2, 3].map((number) => event("a", number));
    for (const at of [2, 0, 1]) {
      await consume(world, "normal", [events[at]?.message() ?? messageOf(new Uint8Array())]);
    }
    world.tenants.put("acme", { targets: { crm: { order: compileOrder(FIFO) }, log: {} } });
    expect(await world.ledger.release("acme", "crm")).toBe(3);
    await world.clock.advance(400_000);
    await settleDown(world, 4);
    expect(sentTo(world)).toEqual(["a1", "a2", "a3"]);
  });

  it("lets all go that waits once its target keeps no order any more", async () => {
    const world = worldWith(FIFO);
    world.transport.answer = () => response(500);
    await consume(world, "normal", [event("a", 1).message()]);
    world.transport.answer = () => response(200);
    await consume(world, "normal", [event("a", 2).message()]);
    expect(await world.ledger.release("acme", "crm")).toBe(0);
    world.tenants.put("acme", { targets: { crm: {}, log: {} } });
    expect(await world.ledger.release("acme", "crm")).toBe(1);
  });

  it("holds each for as long as it is told to, so that a straggler is in order", async () => {
    const world = worldWith({ ...FIFO, holdSeconds: 30 });
    const nowMs = world.clock.nowMs();
    const at = (number: number, receivedAtMs: number) => {
      const sketch = { key: `a-${number}`, receivedAtMs, to: ["crm"] };
      return messageWith(sketch, JSON.stringify({ order: "a", number }));
    };
    await consume(world, "normal", [at(2, nowMs - 5_000)]);
    expect([...world.ledger.deliveries.values()]).toMatchObject([
      { state: "pending", lastError: "order: held until 2026-01-01T00:00:25.000Z" },
    ]);
    await consume(world, "normal", [at(1, nowMs - 6_000)]);
    for (let second = 0; second < 40; second += 1) await settleDownOnce(world);
    expect(sentTo(world)).toEqual(["a1", "a2"]);
  });

  async function settleDownOnce(world: World): Promise<void> {
    for (const message of world.queues.take("normal", 10)) {
      await consume(world, "normal", [messageOf(message.body)]);
      message.ack();
    }
    await world.clock.advance(1_000);
  }
});

describe("the other orders", () => {
  it("latest-wins: of what waits only the newest goes, and says what it superseded", async () => {
    const world = worldWith({ ...FIFO, mode: "latest-wins" });
    world.transport.answer = async () => {
      await world.clock.timer(8_000).elapsed;
      return response(200);
    };
    const [one, two] = [event("a", 1), event("a", 2)];
    const [three, four] = [event("a", 3), event("a", 4)];
    await consume(world, "normal", [two.message()]);
    await consume(world, "normal", [one.message()]);
    expect(rowOf(world, one.sketch, "crm")).toMatchObject({
      state: "cancelled",
      lastError: `superseded by ${rowOf(world, two.sketch, "crm")?.event}`,
    });
    await consume(world, "normal", [four.message(), three.message()]);
    expect(rowOf(world, three.sketch, "crm")).toMatchObject({ state: "cancelled" });
    expect(sentTo(world)).toEqual(["a2", "a4"]);
  });

  it("drop-older: by what the event says, and a retry that was overtaken is dropped", async () => {
    const world = worldWith({ ...FIFO, mode: "drop-older", by: "$.data.version" });
    const versioned = (number: number, version: number) => {
      const sketch = {
        key: `a-${number}`,
        receivedAtMs: Date.UTC(2026, 0, 1) - 1_000 + number,
        to: ["crm"],
      };
      return {
        sketch,
        message: messageWith(sketch, JSON.stringify({ order: "a", number, version })),
      };
    };
    const [old, fresh, stale] = [versioned(3, 1), versioned(2, 5), versioned(4, 4)];
    world.transport.answer = () => response(500);
    await consume(world, "normal", [old.message]);
    world.transport.answer = () => response(200);
    await consume(world, "normal", [stale.message, fresh.message]);
    await settleDown(world, 2);
    expect(sentTo(world)).toEqual(["a3", "a4", "a2"]);
    expect(rowOf(world, old.sketch, "crm")).toMatchObject({
      ...{ state: "cancelled", attempts: 1 },
      lastError: `older than ${rowOf(world, stale.sketch, "crm")?.event}`,
    });
  });

  it.each(["latest-wins", "drop-older"] as const)(
    "%s: with another path for how new an event is, a known key begins anew",
    async (mode) => {
      const world = worldWith({ ...FIFO, mode, by: "$.receivedAt" });
      await consume(world, "normal", [event("a", 1).message()]);
      const order = compileOrder({ ...FIFO, mode, by: "$.data.number" });
      world.tenants.put("acme", { targets: { crm: { order }, log: {} } });
      await world.clock.advance(1_000);
      const [two, three] = [event("a", 2), event("a", 3)];
      await consume(world, "normal", [three.message()]);
      await consume(world, "normal", [two.message()]);
      expect(sentTo(world)).toEqual(["a1", "a3"]);
      expect(rowOf(world, two.sketch, "crm")).toMatchObject({ state: "cancelled" });
    },
  );

  it("two rules that send one event there make two deliveries, one after the other", async () => {
    const world = worldWith({ ...FIFO, mode: "latest-wins" });
    const twice = [boundTo("crm"), { ...boundTo("crm"), rule: "others" }];
    const sketch = { key: "a-1", to: twice };
    await consume(world, "normal", [messageWith(sketch, '{"order":"a","number":1}')]);
    expect(sentTo(world)).toEqual(["a1", "a1"]);
  });
});
