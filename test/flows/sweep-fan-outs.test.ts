/** Which fan-outs the sweeper wakes where not all can be woken. */
import { describe, expect, it } from "vitest";
import { FANOUT_OVERDUE_MS, FANOUT_SWEEP_PAGE } from "../../src/core/fan-out/limits.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { createMailing, listOf } from "./mailing.ts";

describe("a fan-out that has not moved", () => {
  it("is woken by the sweeper in the end, however many that do not move are older", async () => {
    const mailing = createMailing();
    await mailing.send(listOf(2));
    await mailing.consume();
    const { world, isolate } = mailing;
    const found = mailing.fanOut();
    if (found === undefined) throw new Error("nothing is begun");
    for (let at = 0; at < 2 * FANOUT_SWEEP_PAGE; at += 1) {
      const id = `fan_${at}`;
      world.fanOuts.rows.set(`acme ${id}`, { ...found, id, updatedAtMs: found.updatedAtMs - 1 });
    }
    await world.clock.advance(FANOUT_OVERDUE_MS + 1);
    world.fanOuts.woken.length = 0;
    for (let pass = 0; pass < 5; pass += 1) {
      const before = world.fanOuts.woken.length;
      await world.clock.run(sweep("overdue", isolate.deliver));
      expect(world.fanOuts.woken.length - before).toBe(FANOUT_SWEEP_PAGE);
      await world.clock.advance(60_000);
    }
    const woken = new Set(world.fanOuts.woken.map(({ id }) => id));
    expect(woken.size).toBe(2 * FANOUT_SWEEP_PAGE + 1);
  });
});
