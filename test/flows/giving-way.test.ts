/** Queues that share an isolate: less urgent batches begin their attempts between more urgent ones. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  GIVEN_WAY_MS,
  WAY_LOOK_MS_MAX,
  WAY_PACE_MS,
  WAY_WAIT_MS_MAX,
} from "../../src/core/deliver/limits.ts";
import type { Priority } from "../../src/core/priority.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { createGivingWay, type GivingWay } from "../../src/flows/giving-way.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { boundTo, frameOf, packOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";

/** Its own limits: what has none is paced by nobody. */
const GATE = { concurrency: 6, perSecond: null, perDay: null, isAdaptive: false, isSet: true };

describe("a turn", () => {
  let clock: FakeClock;
  let way: GivingWay;

  beforeEach(() => {
    clock = createFakeClock();
    way = createGivingWay();
  });

  const waited = async (turn: Promise<void> | null): Promise<number> => {
    const fromMs = clock.nowMs();
    if (turn !== null) await clock.run(turn);
    return clock.nowMs() - fromMs;
  };

  it("is there at once where nothing more urgent was at work", () => {
    way.begins("bulk", clock);
    way.begins("replay", clock)();
    for (const role of ["critical", "normal", "bulk"] as const) {
      expect(way.turn(role, clock)).toBeNull();
    }
  });

  it("waits until the urgent batch has ended, and no longer than it has waited by then", async () => {
    for (const lastsMs of [3, 10, 25, 150]) {
      const ended = way.begins("critical", clock);
      const fromMs = clock.nowMs();
      let begunAtMs = 0;
      void way.turn("bulk", clock)?.then(() => {
        begunAtMs = clock.nowMs();
      });
      await clock.advance(lastsMs);
      ended();
      expect(begunAtMs).toBe(0);
      await clock.advance(WAY_LOOK_MS_MAX + WAY_PACE_MS);
      expect(begunAtMs - fromMs).toBeGreaterThanOrEqual(lastsMs);
      expect(begunAtMs - fromMs).toBeLessThanOrEqual(2 * lastsMs + WAY_PACE_MS);
    }
  });

  it("does not wait longer than its time for a batch that lasts", async () => {
    way.begins("normal", clock);
    expect(await waited(way.turn("bulk", clock))).toBe(WAY_WAIT_MS_MAX);
  });

  it("comes at its distance from another's while urgent batches come", async () => {
    way.begins("critical", clock)();
    const begun: number[] = [];
    const six = Array.from({ length: 6 }, async (_, at) => {
      await way.turn(at % 2 === 0 ? "bulk" : "normal", clock);
      begun.push(clock.nowMs());
    });
    await clock.run(Promise.all(six));
    for (const [at, atMs] of begun.slice(1).entries()) {
      expect(atMs - (begun[at] ?? 0)).toBeGreaterThanOrEqual(WAY_PACE_MS);
    }
  });

  it("takes one that was cut off for ended after a second, while others come", async () => {
    way.begins("critical", clock);
    await clock.advance(GIVEN_WAY_MS);
    way.begins("critical", clock)();
    expect(await waited(way.turn("bulk", clock))).toBeLessThan(WAY_WAIT_MS_MAX);
  });

  it("does not wait for an invocation that was cut off, nor after the clock was set back", async () => {
    way.begins("critical", clock);
    await clock.advance(GIVEN_WAY_MS);
    expect(way.turn("bulk", clock)).toBeNull();
    way.begins("critical", { ...clock, nowMs: () => clock.nowMs() + 60_000 });
    expect(way.turn("bulk", clock)).toBeNull();
  });
});

describe("bulk beside critical batches of one isolate", () => {
  let world: World;
  let ports: DeliverPorts;
  /** What a critical batch was at work with, from and to. */
  let urgent: (readonly [number, number])[];

  beforeEach(async () => {
    world = createWorld();
    world.tenants.put("acme", {
      targets: {
        critical: { url: "https://critical.example.com/" },
        bulk: { url: "https://bulk.example.com/" },
        paced: { url: "https://paced.example.com/", gate: GATE },
      },
    });
    ports = createIsolate(world).deliver;
    urgent = [];
  });

  const queue = async (name: Priority, target: string, count: number): Promise<void> => {
    const { revision = 1 } = (await world.tenants.load("acme")) ?? {};
    const frames = Array.from({ length: count }, (_, at) => {
      const own = { tenant: "acme", revision, key: `${target}-${world.clock.nowMs()}-${at}` };
      return {
        content: frameOf({
          to: [boundTo(target, name)],
          ...own,
          receivedAtMs: world.clock.nowMs(),
        }),
      };
    });
    await world.queues.send(name, [packOf(...frames)]);
  };

  /** Works on `count` of `target` while a critical event comes every `everyMs`; answers when each of bulk began. */
  async function beside(target: string, count: number, everyMs: number): Promise<number[]> {
    const begun: number[] = [];
    world.transport.answer = async ({ url }) => {
      const isUrgent = url.includes("critical");
      if (!isUrgent) begun.push(world.clock.nowMs());
      await world.clock.timer(isUrgent ? 12 : 5).elapsed;
      return response(200);
    };
    await queue("bulk", target, count);
    const bulk = deliverBatch("bulk", world.queues.take("bulk", 10), ports);
    let isOver = false;
    const critical = (async () => {
      while (!isOver) {
        await queue("critical", "critical", 1);
        const fromMs = world.clock.nowMs();
        await deliverBatch("critical", world.queues.take("critical", 10), ports);
        urgent.push([fromMs, world.clock.nowMs()]);
        await world.clock.timer(everyMs).elapsed;
      }
    })();
    await world.clock.run(bulk.then(() => (isOver = true)));
    await world.clock.run(critical);
    return begun;
  }

  it("begins between them, and all of it is delivered", async () => {
    const begun = await beside("bulk", 60, 15);
    expect(begun).toHaveLength(60);
    const during = begun.filter((atMs) => urgent.some(([from, to]) => from < atMs && atMs < to));
    expect(urgent.length).toBeGreaterThan(5);
    // One may have waited for its longest.
    expect(during.length).toBeLessThan(begun.length / 20);
    for (const { state } of world.ledger.deliveries.values()) expect(state).toBe("delivered");
  });

  it("goes on at the gate's pace where its target has one", async () => {
    const begun = await beside("paced", 60, 15); // what its gate lets go at once
    expect(begun.length).toBeGreaterThan(6);
    expect(begun.some((atMs) => urgent.some(([from, to]) => from < atMs && atMs < to))).toBe(true);
  });
});
