/** Targets that are paused, disabled, moved or removed while a batch is at work on their deliveries. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { LEASE_MARGIN_MS, LEASE_SECONDS, LEDGER_TIMEOUT_MS } from "../../src/core/limits.ts";
import { CHANGES_ASK_MS } from "../../src/core/operator-limits.ts";
import { compileOrder } from "../../src/core/order/order.ts";
import type { Target } from "../../src/core/tenant.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Ledger } from "../../src/ports/ledger.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, down, dyingClock, messageOf, messageWith, type TestMessage } from "./consumer.ts";
import { settleDown } from "./settle-down.ts";

const PAUSED = { closed: "paused" } as const;
/** An answer takes so long: sixty of them are a batch of two seconds. */
const ANSWER_MS = 200;
const EVENTS = 60;

let world: World;
let beginsMs: number[];

beforeEach(() => {
  world = createWorld();
  beginsMs = [];
  have({});
  world.transport.answer = async () => {
    beginsMs.push(world.clock.nowMs());
    await world.clock.timer(ANSWER_MS).elapsed;
    return response(200);
  };
});

const have = (pager: Partial<Target>) =>
  void world.tenants.put("acme", { targets: { pager, mail: {} } });

const messages = (target = "pager", count = EVENTS): TestMessage[] =>
  Array.from({ length: count }, (_, at) => messageWith({ key: `${target} ${at}`, to: [target] }));

/** A batch at work since now. */
function atWork(batch: readonly TestMessage[], broken: Partial<DeliverPorts> = {}): Promise<void> {
  return deliverBatch("normal", batch, createIsolate(world, { broken }).deliver);
}

function rows(): { state: string; lastError: string | null; dueAtMs: number | null }[] {
  return [...world.ledger.deliveries.values()];
}
const count = (state: string): number => rows().filter((row) => row.state === state).length;
const answers = (batch: readonly TestMessage[]) => new Set(batch.flatMap((each) => each.answers));

/** Counts what a batch asks, and may break it. */
function asked(changes: Ledger["changes"] = world.ledger.changes) {
  const state = { count: 0 };
  const ledger: Ledger = {
    ...world.ledger,
    changes(known) {
      state.count += 1;
      return changes(known);
    },
  };
  return { state, ledger };
}

describe("a target that is paused while a batch is at work", () => {
  it("gets no attempt a second later, and what is left is parked as by a claim", async () => {
    const batch = messages();
    const work = atWork(batch);
    await world.clock.advance(700);
    have(PAUSED);
    const pausedAtMs = world.clock.nowMs();
    await world.clock.run(work);
    expect(Math.max(...beginsMs)).toBeLessThan(pausedAtMs + CHANGES_ASK_MS);
    expect(count("delivered")).toBe(beginsMs.length);
    const parked = rows().filter(({ state }) => state === "parked");
    expect(parked).toHaveLength(EVENTS - beginsMs.length);
    for (const each of parked) {
      expect(each).toMatchObject({ lastError: "target paused", dueAtMs: null });
    }
    expect(answers(batch)).toEqual(new Set(["ack"]));
  });

  it("gets none either when its answers take longer than a second each", async () => {
    world.transport.answer = async () => {
      beginsMs.push(world.clock.nowMs());
      await world.clock.timer(5_000).elapsed;
      return response(200);
    };
    const work = atWork(messages("pager", 20));
    await world.clock.advance(100);
    have(PAUSED);
    const pausedAtMs = world.clock.nowMs();
    await world.clock.run(work);
    expect(Math.max(...beginsMs)).toBeLessThan(pausedAtMs + 1_000);
    expect(count("parked")).toBeGreaterThan(0);
  });

  it("holds up no other of the tenant", async () => {
    const batch = [...messages(), ...messages("mail")];
    const work = atWork(batch);
    await world.clock.advance(700);
    have(PAUSED);
    await world.clock.run(work);
    const ofMail = [...world.ledger.deliveries.values()].filter(({ target }) => target === "mail");
    expect(new Set(ofMail.map(({ state }) => state))).toEqual(new Set(["delivered"]));
    expect(ofMail).toHaveLength(EVENTS);
  });

  it("and is resumed gets everything, what was parked and what comes then, each once", async () => {
    const { deliver } = createIsolate(world);
    const work = deliverBatch("normal", messages(), deliver);
    await world.clock.advance(700);
    have(PAUSED);
    await world.clock.advance(600);
    const parked = count("parked");
    expect(parked).toBeGreaterThan(0);
    have({});
    await world.clock.run(deliver.ledger.release("acme", "pager"));
    await world.clock.run(work);
    for (const row of world.ledger.deliveries.values()) {
      expect(["delivered", "pending"]).toContain(row.state);
    }
    const due = await deliver.ledger.due(0, EVENTS);
    expect(due).toHaveLength(EVENTS - beginsMs.length);
    expect(count("delivered")).toBe(beginsMs.length);
  });

  it("and resumed before anybody asked goes on as before", async () => {
    const work = atWork(messages());
    await world.clock.advance(510);
    have(PAUSED);
    await world.clock.advance(CHANGES_ASK_MS - 20);
    have({});
    await world.clock.run(work);
    expect(count("delivered")).toBe(EVENTS);
  });
});

