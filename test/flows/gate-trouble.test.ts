/** Receivers in trouble, and a ledger that is slow: a gate holds back no more than it has to, and no less. */
import { beforeEach, describe, expect, it } from "vitest";
import { PARKED_MS_MAX } from "../../src/core/gate/limits.ts";
import { BREAKER_ILL_MS_MIN, TARGET_FAILING_MS_MAX } from "../../src/core/gate-limits.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { boundTo } from "../support/memory-records.ts";
import { response } from "../support/memory-transport.ts";
import { messageWith, rowOf } from "./consumer.ts";
import { batchOf, createPager } from "./pager.ts";

let { world, ports, pagerWith, run, batch, states, slowToSettle } = createPager();

beforeEach(() => {
  ({ world, ports, pagerWith, run, batch, states, slowToSettle } = createPager());
});

describe("a target with a rate", () => {
  it("keeps its pace where what was sent is slow to be written down", async () => {
    pagerWith({ perSecond: 10 });
    const slow = slowToSettle(330);
    await batch(batchOf(8), slow);
    await run(10, slow);
    const starts = world.transport.sent.map(({ atMs }) => atMs);
    expect(starts).toHaveLength(8);
    for (const [at, startMs] of starts.slice(1).entries())
      expect(startMs - (starts[at] ?? 0)).toBeGreaterThanOrEqual(100);
  });
});

