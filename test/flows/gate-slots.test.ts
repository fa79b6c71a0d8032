/** The slots of a batch are its own for as long as its attempts last, and not for what it does besides. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Gate } from "../../src/core/tenant.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { messageWith, type TestMessage } from "./consumer.ts";

type Tell = World["gates"]["tell"];
const GATE: Gate = {
  concurrency: 6,
  perSecond: null,
  perDay: null,
  isAdaptive: false,
  isSet: true,
};
let world: World;

beforeEach(() => {
  world = createWorld();
});

/** A target of six slots, and others without limits. */
function pager(others: readonly string[]): void {
  const rest = Object.fromEntries(others.map((name) => [name, {}]));
  world.tenants.put("acme", { targets: { pager: { gate: GATE }, ...rest } });
}

const six = (name: string): TestMessage[] =>
  Array.from({ length: 6 }, (_, at) => messageWith({ key: `${name}-${at}`, to: ["pager"] }));

const delivered = (): number =>
  [...world.ledger.deliveries.values()].filter(({ state }) => state === "delivered").length;

describe("the slots of a batch", () => {
  it("are others' when its attempts have ended, while its results are still being written", async () => {
    pager([]);
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = createIsolate(world, {
      broken: {
        ledger: {
          ...world.ledger,
          settle: (...all) => promise.then(() => world.ledger.settle(...all)),
        },
      },
    }).deliver;
    const first = deliverBatch("normal", six("first"), slow);
    await world.clock.advance(10);
    expect(world.transport.sent).toHaveLength(6);
    await world.clock.run(
      deliverBatch("normal", six("next"), createIsolate(world, { seed: 2 }).deliver),
    );
    expect(world.transport.sent).toHaveLength(12);
    resolve();
    await world.clock.run(first);
    expect(delivered()).toBe(12);
  });

  it("are others' while it is still busy with another target", async () => {
    pager(["mail"]);
    const { promise, resolve } = Promise.withResolvers<void>();
    world.transport.answer = async ({ url }) => {
      if (url.includes("mail")) await promise;
      return response(200);
    };
    const both = [...six("first"), messageWith({ key: "late", to: ["mail"] })];
    const first = deliverBatch("normal", both, createIsolate(world).deliver);
    await world.clock.advance(100);
    await world.clock.run(
      deliverBatch("normal", six("next"), createIsolate(world, { seed: 2 }).deliver),
    );
    expect(delivered()).toBe(12);
    resolve();
    await world.clock.run(first);
    expect(delivered()).toBe(13);
  });
});

describe("a slot whose attempt is late", () => {
  /** One attempt that takes longer than its batch waits for it, and two that do not. */
  async function lateOne(gate: Partial<Gate>, tell: Tell): Promise<void> {
    world.tenants.put("acme", { targets: { pager: { gate: { ...GATE, ...gate } } } });
    world.transport.answer = async () => {
      if (world.transport.sent.length === 1) await world.clock.timer(1_200).elapsed;
      return response(200);
    };
    const broken = { gates: { ...world.gates, tell } };
    const three = six("late").slice(0, 3);
    await world.clock.run(deliverBatch("normal", three, createIsolate(world, { broken }).deliver));
    await world.clock.advance(2_000);
  }
  const kept = () => world.gates.kept.get("acme/pager")?.state;

  it("is free when it ends, also while the gate is being told of the others", async () => {
    await lateOne({ concurrency: 1 }, async (id, told) => {
      if (told.report?.isDone === false) await world.clock.timer(500).elapsed;
      return world.gates.tell(id, told);
    });
    expect(kept()?.leases).toEqual([]);
  });

  it("gives back nothing of the day's quota that was used, where its gate did not hear of the others", async () => {
    await lateOne({ perDay: 10 }, async (id, told) => {
      if (told.report?.isDone === false) throw new Error("the gate is being moved");
      return world.gates.tell(id, told);
    });
    expect(world.transport.sent).toHaveLength(3);
    expect(kept()?.quota.sent).toBe(3);
  });
});
