/** The sweeper lets go of what is old and done, and of nothing else. */
import { beforeEach, describe, expect, it } from "vitest";
import { GENERATION_MS } from "../../src/core/limits.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { type Swept, sweep } from "../../src/flows/sweep.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, down, messageWith, rowOf } from "./consumer.ts";

let world: World;

beforeEach(async () => {
  world = createWorld();
  world.tenants.put("acme", { targets: { pager: {}, gone: {} } });
  world.transport.answer = ({ url }) => response(url.includes("gone") ? 410 : 200);
  await consume(world, "normal", [messageWith({ key: "done", to: ["pager"] })]);
  await consume(world, "normal", [messageWith({ key: "dead", to: ["gone"] })]);
});

const sweeping = (broken: Partial<DeliverPorts> = {}): Promise<Swept> =>
  world.clock.run(sweep("overdue", createIsolate(world, { broken }).deliver));

describe("a sweep", () => {
  it("leaves alone what a sender may still send again", async () => {
    await world.clock.advance(GENERATION_MS);
    await sweeping();
    expect(rowOf(world, { key: "done" }, "pager")?.state).toBe("delivered");
    expect(world.log.of("swept")).toEqual([]);
  });

  it("lets go of what was delivered long ago, keeps its dead letters, and says how many", async () => {
    await world.clock.advance(2 * GENERATION_MS);
    await sweeping();
    expect(rowOf(world, { key: "done" }, "pager")).toBeUndefined();
    expect(rowOf(world, { key: "dead" }, "gone")?.state).toBe("dead");
    expect(world.log.of("swept")).toMatchObject([{ dropped: 1, carried: 1 }]);
    await sweeping();
    expect(world.log.of("swept")).toHaveLength(1);
  });

  it("that cannot let go never throws, and sends what is due all the same", async () => {
    const ledger = { ...world.ledger, expire: down };
    expect(await sweeping({ ledger })).toMatchObject({ complete: false });
    expect(world.log.of("sweep-failed")).toMatchObject([{ part: "generations" }]);
  });
});
