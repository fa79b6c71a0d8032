/** The short form of the simulation of gates, and the bugs planted into them. */
import { describe, expect, it } from "vitest";
import { runFixed, runGateSeeds } from "./gate-main.ts";
import { PLANTED_IN_GATES } from "./gate-planted.ts";
import { runGate } from "./gate-run.ts";
import { lostPlaces } from "./planted-bug.ts";

describe("gates of receivers in trouble", () => {
  it("keep every limit, let nothing overtake, and everything leaves in the end", async () => {
    // Seeds in which every limit refuses something.
    const report = await runGateSeeds(201, 100);
    expect(report.violations).toEqual([]);
    expect(Math.min(report.deaths, report.openings)).toBeGreaterThan(30);
    expect(Object.keys(report.refusals).sort()).toEqual([
      "backlog",
      "breaker",
      "concurrency",
      "quota",
      "rate",
      "retry-after",
      "retry-budget",
    ]);
  }, 60_000);

  it("use nine tenths of a capacity that changes, where no fixed limit does with few refusals", async () => {
    const { capacities } = await runGateSeeds(1, 1);
    expect(capacities[0]?.used).toBeGreaterThanOrEqual(0.9);
    expect(capacities[0]?.refused).toBeLessThan(0.02);
    for (const { limit, used, refused } of runFixed(1)) {
      expect([limit, used >= 0.9 && refused < 0.02]).toEqual([limit, false]);
    }
  }, 60_000);

  it("are the same for the same seed", () => {
    expect(runGate(11)).toEqual(runGate(11));
  });
});

/** All are hunted by `npm run sim -- --gates --planted`; these have the quickest to tell. */
const HUNTED = [
  "a turn that passed is made up for",
  "a quiet target's breaker never opens",
  "probes go without end",
  "a failed probe changes nothing",
  "what is parked is overtaken",
  "probes are released together",
];

describe("bugs planted into gates", () => {
  it("are caught", async () => {
    const missed: string[] = [];
    const hunted = PLANTED_IN_GATES.filter(({ name }) => HUNTED.includes(name));
    expect(hunted).toHaveLength(HUNTED.length);
    for (const { name } of hunted) {
      const { violations } = await runGateSeeds(1, 40, name);
      if (violations.length === 0) missed.push(name);
    }
    expect(missed).toEqual([]);
  }, 240_000);

  it("have their places in the source, each exactly once", () => {
    expect(lostPlaces(PLANTED_IN_GATES)).toEqual([]);
    expect(PLANTED_IN_GATES.length).toBeGreaterThanOrEqual(6);
  });
});