describe("a receiver in trouble", () => {
  /** Twenty-five deliveries have failed, for so long that its breaker has opened. */
  async function fallsIll(): Promise<void> {
    pagerWith(null);
    world.transport.answer = () => response(500);
    await batch(batchOf(1));
    for (let at = 0; at < 4; at += 1) {
      await batch(batchOf(6, ["pager"], `more-${at}`));
      await world.clock.advance(BREAKER_ILL_MS_MIN / 2);
    }
  }

  /** Three hundred deliveries have failed and come again at once: far more than there are tokens for retries. */
  async function illAndWell(): Promise<void> {
    pagerWith({ concurrency: 6 });
    world.transport.answer = () => response(500);
    for (let at = 0; at < 15; at += 1) await batch(batchOf(20, ["pager"], `ill-${at}`));
    world.transport.answer = () => response(200);
    await run(8);
  }

  it("that asks to wait is called by nobody before the time is over", async () => {
    pagerWith(null, ["mail"]);
    world.transport.answer = ({ url }) =>
      url.includes("pager") ? response(429, 60_000) : response(200);
    await batch(batchOf(1));
    const askedAtMs = world.clock.nowMs();
    world.transport.answer = () => response(200);
    await batch(batchOf(5, ["pager", "mail"], "later"));
    await run(50);
    expect(world.transport.sent.filter(({ url }) => url.includes("pager"))).toHaveLength(1);
    expect(states()).toMatchObject({ parked: 5, delivered: 5 });
    await run(30);
    const pager = world.transport.sent.filter(({ url }) => url.includes("pager")).slice(1);
    expect(pager.length).toBe(6);
    for (const { atMs } of pager) expect(atMs).toBeGreaterThanOrEqual(askedAtMs + 60_000);
    expect(states()).toEqual({ delivered: 11 });
  });

  it("that fails and fails is left alone, then probed by the oldest, and gets everything when it is well", async () => {
    await fallsIll();
    const tried = world.transport.sent.length;
    await run(18);
    expect(world.transport.sent.length).toBe(tried);
    world.transport.answer = () => response(200);
    await run(400);
    expect(states()).toEqual({ delivered: 25 });
  });

  it("that fails for days is disabled and says so; what waits is kept, and goes when it is opened", async () => {
    await fallsIll();
    for (let at = 0; at < 10; at += 1) {
      expect(world.tenants.isOpen("acme", "pager")).toBe(true);
      await world.clock.advance(TARGET_FAILING_MS_MAX / 10);
      await batch(batchOf(1, ["pager"], `half-day-${at}`));
      await run(10);
    }
    expect(world.tenants.isOpen("acme", "pager")).toBe(false);
    expect(world.log.of("target-disabled")).toMatchObject([
      { target: "pager", reason: expect.stringMatching(/^it has failed since \d{4}-\d\d-\d\dT/) },
    ]);
    const tried = world.transport.sent.length;
    await batch(batchOf(3, ["pager"], "after"));
    await world.clock.advance(PARKED_MS_MAX);
    await world.clock.run(sweep("overdue", ports));
    await run(60);
    expect(world.transport.sent.length).toBe(tried);
    // The oldest has had its attempts, as a probe.
    expect(states()).toEqual({ dead: 1, parked: 37 });

    pagerWith(null);
    world.transport.answer = () => response(200);
    await world.clock.run(ports.ledger.release("acme", "pager"));
    await world.clock.run(sweep("overdue", ports));
    await run(2_000);
    expect(states()).toEqual({ dead: 1, delivered: 37 });
  });

  it("that asks to wait gets nothing of what waited for room beside", async () => {
    pagerWith({ concurrency: 6 });
    const askedAtMs = world.clock.nowMs() + 100;
    world.transport.answer = async () => {
      if (world.transport.sent.length < 3) return response(200);
      await world.clock.timer(askedAtMs - world.clock.nowMs()).elapsed;
      return response(429, 60_000);
    };
    await batch(batchOf(8), slowToSettle(300));
    for (const { atMs } of world.transport.sent) expect(atMs).toBeLessThan(askedAtMs);
    expect(states()).toEqual({ delivered: 2, retrying: 4, parked: 2 });
  });

  it("that is well again gets what is new at once, however many retries wait for their share", async () => {
    await illAndWell();
    const waiting = () =>
      [...world.ledger.deliveries.values()].filter(({ state }) => state === "parked");
    expect(waiting().length).toBeGreaterThan(100);
    world.transport.sent.length = 0;
    for (let at = 0; at < 2; at += 1) await batch(batchOf(20, ["pager"], `new-${at}`));
    await run(4);
    for (let at = 0; at < 40; at += 1) {
      const key = `new-${Math.floor(at / 20)}-${at % 20}`;
      expect(rowOf(world, { key }, "pager")).toMatchObject({ state: "delivered" });
    }
    expect(waiting().length).toBeGreaterThan(100);
    for (const { attempts } of waiting()) expect(attempts).toBeGreaterThan(0);
    await run(90);
    expect(states()).toEqual({ delivered: 340 });
  });

  it("that fails for some seconds only is tried again by each delivery's own pauses", async () => {
    pagerWith(null);
    world.transport.answer = () => response(500);
    for (let at = 0; at < 4; at += 1) await batch(batchOf(6, ["pager"], `b${at}`));
    expect(world.transport.sent).toHaveLength(24);
    world.transport.answer = () => response(200);
    await run(15);
    expect(states()).toEqual({ delivered: 24 });
  });

  it("keeps nobody else waiting", async () => {
    pagerWith(null, ["mail"]);
    world.transport.answer = ({ url }) => response(url.includes("pager") ? 500 : 200);
    for (let at = 0; at < 4; at += 1) await batch(batchOf(6, ["pager", "mail"], `b${at}`));
    expect(world.transport.sent.filter(({ url }) => url.includes("mail"))).toHaveLength(24);
  });

  it("whose retries wait for their share is asked by what is urgent at once", async () => {
    await illAndWell();
    const waiting = () =>
      [...world.ledger.deliveries.values()].filter(
        ({ state }) => state === "parked" || state === "pending",
      ).length;
    expect(waiting()).toBeGreaterThan(100);
    const urgent = messageWith({ key: "urgent", to: [boundTo("pager", "critical")] });
    await world.clock.run(deliverBatch("critical", [urgent], ports));
    expect(rowOf(world, { key: "urgent" }, "pager")).toMatchObject({ state: "delivered" });
    const [before, sent] = [waiting(), world.transport.sent.length];
    await run(4);
    const went = world.transport.sent.length - sent;
    expect(went).toBeGreaterThan(10);
    expect(before - waiting()).toBe(went);
  });
});
