/** Tenants that share a queue: one that floods it holds the others up no longer than its claims take. */
import { beforeEach, describe, expect, it } from "vitest";
import { FAIR_FULL_MS, FAIR_LATE_MS, FAIR_PARKED_MAX } from "../../src/core/deliver/limits.ts";
import { GATE_LIMITED_MS } from "../../src/core/gate-limits.ts";
import { QUEUES, type QueueName } from "../../src/core/priority.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import type { FairShares } from "../../src/flows/fair-shares.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { frameOf, packOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";

const PACK = 25;
const BATCH = 10;
const REASON = "its tenant's share of the queue is taken";

const quiet = Array.from({ length: 99 }, (_, at) => `quiet-${at}`);

let world: World;
let ports: DeliverPorts;

beforeEach(() => {
  world = createWorld();
  for (const tenant of ["loud", "second", ...quiet]) {
    const url = `https://${tenant}.example.com/`;
    world.tenants.put(tenant, { targets: { sink: { url } } });
  }
  world.transport.answer = async () => {
    await world.clock.timer(50).elapsed;
    return response(200);
  };
  ports = createIsolate(world).deliver;
});

/** Queued now, as if accepted now. */
async function queue(tenant: string, count: number, prefix: string) {
  const { revision = 1 } = (await world.tenants.load(tenant)) ?? {};
  const frames = Array.from({ length: count }, (_, at) => {
    const own = { tenant, revision, key: `${prefix}-${at}`, receivedAtMs: world.clock.nowMs() };
    return { content: frameOf({ to: ["sink"], ...own }) };
  });
  for (let at = 0; at < count; at += PACK) {
    await world.queues.send("normal", [packOf(...frames.slice(at, at + PACK))]);
  }
}

/** Works on one batch, or lets some time pass where there is none. */
async function workOnce(by: DeliverPorts, name: QueueName = "normal"): Promise<boolean> {
  const messages = world.queues.take(name, BATCH);
  if (messages.length > 0) await world.clock.run(deliverBatch(name, messages, by));
  else await world.clock.advance(100);
  return messages.length > 0;
}

/** Until nothing is queued, parked or retrying. */
async function workOff(by: DeliverPorts): Promise<void> {
  const isOwed = () =>
    [...world.ledger.deliveries.values()].some(({ state }) => state !== "delivered") ||
    QUEUES.some((name) => world.queues.kept[name].size > 0);
  for (let turns = 0; isOwed(); turns += 1) {
    expect(turns).toBeLessThan(5_000);
    await workOnce(by);
  }
}

const sentTo = (tenants: readonly string[]) =>
  world.transport.sent.filter(({ url }) => tenants.includes(new URL(url).host.split(".")[0] ?? ""));

/** How much is done until all of the quiet ones have theirs, which stand behind five thousand of another. */
async function flood(by: DeliverPorts) {
  for (const tenant of quiet) await queue(tenant, 1, "before");
  await workOff(by);
  world.transport.sent.length = 0;
  const fromMs = world.clock.nowMs();
  await queue("loud", 5_000, "flood");
  for (const tenant of quiet) await queue(tenant, 1, "behind");
  let batches = 0;
  while (sentTo(quiet).length < quiet.length) batches += (await workOnce(by)) ? 1 : 0;
  return { batches, ms: world.clock.nowMs() - fromMs, sentBefore: sentTo(["loud"]).length };
}

const unfair: FairShares = {
  divide: (_, going) => ({ going, waiting: [] }),
  parked() {},
};

describe("ninety-nine tenants behind another's five thousand events", () => {
  it("have theirs as soon as those were claimed, and not as late as they were delivered", async () => {
    const { batches, ms, sentBefore } = await flood(ports);
    // 30 batches, 4.2 s and 388 sent before. First in, first out: 30 batches, 43 s and all 5,000 sent before.
    expect(batches).toBeLessThanOrEqual(Math.ceil((5_000 / PACK + quiet.length) / BATCH) + 5);
    expect(ms).toBeLessThan(10_000);
    expect(sentBefore).toBeLessThan(1_000);
    const counts = sentTo(quiet).map(({ url }) => url);
    expect(new Set(counts).size).toBe(quiet.length);
  });

  it("are never parked, and what gave way to them is parked once, says why, and all arrives", async () => {
    const parked: string[] = [];
    const { settle } = world.ledger;
    const ledger: DeliverPorts["ledger"] = {
      ...world.ledger,
      settle(token, results, ...rest) {
        for (const { state, tenant, event, lastError } of results) {
          if (state !== "parked" || lastError !== REASON) continue;
          parked.push(`${tenant} ${event}`);
        }
        return settle(token, results, ...rest);
      },
    };
    const by = createIsolate(world, { broken: { ledger } }).deliver;
    const fromMs = world.clock.nowMs();
    await flood(by);
    await workOff(by);
    // 46 s; first in, first out, 44 s.
    expect(world.clock.nowMs() - fromMs).toBeLessThan(50_000);
    expect(parked.length).toBeGreaterThan(3_000);
    expect(parked.filter((each) => !each.startsWith("loud "))).toEqual([]);
    expect(new Set(parked).size).toBe(parked.length);
    expect(sentTo(["loud"])).toHaveLength(5_000);
    expect(sentTo(quiet)).toHaveLength(quiet.length);
  });

  it("wait for all of them where nobody gives way", async () => {
    const { deliver } = createIsolate(world, { broken: { fairShares: unfair } });
    const { ms, sentBefore } = await flood(deliver);
    expect([sentBefore, ms > 40_000]).toEqual([5_000, true]);
  });
});

describe("a tenant that floods a queue", () => {
  const states = () => new Set([...world.ledger.deliveries.values()].map(({ state }) => state));

  it("gives way to nobody while it is alone, however late the queue is", async () => {
    await queue("loud", 1_000, "flood");
    await world.clock.advance(10 * FAIR_LATE_MS);
    for (let batch = 0; batch < 4; batch += 1) await workOnce(ports);
    expect(states()).toEqual(new Set(["delivered"]));
    expect(sentTo(["loud"])).toHaveLength(1_000);
  });

  it("gives way to nobody while the queue is on time", async () => {
    for (const tenant of quiet) await queue(tenant, 1, "before");
    await workOff(ports);
    await queue("loud", BATCH * PACK, "flood");
    await workOnce(ports);
    expect(states()).toEqual(new Set(["delivered"]));
  });

  it("beside another one that does shares the queue with it alike", async () => {
    for (const tenant of quiet) await queue(tenant, 1, "before");
    await workOff(ports);
    for (let part = 0; part < 20; part += 1) {
      await queue("loud", 9 * PACK, `flood-${part}`);
      await queue("second", PACK, `flood-${part}`);
    }
    await world.clock.advance(FAIR_LATE_MS);
    world.transport.sent.length = 0;
    for (let batch = 0; batch < 10; batch += 1) await workOnce(ports);
    const begun = [...world.ledger.deliveries.values()].filter(
      ({ state, lastError }) => state === "delivered" && lastError === null,
    );
    const [loud, second] = ["loud", "second"].map(
      (name) => begun.filter(({ tenant }) => tenant === name).length,
    );
    expect(loud).toBeGreaterThan(0);
    expect(Math.abs((loud ?? 0) - (second ?? 0))).toBeLessThanOrEqual(6);
  });

  it("is told of by its target's gate: its tenant limits it, for as long as it does", async () => {
    for (const tenant of quiet) await queue(tenant, 1, "before");
    await workOff(ports);
    await queue("loud", 500, "flood");
    await world.clock.advance(FAIR_LATE_MS);
    await workOnce(ports);
    await world.clock.advance(0);
    const id = { tenant: "loud", target: "sink" };
    const gate = (await world.tenants.load("loud"))?.targets.get("sink")?.gate;
    if (gate === undefined) throw new Error("there is no target");
    const sinceMs = world.clock.nowMs();
    const limits = await world.gates.limits(id, gate);
    expect(limits.map(({ by }) => by)).toContain("tenant");
    expect(limits.find(({ by }) => by === "tenant")?.sinceMs).toBeLessThanOrEqual(sinceMs);
    await world.clock.advance(GATE_LIMITED_MS + 1);
    expect((await world.gates.limits(id, gate)).map(({ by }) => by)).not.toContain("tenant");
  });

  it("gives way no more while so much is parked for its target that more might be given up", async () => {
    for (const tenant of quiet) await queue(tenant, 1, "before");
    await workOff(ports);
    ports.fairShares.parked("loud/sink", FAIR_PARKED_MAX, world.clock.nowMs());
    await queue("loud", 500, "flood");
    await world.clock.advance(FAIR_LATE_MS);
    await workOnce(ports);
    expect(states()).toEqual(new Set(["delivered"]));
    await world.clock.advance(FAIR_FULL_MS);
    await workOnce(ports);
    expect(states()).toEqual(new Set(["delivered", "parked"]));
  });

  it("loses nothing where its gate does not answer: the sweeper brings it what is parked", async () => {
    for (const tenant of quiet) await queue(tenant, 1, "before");
    await workOff(ports);
    await queue("loud", 100, "flood");
    await world.clock.advance(FAIR_LATE_MS);
    const tell = () => Promise.reject(new Error("down"));
    const broken = { gates: { ...world.gates, tell }, fairShares: ports.fairShares };
    await workOnce(createIsolate(world, { broken }).deliver);
    expect(states()).toEqual(new Set(["delivered", "parked"]));
    const { sweep } = await import("../../src/flows/sweep.ts");
    const mended = createIsolate(world).deliver;
    await world.clock.run(sweep("overdue", mended));
    await workOff(mended);
    expect(sentTo(["loud"])).toHaveLength(100);
  });
});

describe("what was tried before", () => {
  it("gives way to nobody", async () => {
    for (const tenant of quiet) await queue(tenant, 1, "before");
    await workOff(ports);
    const { answer } = world.transport;
    world.transport.answer = () => response(503);
    await queue("loud", 20, "ill");
    await workOnce(ports);
    world.transport.answer = answer;
    const retrying = () =>
      [...world.ledger.deliveries.values()].filter(({ state }) => state === "retrying");
    expect(retrying()).toHaveLength(20);
    const events = new Set(retrying().map(({ event }) => event));
    await queue("loud", 500, "flood");
    await world.clock.advance(FAIR_LATE_MS * 10);
    await workOnce(ports);
    await workOnce(ports);
    await workOnce(ports);
    const parked = [...world.ledger.deliveries.values()].filter(
      ({ lastError }) => lastError === REASON,
    );
    expect(parked.length).toBeGreaterThan(100);
    expect(parked.filter(({ event }) => events.has(event))).toEqual([]);
  });
});
