/** Batches and the gates of their targets: limits hold, what is above them waits in the ledger, and all goes out. */
import { beforeEach, describe, expect, it } from "vitest";
import { PARKED_CLOSED_MS_MAX, PARKED_MS_MAX } from "../../src/core/gate/limits.ts";
import { GATE_FORGET_MS, GATE_UNREACHABLE_MS } from "../../src/core/gate-limits.ts";
import { configureGate } from "../../src/flows/configure-gate.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { keepGated } from "../../src/flows/keep-parked.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { boundTo } from "../support/memory-records.ts";
import { createIsolate } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { down, messageWith, rowOf } from "./consumer.ts";
import { batchOf, createPager } from "./pager.ts";

const most = (countMax: number) => ({ ageMs: PARKED_MS_MAX, countMax });

let { world, ports, pagerWith, run, batch, states, mostWithin } = createPager();

beforeEach(() => {
  ({ world, ports, pagerWith, run, batch, states, mostWithin } = createPager());
});

describe("a target with a rate", () => {
  it("is never called more often in any second; what is above it is parked, says why, and goes out", async () => {
    pagerWith({ perSecond: 4 });
    await batch(batchOf(30));
    const waiting = [...world.ledger.deliveries.values()].filter(({ state }) => state === "parked");
    expect(waiting.length).toBeGreaterThan(15);
    expect(waiting[0]).toMatchObject({
      attempts: 0,
      lastError: "gate: rate",
      dueAtMs: expect.any(Number),
    });
    await run(20);
    expect(states()).toEqual({ delivered: 30 });
    expect(world.transport.sent).toHaveLength(30);
    expect(mostWithin(1_000)).toBeLessThanOrEqual(5);
  });

  it("keeps no more parked than may be: the least urgent and newest are given up and say so", async () => {
    pagerWith({ perSecond: 1 });
    await batch(batchOf(8));
    await world.clock.advance(1);
    const urgent = ["u1", "u2", "u3", "u4"].map((key) =>
      messageWith({ key, to: [boundTo("pager", "critical")] }),
    );
    await world.clock.run(deliverBatch("critical", urgent, ports));
    const rows = () => [...world.ledger.deliveries.values()];
    const parked = () => rows().filter(({ state }) => state === "parked");
    const urgentOnes = () => parked().filter(({ priority }) => priority === "critical").length;
    const [before, urgentBefore] = [parked().length, urgentOnes()];
    expect(urgentBefore).toBeGreaterThan(1);
    const buried = await world.clock.run(
      keepGated({ tenant: "acme", target: "pager" }, ports, most(3)),
    );
    expect(buried).toBe(before - 3);
    expect(parked()).toHaveLength(3);
    expect(urgentOnes()).toBe(urgentBefore);
    const dead = rows().filter(({ state }) => state === "dead");
    expect(new Set(dead.map(({ lastError }) => lastError))).toEqual(
      new Set(["3 deliveries wait for their target already, as many as may"]),
    );
  });

  it("keeps no more parked also while nothing of it may go for an hour, in few looks", async () => {
    pagerWith({});
    world.transport.answer = () => response(429, 3_600_000);
    await batch(batchOf(1));
    await batch(batchOf(6, ["pager"], "later"));
    const pulls = await ports.pulls();
    let looks = 0;
    const excess: typeof pulls.excess = (...asked) => {
      looks += 1;
      return pulls.excess(...asked);
    };
    const counted = { ...ports, pulls: async () => ({ ...pulls, excess }) };
    const id = { tenant: "acme", target: "pager" };
    expect(states()).toEqual({ retrying: 1, parked: 6 });
    expect(await world.clock.run(keepGated(id, counted, most(2)))).toBe(4);
    expect(states()).toEqual({ retrying: 1, parked: 2, dead: 4 });
    expect(await world.clock.run(keepGated(id, counted, most(2)))).toBe(0);
    expect(looks).toBe(2);
  });

  it.each([
    ["open", PARKED_MS_MAX],
    ["closed", PARKED_CLOSED_MS_MAX],
  ])("that is %s has what its gate has parked kept for its time", async (state, keptMs) => {
    world.gates.memoBy((memo) => ({ ...memo, setAlarm: async () => {} }));
    world.gates.releaseBy(async () => []);
    pagerWith({ perSecond: 1 });
    await batch(batchOf(6));
    const parked = states().parked ?? 0;
    expect(parked).toBeGreaterThan(2);
    if (state === "closed") world.tenants.disable("acme", "pager", "410");
    await world.clock.advance(keptMs - 60_000);
    await world.clock.run(sweep("overdue", ports));
    expect(states()).toMatchObject({ parked });
    await world.clock.advance(120_000);
    await world.clock.run(sweep("overdue", ports));
    expect(states()).toMatchObject({ dead: parked });
  });

  it("gets what is urgent first of what waited", async () => {
    pagerWith({ perSecond: 2 });
    await batch(batchOf(10, ["pager"], "first"));
    const urgent = messageWith({ key: "urgent", to: [boundTo("pager", "critical")] });
    await world.clock.run(deliverBatch("critical", [urgent], ports));
    await run(15);
    const order = world.transport.sent.map(({ headers }) => headers.get("signalbox-event"));
    const urgentRow = [...world.ledger.deliveries.values()].find(
      ({ priority }) => priority === "critical",
    );
    expect(order.indexOf(urgentRow?.event)).toBeLessThan(8);
    expect(states()).toEqual({ delivered: 11 });
  });
});

