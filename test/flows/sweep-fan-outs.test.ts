/** Which fan-outs and replays the sweeper wakes where not all can be woken. */
import { describe, expect, it } from "vitest";
import { REPLAY_SWEEP_PAGE } from "../../src/core/archive-limits.ts";
import {
  FANOUT_KEPT_MS,
  FANOUT_OVERDUE_MS,
  FANOUT_SWEEP_PAGE,
} from "../../src/core/fan-out/limits.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { ReplayId } from "../../src/ports/replays.ts";
import { createIsolate, createWorld } from "../support/memory-router.ts";
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

describe("a fan-out that has ended", () => {
  it("is forgotten by the sweeper 42 days after it began, whatever else fails", async () => {
    const mailing = createMailing();
    await mailing.send(listOf(2));
    await mailing.finish();
    const { world, isolate } = mailing;
    expect(mailing.fanOut()?.state).toBe("done");
    const overdue = () => Promise.reject(new Error("down"));
    world.fanOuts.overdue = overdue;
    await world.clock.advance(FANOUT_KEPT_MS - 60_000);
    expect(await world.clock.run(sweep("overdue", isolate.deliver))).toMatchObject({
      forgotten: 0,
    });
    await world.clock.advance(120_000);
    expect(await world.clock.run(sweep("overdue", isolate.deliver))).toMatchObject({
      forgotten: 1,
    });
    expect(mailing.fanOut()).toBeUndefined();
  });
});

describe("a replay that has not moved", () => {
  it("is woken by the sweeper in the end, however many that do not move are older", async () => {
    const world = createWorld();
    const stuck = Array.from({ length: 2 * REPLAY_SWEEP_PAGE }, (_, at) => `rpl_${at}`);
    const overdue = [...stuck, "rpl_new"].map((id): ReplayId => ({ tenant: "acme", id }));
    const woken: string[] = [];
    const replayers = {
      overdue: async (count: number) => overdue.slice(0, count),
      wake: async ({ id }: ReplayId) => void woken.push(id),
    };
    const { deliver } = createIsolate(world, { broken: { replayers } });
    for (let pass = 1; pass <= 5; pass += 1) {
      const swept = await world.clock.run(sweep("overdue", deliver));
      expect(swept.replays).toBe(REPLAY_SWEEP_PAGE);
      await world.clock.advance(60_000);
    }
    expect(new Set(woken)).toEqual(new Set(overdue.map(({ id }) => id)));
  });
});
