/** Targets that get batches, slow or closed or turned into others, and gates that die while they send to them. */
import { beforeEach, describe, expect, it } from "vitest";
import { type BatchBody, batchLimitsOf } from "../../src/core/batch/batch.ts";
import { BATCH_GUARD_MS, BATCH_LEASE_MARGIN_MS } from "../../src/core/batch/limits.ts";
import { GATE_TICK_MS } from "../../src/core/gate-limits.ts";
import { configureGate } from "../../src/flows/configure-gate.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { NO_GATE, type RuleSketch } from "../support/memory-tenants.ts";
import { response, type Sent } from "../support/memory-transport.ts";
import { batchedTenant, bringTo, cameTo, failing, SINK, type TargetSketch } from "./batching.ts";
import { consume, down, messageOf, messageWith } from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  createIsolate(world);
});

const tenantWith = (batch: BatchBody | null, more?: TargetSketch, rule?: Partial<RuleSketch>) =>
  batchedTenant(world, batch, more, rule);
const bring = (...keys: string[]) => bringTo(world, keys);
const came = () => cameTo(world);
const rows = () => [...world.ledger.deliveries.values()];
const states = () => rows().map(({ state }) => state);

describe("a receiver of batches that is slow", () => {
  /** It answers after so long. */
  const slowly = (ms: number, answer: (sent: Sent) => ReturnType<typeof response>) => {
    world.transport.answer = async (sent) => {
      await world.clock.timer(ms).elapsed;
      return answer(sent);
    };
  };

  it("gets what comes meanwhile beside it, and nothing twice", async () => {
    tenantWith({ seconds: 1 });
    slowly(14_000, () => response(200));
    await bring("a", "b");
    await world.clock.advance(1_500);
    await bring("c");
    await world.clock.advance(1_500);
    expect(came()).toEqual([["a", "b"], ["c"]]);
    await world.clock.advance(120_000);
    expect(came()).toHaveLength(2);
    expect(states()).toEqual(Array(3).fill("delivered"));
  });

  it("costs its gate nothing while as many are under way as may be", async () => {
    const writes: number[] = [];
    world.gates.memoBy((memo) => ({
      ...memo,
      write: (kept) => memo.write(kept).then(() => void writes.push(world.clock.nowMs())),
    }));
    tenantWith({ events: 1 });
    slowly(14_000, () => response(200));
    await bring("a", "b", "c", "d");
    await world.clock.advance(500);
    expect(came()).toHaveLength(4);
    await bring("e");
    writes.splice(0);
    await world.clock.advance(10_000);
    expect(writes.length).toBeLessThan(5);
    await world.clock.advance(60_000);
    expect(states()).toEqual(Array(5).fill("delivered"));
  });

  it("gets no more at once than its gate allows", async () => {
    tenantWith({ events: 1 }, { limits: { isSet: true, concurrency: 2 } });
    world.transport.answer = async () => {
      await world.clock.timer(3_000).elapsed;
      return response(200);
    };
    await bring("a", "b", "c", "d", "e");
    await world.clock.advance(30_000);
    expect(came()).toHaveLength(5);
    expect(world.transport.mostAtOnce).toBe(2);
  });

  it("gets what it refused when that is due, not when a lease would have ended", async () => {
    tenantWith({ seconds: 1 }, { retry: { delaysSeconds: [2] } });
    slowly(10_000, failing("a"));
    await bring("a");
    await world.clock.advance(11_500);
    slowly(0, () => response(200));
    await world.clock.advance(5_000);
    expect(came()).toEqual([["a"], ["a"]]);
  });
});