describe("a target with a concurrency", () => {
  it("has never more requests at once, from however many consumers", async () => {
    pagerWith({ concurrency: 2 });
    world.transport.answer = async () => {
      await world.clock.timer(200).elapsed;
      return response(200);
    };
    const isolates = [1, 2, 3].map((seed) => createIsolate(world, { seed }).deliver);
    const batches = isolates.map((each, at) =>
      deliverBatch("normal", batchOf(8, ["pager"], `b${at}`), each),
    );
    await world.clock.run(Promise.all(batches));
    await run(30);
    expect(world.transport.mostAtOnce).toBe(2);
    expect(states()).toEqual({ delivered: 24 });
  });
});

describe("a target with a daily quota", () => {
  it("gets no more than that on one day, and the rest on the next", async () => {
    pagerWith({ perDay: 3 });
    await batch(batchOf(5));
    await run(60);
    expect(states()).toEqual({ delivered: 3, parked: 2 });
    await world.clock.advance(86_400_000 - 60_000);
    await run(60);
    expect(states()).toEqual({ delivered: 5 });
  });
});

describe("a gate that does not answer", () => {
  const broken = () =>
    createIsolate(world, { broken: { gates: { ...world.gates, tell: down } } }).deliver;

  it("lets nothing pass of a target with limits: what comes waits, and is brought back by the sweeper", async () => {
    pagerWith({ concurrency: 1 });
    await batch(batchOf(3), broken());
    expect(world.transport.sent).toEqual([]);
    expect(rowOf(world, { key: "key-0" }, "pager")).toMatchObject({
      ...{ state: "parked", lastError: "its gate did not answer" },
      dueAtMs: world.clock.nowMs() + GATE_UNREACHABLE_MS,
    });
    await world.clock.run(sweep("overdue", createIsolate(world).deliver));
    await run(10);
    expect(states()).toEqual({ delivered: 3 });
  });

  it("holds up nothing for a target without limits", async () => {
    pagerWith(null);
    world.transport.answer = () => response(500);
    const isolate = broken();
    await batch(batchOf(1), isolate);
    world.transport.answer = () => response(200);
    await batch(batchOf(3, ["pager"], "later"), isolate);
    expect(world.transport.sent).toHaveLength(4);
  });
});

describe("a target that is well and has no limits", () => {
  it("costs no call to a gate", async () => {
    pagerWith(null);
    await batch(batchOf(20));
    expect(world.gates.calls).toBe(0);
    expect(states()).toEqual({ delivered: 20 });
  });
});

