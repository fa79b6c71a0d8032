/** What is let go and a lease does not hold: the batch asks for more before its slots rest, and parks nothing anew. */
import { beforeEach, describe, expect, it } from "vitest";
import { GATE_MORE_MS_MAX, GATE_TIMEOUT_MS } from "../../src/core/gate-limits.ts";
import type { Gate } from "../../src/core/tenant.ts";
import { configureGate } from "../../src/flows/configure-gate.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { releaseParked } from "../../src/flows/release-parked.ts";
import type { Gates, GateTold } from "../../src/ports/gates.ts";
import { boundTo } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { messageOf, messageWith, type TestMessage } from "./consumer.ts";

const ID = { tenant: "acme", target: "pager" };
const SLOTS = 6;
const GATE: Gate = {
  ...{ concurrency: SLOTS, perSecond: null, perDay: null, isAdaptive: false, isSet: true },
};
/** What one lease holds, of attempts that last half a second. */
const LEASE = 24;
let world: World;
let ports: DeliverPorts;
let attemptMs: number;

beforeEach(begin);

function begin(): void {
  world = createWorld();
  ports = createIsolate(world).deliver;
  // Nothing is let go but by the tests.
  world.gates.releaseBy(async () => []);
  world.tenants.put("acme", { targets: { pager: { gate: GATE } } });
  attemptMs = 500;
  world.transport.answer = async () => {
    await world.clock.timer(attemptMs).elapsed;
    return response(200);
  };
}

const batchOf = (count: number): TestMessage[] =>
  Array.from({ length: count }, (_, at) => messageWith({ key: `key-${at}`, to: ["pager"] }));

const states = () =>
  Object.fromEntries(
    [...Map.groupBy(world.ledger.deliveries.values(), ({ state }) => state)].map(([state, all]) => [
      state,
      all.length,
    ]),
  );

/** A batch of `count` that were parked and let go, at work; what has been sent before is forgotten. */
async function letGo(count: number, by = ports): Promise<{ readonly work: Promise<void> }> {
  await world.clock.run(deliverBatch("normal", batchOf(LEASE + count), by));
  expect(states()).toEqual({ delivered: LEASE, parked: count });
  await world.clock.run(releaseParked(ID, { count, retries: count }, by));
  world.transport.sent.length = 0;
  const messages = world.queues.take("normal", 100).map(({ body }) => messageOf(body));
  return { work: deliverBatch("normal", messages, by) };
}

/** Its gates, which hear of everything by `hear` first. */
const hearing = (hear: (told: GateTold) => Promise<void> | void): DeliverPorts => {
  const tell: Gates["tell"] = async (id, told) => {
    await hear(told);
    return world.gates.tell(id, told);
  };
  const isolate = createIsolate(world, { broken: { gates: { ...world.gates, tell } } });
  world.gates.releaseBy(async () => []);
  return isolate.deliver;
};