describe("a target in order that is paused while a batch is at work", () => {
  it("begins nothing of a key a second later, and goes on where it was when it is resumed", async () => {
    const order = compileOrder({ key: "$.data.key", mode: "fifo" });
    have({ order });
    world.transport.answer = async () => {
      beginsMs.push(world.clock.nowMs());
      await world.clock.timer(400).elapsed;
      return response(200);
    };
    const numbers = [1, 2, 3, 4, 5, 6];
    const batch = ["a", "b"].flatMap((key) =>
      numbers.map((number) => {
        const receivedAtMs = world.clock.nowMs() - 1_000 + number;
        const sketch = { key: `${key} ${number}`, receivedAtMs, to: ["pager"] };
        return messageWith(sketch, JSON.stringify({ key, number }));
      }),
    );
    const work = consume(world, "normal", batch);
    await world.clock.advance(900);
    have({ order, ...PAUSED });
    const pausedAtMs = world.clock.nowMs();
    await work;
    expect(Math.max(...beginsMs)).toBeLessThan(pausedAtMs + 1_000);
    expect(beginsMs.length).toBeLessThan(2 * numbers.length);
    const begun = beginsMs.length;
    await settleDown(world, 2);
    expect(beginsMs).toHaveLength(begun);
    have({ order });
    await world.ledger.release("acme", "pager");
    await settleDown(world, 5);
    const sent = () =>
      world.transport.sent.map(({ body }) =>
        JSON.parse(platformText.decode(body as Uint8Array) ?? "{}"),
      );
    for (const key of ["a", "b"]) {
      expect(sent().filter((each) => each.key === key)).toEqual(
        numbers.map((number) => ({ key, number })),
      );
    }
  });
});

describe("a batch at work", () => {
  it.each<[string, () => void, string, string]>([
    [
      "a disabled target",
      () => void world.tenants.disable("acme", "pager", "410"),
      "parked",
      "target disabled",
    ],
    [
      "a target that was deleted",
      () => void world.tenants.put("acme", { targets: {} }),
      "cancelled",
      "target deleted",
    ],
    [
      "a tenant that was deleted",
      () => world.tenants.delete("acme"),
      "cancelled",
      "tenant deleted",
    ],
  ])("begins nothing more for %s", async (_, change, state, lastError) => {
    const work = atWork(messages());
    await world.clock.advance(700);
    change();
    const changedAtMs = world.clock.nowMs();
    await world.clock.run(work);
    expect(Math.max(...beginsMs)).toBeLessThan(changedAtMs + CHANGES_ASK_MS);
    const left = rows().filter((row) => row.state !== "delivered");
    for (const each of left) expect(each).toMatchObject({ state, lastError });
  });

  it("sends nothing to a target of a tenant that was deleted and made anew", async () => {
    const work = atWork(messages());
    await world.clock.advance(700);
    world.tenants.delete("acme");
    have({ url: "https://other.example.com/" });
    await world.clock.run(work);
    expect(new Set(world.transport.sent.map(({ url }) => url))).toEqual(
      new Set(["https://pager.example.com/"]),
    );
  });

  it("sends to where a target has moved", async () => {
    const work = atWork(messages());
    await world.clock.advance(700);
    have({ url: "https://moved.example.com/" });
    const movedAtMs = world.clock.nowMs();
    await world.clock.run(work);
    const late = world.transport.sent.filter((_, at) => (beginsMs[at] ?? 0) >= movedAtMs + 500);
    expect(late.length).toBeGreaterThan(0);
    expect(new Set(late.map(({ url }) => url))).toEqual(new Set(["https://moved.example.com/"]));
  });

  it("asks nothing while it is short, and no more than twice a second when it is not", async () => {
    const short = asked();
    await world.clock.run(atWork(messages("pager", 12), { ledger: short.ledger }));
    expect(short.state.count).toBe(0);
    const long = asked();
    await world.clock.run(atWork(messages("mail"), { ledger: long.ledger }));
    expect(long.state.count).toBeGreaterThan(1);
    expect(long.state.count).toBeLessThanOrEqual(4);
  });

  it("reads a tenant once more only when that has changed", async () => {
    const work = atWork(messages());
    await world.clock.advance(1_200);
    expect(world.tenants.loads).toHaveLength(1);
    have({});
    await world.clock.run(work);
    expect(world.tenants.loads).toHaveLength(2);
  });

  it("asks no more once it is over", async () => {
    const { state, ledger } = asked();
    await world.clock.run(atWork(messages(), { ledger }));
    const before = state.count;
    await world.clock.advance(LEASE_SECONDS * 1_000);
    expect(state.count).toBe(before);
    expect(world.clock.armed).toBe(0);
  });
});