describe("a gate whose process dies", () => {
  /** At the first call of that method. */
  async function dieAt(port: "batches" | "pulls", method: string, seconds = 1) {
    tenantWith({ seconds });
    await bring("a");
    const { deliver } = createIsolate(world);
    const dying = { ...(await deliver[port]()), [method]: () => new Promise(() => {}) };
    createIsolate(world, { broken: { [port]: async () => dying } as Partial<DeliverPorts> });
    await world.clock.advance(seconds * 1_000 + 200);
    world.gates.restart();
    createIsolate(world);
  }

  it("goes on by its alarm, before a sweep, with what was leased as well", async () => {
    await dieAt("pulls", "lease");
    await world.clock.advance(BATCH_GUARD_MS);
    expect(came()).toEqual([["a"]]);
    world = createWorld();
    // What was leased does not wait for others once more.
    await dieAt("batches", "settle", 50);
    const leaseMs = 15_000 + BATCH_LEASE_MARGIN_MS;
    await world.clock.advance(leaseMs + 1_000);
    expect(came()).toEqual([["a"], ["a"]]);
    expect(states()).toEqual(["delivered"]);
  });

  it("gives up what killed it each time, where a person sees it", async () => {
    tenantWith({ seconds: 1 }, { retry: { delaysSeconds: [] } });
    await bring("a");
    for (let death = 0; death < 10; death += 1) {
      const { deliver } = createIsolate(world);
      const dying = { ...(await deliver.batches()), settle: () => new Promise<never>(() => {}) };
      createIsolate(world, { broken: { batches: async () => dying } });
      await world.clock.advance(2_000);
      world.gates.restart();
      createIsolate(world, { broken: { batches: async () => dying } });
      await world.clock.advance(200_000);
      world.gates.restart();
    }
    expect(rows()[0]).toMatchObject({
      state: "dead",
      lastError: "its batches ended without an answer again and again; attempts exhausted",
    });
  });
});