describe("a batch that has more than its lease holds", () => {
  it("sends it all, its slots always full and never more than they are, and parks nothing", async () => {
    const { work } = await letGo(60);
    const fromMs = world.clock.nowMs();
    await world.clock.run(work);
    expect(states()).toEqual({ delivered: LEASE + 60 });
    expect(world.transport.mostAtOnce).toBe(SLOTS);
    const starts = world.transport.sent.map(({ atMs }) => atMs - fromMs);
    const rounds = Array.from({ length: 60 }, (_, at) => Math.floor(at / SLOTS) * attemptMs);
    expect(starts).toEqual(rounds);
  });

  it("asks once for each lease more, and tells with it what has ended", async () => {
    const heard: (readonly [sent: number, more: boolean])[] = [];
    const by = hearing(({ report, ask }) => {
      heard.push([report?.sent.fresh ?? 0, ask?.isMore === true]);
    });
    const { work } = await letGo(60, by);
    heard.length = 0;
    await world.clock.run(work);
    expect(heard).toEqual([
      [0, false],
      [18, true],
      [24, true],
      [18, false],
    ]);
  });

  it("leaves its slots to what is more urgent: the rest waits, and the urgent goes first", async () => {
    const { work } = await letGo(60);
    await world.clock.advance(attemptMs);
    const urgent = [messageWith({ key: "urgent", to: [boundTo("pager", "critical")] })];
    await world.clock.run(deliverBatch("critical", urgent, createIsolate(world).deliver));
    await world.clock.run(work);
    const { parked = 0, delivered } = states();
    expect([parked, delivered]).toEqual([60 - LEASE + 1, LEASE * 2]);
    await world.clock.run(releaseParked(ID, { count: 1, retries: 1 }, ports));
    expect(world.queues.take("critical", 10)).toHaveLength(1);
  });

  it("goes by limits that were set meanwhile, not by those that it knows", async () => {
    const { work } = await letGo(60);
    await world.clock.advance(100);
    const lower = { ...GATE, concurrency: 2 };
    world.tenants.put("acme", { targets: { pager: { gate: lower } } });
    await configureGate(ID, createIsolate(world).deliver);
    world.gates.releaseBy(async () => []);
    await world.clock.run(work);
    expect(world.transport.sent).toHaveLength(LEASE);
    expect(world.gates.kept.get("acme/pager")?.config.concurrency).toBe(2);
  });

  it("asks no more after a while: another has its consumer", async () => {
    attemptMs = 1_900;
    await world.clock.run(deliverBatch("normal", batchOf(80), ports));
    const parked = states().parked ?? 0;
    await world.clock.run(releaseParked(ID, { count: parked, retries: parked }, ports));
    const messages = world.queues.take("normal", 100).map(({ body }) => messageOf(body));
    const fromMs = world.clock.nowMs();
    await world.clock.run(deliverBatch("normal", messages, ports));
    expect(world.clock.nowMs() - fromMs).toBeLessThan(GATE_MORE_MS_MAX + 2 * attemptMs + 1_000);
    expect(states().parked).toBeGreaterThan(0);
  });

  it("parks the rest when its gate fails or hangs, and what is under way ends as it would", async () => {
    const ways: ((told: GateTold) => Promise<void>)[] = [
      () => Promise.reject(new Error("reset")),
      () => new Promise(() => {}),
    ];
    for (const way of ways) {
      begin();
      const by = hearing((told) => (told.ask?.isMore === true ? way(told) : undefined));
      const { work } = await letGo(60, by);
      const fromMs = world.clock.nowMs();
      await world.clock.run(work);
      expect(states()).toEqual({ delivered: LEASE * 2, parked: 60 - LEASE });
      expect(world.clock.nowMs() - fromMs).toBeLessThan(4 * attemptMs + GATE_TIMEOUT_MS);
      const rest = [...world.ledger.deliveries.values()].filter(({ state }) => state === "parked");
      const reasons = new Set(rest.map(({ lastError }) => lastError));
      expect(reasons).toEqual(new Set(["its gate did not answer"]));
      expect(world.log.lines.map(({ event }) => event)).toContain("gate-unreachable");
    }
  });

  it("has what was dropped told at once, while others of its slots are under way", async () => {
    const heard: { readonly atMs: number; readonly dropped: number }[] = [];
    const by = hearing(({ report }) => {
      if (report !== null)
        heard.push({ atMs: world.clock.nowMs(), dropped: report.outcomes.dropped });
    });
    const { work } = await letGo(12, by);
    let count = 0;
    world.transport.answer = async () => {
      count += 1;
      if (count === 2) return response(429);
      await world.clock.timer(attemptMs).elapsed;
      return response(200);
    };
    const fromMs = world.clock.nowMs();
    heard.length = 0;
    await world.clock.run(work);
    expect(heard.map(({ atMs, dropped }) => [atMs - fromMs, dropped])).toEqual([
      [0, 1],
      [attemptMs, 0],
    ]);
  });
});
