/** The short form of `npm run match`: some seeds, and the bugs that it must give away. */
import { describe, expect, it } from "vitest";
import { lostPlaces } from "../../../simulation/planted-bug.ts";
import { compareSeed, SETS_PER_SEED } from "./compare.ts";
import { PLANTED } from "./planted.ts";
import { huntPlanted } from "./pool.ts";

describe("the index and the plain reference", () => {
  it("agree on every rule set and event, matches among them", () => {
    const all = Array.from({ length: 6 }, (_, at) => compareSeed(at + 1));
    expect(all.flatMap(({ differences }) => differences)).toEqual([]);
    for (const { cases, rules, matches } of all) {
      expect(cases).toBeGreaterThan(2 * SETS_PER_SEED);
      expect(matches).toBeGreaterThan(rules / 50);
      expect(matches).toBeLessThan(rules / 2);
    }
  }, 60_000);

  it("are asked the same by the same seed", () => {
    expect(compareSeed(3)).toEqual(compareSeed(3));
    expect(compareSeed(3)).not.toEqual(compareSeed(4));
  }, 60_000);
});

describe("bugs planted into the index", () => {
  const QUICK = [
    "values in elements add up",
    "absences are not awaited",
    "a key with dots is one step",
  ];

  it("are given away", async () => {
    const hunts = await huntPlanted(QUICK);
    expect(hunts.filter(({ seed }) => seed === null)).toEqual([]);
    expect(hunts).toHaveLength(QUICK.length);
  }, 120_000);

  it("are known by names of their own", async () => {
    expect(new Set(PLANTED.map(({ name }) => name)).size).toBe(PLANTED.length);
    await expect(huntPlanted(["no such bug"])).rejects.toThrow("ended with 1");
  }, 60_000);

  it("have their places in the source, each exactly once", () => {
    expect(lostPlaces(PLANTED)).toEqual([]);
  });
});