describe("a gate that does not answer", () => {
  it("holds up no delivery to another target, and its own wait in the ledger", async () => {
    pagerWith({ concurrency: 2 }, ["mail"]);
    const hanging = {
      ...ports,
      gates: { ...ports.gates, tell: () => new Promise<never>(() => {}) },
    };
    const startedAtMs = world.clock.nowMs();
    await batch(batchOf(3, ["pager", "mail"]), hanging);
    expect(world.transport.sent.map(({ atMs }) => atMs)).toEqual(Array(3).fill(startedAtMs));
    expect(states()).toEqual({ delivered: 3, parked: 3 });
  });
});

describe("limits that change", () => {
  it("let go what waited for the old ones, when the sweeper comes by", async () => {
    pagerWith({ perDay: 3 });
    await batch(batchOf(5));
    await run(5);
    expect(states()).toEqual({ delivered: 3, parked: 2 });
    pagerWith({ perDay: 100 });
    await world.clock.run(sweep("overdue", ports));
    await run(5);
    expect(states()).toEqual({ delivered: 5 });
  });

  it("let it go at once where the gate is told of them", async () => {
    pagerWith({ perDay: 3 });
    await batch(batchOf(5));
    await run(5);
    pagerWith({ perDay: 100 });
    await world.clock.run(configureGate({ tenant: "acme", target: "pager" }, ports));
    await run(5);
    expect(states()).toEqual({ delivered: 5 });
  });

  it("make no gate where none was asked", async () => {
    pagerWith({ perDay: 3 });
    await configureGate({ tenant: "acme", target: "pager" }, ports);
    expect([...world.gates.kept]).toEqual([]);
  });

  it("are told to a gate that is down, and nobody is refused for it", async () => {
    pagerWith({ perDay: 3 });
    const { deliver } = createIsolate(world, { broken: { gates: { ...world.gates, tell: down } } });
    await configureGate({ tenant: "acme", target: "pager" }, deliver);
    expect(world.log.of("gate-unreachable")).toHaveLength(1);
  });
});

describe("a target that was deleted and made anew", () => {
  it("is held back by nothing that the one before was asked or had used up", async () => {
    pagerWith({ perDay: 2 });
    world.transport.answer = () => response(429, 3_600_000);
    await batch(batchOf(1));
    await run(1);
    world.tenants.put("acme", { targets: {} });
    await world.clock.advance(1_000);
    pagerWith({ perDay: 2 });
    world.transport.answer = () => response(200);
    await batch(batchOf(2, ["pager"], "later"));
    expect(world.transport.sent).toHaveLength(3);
  });
});

describe("a gate that nobody needs any more", () => {
  it("forgets a day after its last ask, and not while something waits", async () => {
    pagerWith({ perSecond: 4 });
    await batch(batchOf(3));
    await run(2);
    expect(world.gates.kept.size).toBe(1);
    await world.clock.advance(2 * GATE_FORGET_MS + 60_000);
    expect(world.gates.kept.size).toBe(0);
    await batch(batchOf(3, ["pager"], "again"));
    await run(2);
    expect(states()).toEqual({ delivered: 6 });
  });
});

describe("a lease", () => {
  it("starts nothing that could still be under way when its slots belong to others", async () => {
    pagerWith({ concurrency: 1 });
    world.transport.answer = () => response(200);
    await batch(batchOf(40));
    await run(30);
    let ms = 900;
    world.transport.answer = async () => {
      await world.clock.timer(ms).elapsed;
      return response(200);
    };
    world.transport.mostAtOnce = 0;
    const others = [2, 3].map((seed) => createIsolate(world, { seed }).deliver);
    const batches = others.map((each, at) =>
      deliverBatch("normal", batchOf(100, ["pager"], `b${at}`), each),
    );
    void Promise.all(batches);
    await world.clock.advance(26_000);
    ms = 14_000;
    await run(60);
    expect(world.transport.mostAtOnce).toBe(1);
  });
});
