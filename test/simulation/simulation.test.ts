/** The short form of the simulation: some seeds, the same run twice, and a few of the planted bugs. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PLANTED } from "./planted.ts";
import { lostPlaces } from "./planted-bug.ts";
import { huntPlanted } from "./pool.ts";
import { type Outcome, run } from "./run.ts";

const SEEDS = 160;
const SIDE_BY_SIDE = 2;

/** Nobody reads the stacks of errors that are made on purpose, and they cost more than the rest. */
const stackTraceLimit = Error.stackTraceLimit;
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

describe("in simulated bad weather", () => {
  it("nothing that was accepted is lost, and nothing is done twice without a reason", async () => {
    const outcomes: Outcome[] = [];
    for (let seed = 1; seed <= SEEDS; seed += SIDE_BY_SIDE) {
      const runs = Array.from({ length: SIDE_BY_SIDE }, (_, index) => run(seed + index));
      outcomes.push(...(await Promise.all(runs)));
    }
    const violations = outcomes.flatMap(({ seed, violation }) =>
      violation === null ? [] : [`npm run sim -- --seed ${seed} --seeds 1: ${violation.sentence}`],
    );
    expect(violations).toEqual([]);
    const modes = new Set(outcomes.map(({ weather }) => weather.mode));
    expect(modes.size).toBe(2);
    expect(outcomes.reduce((sum, { repeats }) => sum + repeats, 0)).toBeGreaterThan(0);
  }, 60_000);

  it("nothing at all is repeated while nothing fails", async () => {
    const outcomes = await Promise.all(Array.from({ length: 40 }, (_, seed) => run(seed, false)));
    const calm = outcomes.filter(({ weather }) => weather.endsAtMs === 0);
    expect(calm.length).toBeGreaterThan(0);
    expect(calm.filter(({ repeats, unheard }) => repeats > unheard)).toEqual([]);
  }, 60_000);

  it("the same seed is the same run, alone or beside others", async () => {
    const [beside] = await Promise.all([run(7), run(8), run(9)]);
    const alone = await run(7);
    expect(beside?.hash).toBe(alone.hash);
    expect(beside?.steps).toBe(alone.steps);
    expect((await run(8)).hash).not.toBe(alone.hash);
  }, 60_000);
});

describe("planted bugs", () => {
  const QUICK = [
    "202 comes before the queue has answered",
    "a settle needs no token",
    "a lease keeps nobody out",
    "of a batch of which something failed the rest is sent again",
    "an event that another works on is acknowledged",
  ];

  it("are caught within a few seeds", async () => {
    const hunts = await huntPlanted(QUICK);
    expect(hunts.filter(({ caught }) => caught === null)).toEqual([]);
    expect(hunts).toHaveLength(QUICK.length);
  }, 120_000);

  it("are known by names of their own, more than twenty", () => {
    const names = new Set(PLANTED.map(({ name }) => name));
    expect(names.size).toBe(PLANTED.length);
    expect(names.size).toBeGreaterThan(20);
  });

  it("that have no place in the source fail instead of being passed over", async () => {
    await expect(huntPlanted(["no such bug"])).rejects.toThrow("ended with 1");
  }, 60_000);
});

describe("every planted bug", () => {
  it("has its places in the source, each exactly once", () => {
    expect(PLANTED.length).toBeGreaterThan(20);
    expect(lostPlaces(PLANTED)).toEqual([]);
  });
});