describe("a ledger that", () => {
  it.each<[string, Ledger["changes"]]>([
    ["refuses", down],
    ["hangs", () => new Promise<never>(() => {})],
    [
      "answers late",
      async (known) => {
        await world.clock.timer(LEDGER_TIMEOUT_MS - 1).elapsed;
        return world.ledger.changes(known);
      },
    ],
  ])(
    "%s when it is asked for changes holds up no batch, which goes on as it knows",
    async (_, changes) => {
      const { ledger } = asked(changes);
      const batch = messages();
      const startMs = world.clock.nowMs();
      const work = atWork(batch, { ledger });
      await world.clock.advance(700);
      have(PAUSED);
      await world.clock.run(work);
      expect(world.clock.nowMs() - startMs).toBeLessThan((EVENTS / 6) * ANSWER_MS + 500);
      expect(count("delivered")).toBe(EVENTS);
      expect(answers(batch)).toEqual(new Set(["ack"]));
    },
  );

  it("refuses once is asked again half a second later, and says so", async () => {
    let isDown = true;
    const { ledger } = asked((known) => {
      const wasDown = isDown;
      isDown = false;
      return wasDown ? down() : world.ledger.changes(known);
    });
    have({});
    const work = atWork(messages(), { ledger });
    await world.clock.advance(100);
    have(PAUSED);
    await world.clock.run(work);
    expect(Math.max(...beginsMs) - Math.min(...beginsMs)).toBeLessThan(2 * CHANGES_ASK_MS);
    expect(count("parked")).toBeGreaterThan(0);
    expect(world.log.lines.map(({ event }) => event)).toContain("changes-unknown");
  });

  it("hangs for as long as a lease is asked no more when that ends", async () => {
    world.transport.answer = () => new Promise<never>(() => {});
    const { state, ledger } = asked(() => new Promise<never>(() => {}));
    const work = atWork(messages("pager", 1), { ledger });
    await world.clock.advance(LEASE_SECONDS * 2_000);
    void work;
    const most = (LEASE_SECONDS * 1_000 - LEASE_MARGIN_MS) / LEDGER_TIMEOUT_MS;
    expect(state.count).toBeLessThanOrEqual(Math.ceil(most));
  });
});

describe("a process that dies", () => {
  it("while it parks what was paused loses nothing, and all goes out after the resumption", async () => {
    const batch = messages();
    let isDead = false;
    const clock: Clock = {
      nowMs: world.clock.nowMs,
      timer: (ms) => (isDead ? dyingClock(world) : world.clock).timer(ms),
    };
    const settle: Ledger["settle"] = (token, results, copies) => {
      isDead ||= results.some(({ state }) => state === "parked");
      return isDead ? new Promise<never>(() => {}) : world.ledger.settle(token, results, copies);
    };
    void atWork(batch, { clock, ledger: { ...world.ledger, settle } });
    await world.clock.advance(700);
    have(PAUSED);
    await world.clock.advance(LEASE_SECONDS * 1_000 + 1);
    expect(isDead).toBe(true);
    expect(answers(batch)).toEqual(new Set());
    have({});
    await consume(
      world,
      "normal",
      batch.map(({ body }) => messageOf(body, 2)),
    );
    expect(count("delivered")).toBe(EVENTS);
  });
});
