/** Targets that get batches: when one goes, what stands in it, and what becomes of each delivery. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import type { BatchBody } from "../../src/core/batch/batch.ts";
import type { TransformerDoc } from "../../src/core/transform/transformer.ts";
import { boundTo } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import type { RuleSketch } from "../support/memory-tenants.ts";
import { response, type Sent } from "../support/memory-transport.ts";
import {
  batchedTenant,
  bringTo,
  cameTo,
  elementsOf,
  failing,
  type TargetSketch,
} from "./batching.ts";
import { consume, messageWith } from "./consumer.ts";

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

describe("a batch", () => {
  it("goes so long after the first of it came, as one signed request of CloudEvents", async () => {
    tenantWith({ seconds: 5 }, { secret: `whsec_${btoa("x".repeat(32))}` });
    await bring("a");
    await world.clock.advance(2_000);
    await bring("b");
    expect(states()).toEqual(["parked", "parked"]);
    expect(rows()[0]?.lastError).toBe("waits for its batch");
    await world.clock.advance(2_900);
    expect(came()).toEqual([]);
    await world.clock.advance(200);
    expect(came()).toEqual([["a", "b"]]);
    expect(states()).toEqual(["delivered", "delivered"]);
    const [sent] = world.transport.sent;
    expect(sent?.headers.get("content-type")).toBe("application/cloudevents-batch+json");
    expect(sent?.headers.get("webhook-signature")).toMatch(/^v1,/);
    const batch = sent?.headers.get("webhook-id");
    expect(batch).toMatch(/^bat_[0-9a-z]{26}$/);
    expect(rows().map(({ log }) => log)).toMatchObject([
      [{ number: 1, status: 200, error: null, batch }],
      [{ number: 1, status: 200, error: null, batch }],
    ]);
    expect(sent && elementsOf(sent)[0]).toMatchObject({
      ...{ specversion: "1.0", type: "order.created", data: { key: "a" } },
      ...{ signalboxrule: "orders", signalboxattempt: 1 },
      signalboxdelivery: expect.stringMatching(/^dlv_/),
    });
  });

  it("goes at once when it is full, and the rest waits for its own time", async () => {
    tenantWith({ seconds: 60, events: 3 });
    await bring("a", "b", "c", "d");
    await world.clock.advance(100);
    expect(came()).toEqual([["a", "b", "c"]]);
    await world.clock.advance(60_000);
    expect(came()).toEqual([["a", "b", "c"], ["d"]]);
  });

  it("has what is most urgent first, and of that the oldest", async () => {
    tenantWith({ seconds: 5, events: 2 });
    world.transport.answer = () => response(200);
    await bring("a");
    await world.clock.advance(1);
    await bring("urgent");
    await world.clock.advance(100);
    expect(came()).toEqual([["urgent", "a"]]);
  });

  it("is never larger than it may be, but for one event that is larger itself", async () => {
    tenantWith({ seconds: 5, kilobytes: 3 });
    const long = "x".repeat(1_000);
    for (const key of ["a", "b", "c", "d", `e${"x".repeat(5_000)}`]) {
      await bring(key.length > 1_000 ? key : `${key}${long}`);
    }
    await world.clock.advance(6_000);
    const sizes = world.transport.sent.map(({ body }) => (body as Uint8Array).length);
    const counts = came().map(({ length }) => length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(5);
    for (const [at, size] of sizes.entries()) {
      if (size > 3_000) expect(counts[at]).toBe(1);
    }
    expect(sizes.filter((size) => size > 3_000)).toHaveLength(1);
    expect(states()).toEqual(Array(5).fill("delivered"));
  });

  it("has the same id whenever it has the same deliveries", async () => {
    tenantWith({ seconds: 5 });
    world.transport.answer = () => response(500);
    await bring("a", "b");
    await world.clock.advance(60_000);
    const ids = world.transport.sent.map(({ headers }) => headers.get("webhook-id"));
    expect(ids.length).toBeGreaterThan(1);
    expect(ids[1]).toBe(ids[0]);
    expect(world.transport.sent.map((sent) => elementsOf(sent)[0]?.signalboxattempt)).toEqual([
      1, 2,
    ]);
  });

  it("has what the rule's transformer makes, and what it cannot make is a dead letter", async () => {
    const sink: TransformerDoc = {
      ...{ paths: { id: "$.data.id" }, template: { order: "<id>" }, missing: "refuse" },
    };
    tenantWith({ seconds: 5 }, {}, { transformers: { sink } });
    const to = [{ ...boundTo("sink"), transformed: true as const }];
    for (const body of ['{"id":7}', "{}"]) {
      await consume(world, "normal", [messageWith({ key: body, to }, body)]);
    }
    await world.clock.advance(6_000);
    expect(world.transport.sent.map(elementsOf)).toMatchObject([
      [{ data: { order: 7 }, datacontenttype: "application/json" }],
    ]);
    expect(rows().map(({ state, lastError }) => [state, lastError?.slice(0, 15)])).toEqual([
      ["delivered", undefined],
      ["dead", "not transformed"],
    ]);
  });

  it("has the place of an event that is too large to be read", async () => {
    tenantWith({ seconds: 1 });
    const body = new Uint8Array(5_100_000).fill(32);
    const [role, to] = ["normal", ["sink"]] as const;
    await consume(world, role, [messageWith({ key: "big", to }, platformText.decode(body) ?? "")]);
    await world.clock.advance(2_000);
    const [element] = world.transport.sent.flatMap(elementsOf);
    expect(element).toMatchObject({
      dataref: expect.stringMatching(/^\/admin\/tenants\/acme\/events\/evt_\w+\/body$/),
    });
    expect(element).not.toHaveProperty("data");
  });
});

describe("a receiver of batches", () => {
  it("gets again exactly what it says has failed, with the next attempt", async () => {
    tenantWith({ seconds: 5 });
    world.transport.answer = failing("b", "d");
    await bring("a", "b", "c", "d");
    await world.clock.advance(5_100);
    expect(rows().map(({ state, lastError }) => [state, lastError])).toEqual([
      ["delivered", null],
      ["parked", "failed in its batch"],
      ["delivered", null],
      ["parked", "failed in its batch"],
    ]);
    world.transport.answer = () => response(200);
    await world.clock.advance(60_000);
    expect(came().slice(1).flat().sort()).toEqual(["b", "d"]);
    expect(world.transport.sent.slice(1).flatMap(elementsOf)).toMatchObject([
      { signalboxattempt: 2 },
      { signalboxattempt: 2 },
    ]);
    expect(states()).toEqual(Array(4).fill("delivered"));
  });

  it("that fails has each delivery tried as its target says, and then given up", async () => {
    tenantWith({ seconds: 1 });
    world.transport.answer = () => response(500);
    await bring("a", "b");
    await world.clock.advance(200_000);
    expect(came()).toHaveLength(3);
    expect(rows().map(({ state, lastError, log }) => [state, lastError, log.length])).toEqual(
      Array(2).fill(["dead", "status 500; attempts exhausted", 3]),
    );
  });

  it("that asks to wait is sent nothing before", async () => {
    tenantWith({ seconds: 1 });
    world.transport.answer = () => response(429, 120_000);
    await bring("a");
    await world.clock.advance(2_000);
    world.transport.answer = () => response(200);
    await bring("b", "c");
    await world.clock.advance(117_000);
    expect(came()).toHaveLength(1);
    await world.clock.advance(10_000);
    expect(came().flat().sort()).toEqual(["a", "a", "b", "c"]);
  });

  it("that is gone for good closes the target, and what waits is kept", async () => {
    tenantWith({ seconds: 1, events: 1 });
    world.transport.answer = () => response(410);
    await bring("a");
    await world.clock.advance(500);
    await bring("b");
    await world.clock.advance(10_000);
    expect(came()).toEqual([["a"]]);
    expect(rows().map(({ state }) => state)).toEqual(["dead", "parked"]);
  });

  it("that was changed while a batch was on its way is not closed by its 410", async () => {
    tenantWith({ seconds: 1, events: 1 });
    world.transport.answer = () => {
      tenantWith({ seconds: 1, events: 1 });
      return response(410);
    };
    await bring("a");
    await world.clock.advance(500);
    world.transport.answer = () => response(200);
    await bring("b");
    await world.clock.advance(10_000);
    expect(came()).toEqual([["a"], ["b"]]);
  });

  it("is called no oftener than its gate allows, a batch at a time", async () => {
    tenantWith({ events: 2 }, { limits: { isSet: true, perSecond: 0.5, concurrency: 1 } });
    await bring("a", "b", "c", "d", "e", "f");
    await world.clock.advance(20_000);
    expect(came().map(({ length }) => length)).toEqual([2, 2, 2]);
    const starts = world.transport.sent.map(({ atMs }) => atMs);
    expect((starts[1] ?? 0) - (starts[0] ?? 0)).toBeGreaterThanOrEqual(2_000);
    expect((starts[2] ?? 0) - (starts[1] ?? 0)).toBeGreaterThanOrEqual(2_000);
  });
});
