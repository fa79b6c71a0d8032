/** The short form of the simulation of ordered deliveries, and the bugs planted into them. */
import { describe, expect, it } from "vitest";
import { runOrderSeeds } from "./order-main.ts";
import { PLANTED_IN_ORDERS } from "./order-planted.ts";
import { runOrder } from "./order-run.ts";
import { lostPlaces } from "./planted-bug.ts";

describe("deliveries in order", () => {
  it("keep the order of every key whatever dies, and nothing is stuck in the end", async () => {
    const report = await runOrderSeeds(1, 50);
    expect(report.violations).toEqual([]);
    expect(Object.keys(report.modes)).toHaveLength(3);
    expect(Math.min(report.deaths, report.waits, report.cancelled)).toBeGreaterThan(100);
  }, 120_000);

  it("are the same for the same seed", async () => {
    expect(await runOrder(11)).toEqual(await runOrder(11));
  });
});

/** All are hunted by `npm run sim -- --orders --planted`; these have the quickest to tell. */
const HUNTED = [
  "what is under way holds nobody up",
  "one that is retried holds nobody up",
  "in one batch the newest goes first",
  "the next goes before it is written what came of the one before",
  "what waits for a closed target has no place",
];

describe("bugs planted into the order of deliveries", () => {
  it("are caught", async () => {
    const missed: string[] = [];
    const hunted = PLANTED_IN_ORDERS.filter(({ name }) => HUNTED.includes(name));
    expect(hunted).toHaveLength(HUNTED.length);
    for (const { name } of hunted) {
      const { violations } = await runOrderSeeds(1, 30, name);
      if (violations.length === 0) missed.push(name);
    }
    expect(missed).toEqual([]);
  }, 240_000);

  it("have their places in the source, each exactly once", () => {
    expect(lostPlaces(PLANTED_IN_ORDERS)).toEqual([]);
    expect(PLANTED_IN_ORDERS.length).toBeGreaterThanOrEqual(6);
  });
});