describe("a target that gets batches", () => {
  it("sends nothing while it is closed, and all when it is open again", async () => {
    tenantWith({ seconds: 1 });
    await bring("a");
    tenantWith({ seconds: 1 }, { closed: "paused" });
    await bring("b");
    await world.clock.advance(120_000);
    expect(came()).toEqual([]);
    tenantWith({ seconds: 1 });
    const { deliver } = createIsolate(world);
    await world.ledger.release("acme", "sink");
    await world.clock.run(sweep("overdue", deliver));
    await world.clock.advance(2_000);
    expect(came().flat().sort()).toEqual(["a", "b"]);
  });

  it("that gets none any more sends what waited one by one, by the next sweep", async () => {
    tenantWith({ seconds: 600 });
    await bring("a", "b");
    tenantWith(null);
    const { deliver } = createIsolate(world);
    await world.clock.run(sweep("overdue", deliver));
    await world.clock.advance(2_000);
    const packs = world.queues.take("normal", 10).map(({ body }) => messageOf(body));
    await consume(world, "normal", packs);
    expect(states()).toEqual(["delivered", "delivered"]);
  });

  it("sends by its new limits at once when they are saved", async () => {
    tenantWith({ seconds: 600 });
    await bring("a", "b");
    await world.clock.advance(10_000);
    tenantWith({ events: 2 });
    await world.clock.run(configureGate(SINK, createIsolate(world).deliver));
    await world.clock.advance(200);
    expect(came()).toEqual([["a", "b"]]);
  });

  it("sends at once when a limit that refused it is raised", async () => {
    const limits = { isSet: true, perDay: 1 };
    tenantWith({ events: 1 }, { limits });
    await bring("a", "b");
    await world.clock.advance(10_000);
    expect(came()).toEqual([["a"]]);
    tenantWith({ events: 1 }, { limits: { ...limits, perDay: 10 } });
    await world.clock.run(configureGate(SINK, createIsolate(world).deliver));
    await world.clock.advance(200);
    expect(came()).toEqual([["a"], ["b"]]);
  });

  it("loses no try, and no minute, to a lease of which no answer came", async () => {
    tenantWith({ seconds: 1 });
    const { deliver } = createIsolate(world);
    const pulls = await deliver.pulls();
    let isLost = false;
    const lease: typeof pulls.lease = async (...given) => {
      const leased = await pulls.lease(...given);
      if (isLost) return leased;
      isLost = true;
      throw new Error("the answer is lost");
    };
    createIsolate(world, { broken: { pulls: async () => ({ ...pulls, lease }) } });
    await bring("a");
    createIsolate(world, { broken: { pulls: async () => ({ ...pulls, lease }) } });
    await world.clock.advance(5_000);
    expect(came()).toEqual([["a"]]);
    expect(rows()[0]).toMatchObject({ state: "delivered", attempts: 1 });
  });

  it("is asked for no more looks than it needs by a gate that knows other limits", async () => {
    tenantWith({ seconds: 60 });
    await bring("a", "b");
    const { deliver } = createIsolate(world);
    const batches = await deliver.batches();
    let looks = 0;
    const look: typeof batches.look = (id, count) => {
      looks += 1;
      return batches.look(id, count);
    };
    createIsolate(world, { broken: { batches: async () => ({ ...batches, look }) } });
    await world.gates.wake(SINK, { ...NO_GATE, batch: batchLimitsOf({ seconds: 60, events: 1 }) });
    await world.clock.advance(10_000);
    expect(looks).toBe(2);
    expect(came()).toEqual([]);
    await world.clock.advance(51_000);
    expect(came()).toEqual([["a", "b"]]);
  });

  it("takes along what waited for its gate", async () => {
    tenantWith(null, { limits: { isSet: true, perDay: 0 } });
    await bring("a", "b");
    expect(rows().map(({ lastError }) => lastError)).toEqual(Array(2).fill("gate: quota"));
    tenantWith({ seconds: 1 });
    const { deliver } = createIsolate(world);
    await world.clock.advance(86_400_000);
    await world.clock.run(sweep("overdue", deliver));
    await world.clock.advance(3_000);
    expect(came().flat().sort()).toEqual(["a", "b"]);
  });

  it("sends what its gate was not told of, by the next sweep", async () => {
    tenantWith({ seconds: 5 });
    const tell = () => down();
    await consume(world, "normal", [messageWith({ key: "a", to: ["sink"] }, '{"key":"a"}')], {
      gates: { ...world.gates, tell },
    });
    await world.clock.advance(60_000);
    expect(came()).toEqual([]);
    const { deliver } = createIsolate(world);
    await world.clock.run(sweep("overdue", deliver));
    await world.clock.advance(1_000);
    expect(came()).toEqual([["a"]]);
  });

  it("gives up what waits too long, and not what is to be tried later", async () => {
    tenantWith({ seconds: 1 }, { retry: { delaysSeconds: [9 * 86_400] } });
    world.transport.answer = () => response(500);
    await bring("a");
    await world.clock.advance(3_000);
    const { deliver } = createIsolate(world);
    await world.clock.advance(8 * 86_400_000);
    await world.clock.run(sweep("overdue", deliver));
    expect(states()).toEqual(["parked"]);
    tenantWith({ seconds: 1 }, { limits: { perDay: 0, isSet: true } });
    await world.clock.advance(12 * 86_400_000);
    await world.clock.run(sweep("overdue", deliver));
    expect(rows()[0]).toMatchObject({ state: "dead" });
    expect(rows()[0]?.lastError).toMatch(/^parked for too long: /);
  });

  it("sends what its gate was told of while it looked, in its time", async () => {
    tenantWith({ seconds: 5 });
    const { deliver } = createIsolate(world);
    const batches = await deliver.batches();
    const look: typeof batches.look = async (id, count) => {
      const found = await batches.look(id, count);
      await world.clock.timer(1_000).elapsed;
      return found;
    };
    createIsolate(world, { broken: { batches: async () => ({ ...batches, look }) } });
    await world.gates.wake(SINK, { ...NO_GATE, batch: batchLimitsOf({ seconds: 5 }) });
    await world.clock.advance(100);
    const { gates } = world;
    await consume(world, "normal", [messageWith({ key: "a", to: ["sink"] }, '{"key":"a"}')], {
      gates,
      batches: async () => ({ ...batches, look }),
    });
    await world.clock.advance(7_000);
    expect(came()).toEqual([["a"]]);
  });

  it("has its gate write six rows for a batch, and one or two for what a consumer tells it of", async () => {
    const rows: string[] = [];
    world.gates.memoBy((memo) => ({
      ...memo,
      write: (kept) => memo.write(kept).then(() => void rows.push("state")),
      setAlarm: (atMs) => memo.setAlarm(atMs).then(() => void rows.push("alarm")),
    }));
    tenantWith({ seconds: 5 });
    await bring("a");
    expect(rows.splice(0)).toEqual(["state", "alarm"]);
    await bring("b", "c");
    expect(rows.splice(0)).toEqual(["state", "state"]);
    await world.clock.advance(6_000);
    expect(states()).toEqual(Array(3).fill("delivered"));
    expect(rows.toSorted()).toEqual(["alarm", ...Array(5).fill("state")]);
  });

  it("says when the next one goes", async () => {
    tenantWith({ seconds: 30 });
    expect(await world.gates.nextBatchMs(SINK)).toBeNull();
    const atMs = world.clock.nowMs();
    await bring("a");
    expect(await world.gates.nextBatchMs(SINK)).toBe(atMs + 30_000);
    await world.clock.advance(30_000 + GATE_TICK_MS);
    expect(await world.gates.nextBatchMs(SINK)).toBeNull();
  });
});
