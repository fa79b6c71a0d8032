/** Who gives way in a late queue: nobody who is alone or quiet, and never so many that connections are idle. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowances, isLate, type Standing } from "../../../src/core/deliver/fair-share.ts";
import { FAIR_LATE_MS, FAIR_ON_TIME_MS } from "../../../src/core/deliver/limits.ts";
import { CONNECTIONS_MAX } from "../../../src/core/limits.ts";
import { createSeededRandom } from "../../support/memory-system.ts";

const standing: fc.Arbitrary<Standing> = fc
  .record({
    wanted: fc.nat({ max: 300 }),
    taken: fc.nat({ max: 500 }),
    gaveWay: fc.nat({ max: 500 }),
  })
  .map(({ wanted, taken, gaveWay }) => ({ wanted, taken, seen: wanted + taken + gaveWay }));
const tenants: fc.Arbitrary<ReadonlyMap<string, Standing>> = fc
  .array(standing, { minLength: 1, maxLength: 20 })
  .map((all) => new Map(all.map((each, at) => [`tenant-${at}`, each])));

const sum = (counts: Iterable<number>): number => [...counts].reduce((so, count) => so + count, 0);
const seenOf = (all: ReadonlyMap<string, Standing>): number =>
  sum([...all.values()].map(({ seen }) => seen));

describe("a late batch", () => {
  it("works on as much as its connections take, whoever it is of, and on no more than there is", () => {
    fc.assert(
      fc.property(tenants, fc.integer({ min: 1, max: 200 }), (all, room) => {
        const wanted = sum([...all.values()].map((each) => each.wanted));
        const allowed = allowances(all, room);
        expect(sum(allowed.values())).toBeGreaterThanOrEqual(Math.min(room, wanted));
        for (const [tenant, count] of allowed) {
          expect(count).toBeLessThanOrEqual(all.get(tenant)?.wanted ?? 0);
        }
      }),
    );
  });

  it("has nobody give way who has had no more than an equal share, all told", () => {
    fc.assert(
      fc.property(tenants, (all) => {
        const equalShare = seenOf(all) / all.size;
        const allowed = allowances(all);
        for (const [tenant, { wanted, seen }] of all) {
          if (wanted > 0 && seen <= equalShare) expect(allowed.get(tenant)).toBe(wanted);
        }
      }),
    );
  });

  it("has a tenant that is alone give way to nobody", () => {
    fc.assert(
      fc.property(standing, (only) => {
        const allowed = allowances(new Map([["acme", only]]));
        expect(sum(allowed.values())).toBe(only.wanted);
      }),
    );
  });

  it("begins nothing of one that has had more while another, that has had less, gives way", () => {
    fc.assert(
      fc.property(tenants, (all) => {
        const allowed = allowances(all);
        for (const [tenant, count] of allowed) {
          const own = all.get(tenant);
          if (own === undefined || count === own.wanted) continue; // it gives way to nobody
          for (const [other, begun] of allowed) {
            if (other === tenant || begun === 0) continue;
            const its = all.get(other);
            expect((its?.taken ?? 0) + begun).toBeLessThanOrEqual(own.taken + count);
          }
        }
      }),
    );
  });

  it("of a flood, while ninety-nine others were seen lately, works on one round of connections", () => {
    const quiet = Array.from({ length: 99 }, (_, at): [string, Standing] => {
      return [`quiet-${at}`, { wanted: 0, seen: 1, taken: 1 }];
    });
    const loud: Standing = { wanted: 100, seen: 2_100, taken: 2_000 };
    const allowed = allowances(new Map([...quiet, ["loud", loud]]));
    expect(allowed).toEqual(new Map([["loud", CONNECTIONS_MAX]]));
    const beside = new Map([...quiet, ["loud", loud]] as [string, Standing][]).set("quiet-7", {
      ...{ wanted: 20, seen: 21, taken: 1 },
    });
    expect(allowances(beside)).toEqual(
      new Map([
        ["quiet-7", 20],
        ["loud", 0],
      ]),
    );
  });
});

describe("floods of several tenants", () => {
  /** (Σx)² / (n · Σx²): 1 when all have the same, 1/n when one has everything. */
  const jain = (counts: readonly number[]): number =>
    sum(counts) ** 2 / (counts.length * sum(counts.map((count) => count * count)));

  /** Each event is of a flood by its size, as they came in. */
  function oneOf(left: readonly number[], unit: number): number {
    let behind = unit * sum(left);
    return left.findIndex((count) => {
      behind -= count;
      return behind < 0;
    });
  }

  it("are worked on alike, however unlike they are: Jain's index of what was begun is above 0.99", () => {
    const floods = fc.array(fc.integer({ min: 2_000, max: 20_000 }), {
      minLength: 2,
      maxLength: 12,
    });
    fc.assert(
      fc.property(floods, fc.integer({ min: 0, max: 2 ** 31 }), (sizes, seed) => {
        const left = [...sizes];
        const lately = new Map<string, { wanted: number; seen: number; taken: number }>();
        for (let quiet = 0; quiet < 200; quiet += 1) {
          lately.set(`quiet-${quiet}`, { wanted: 0, seen: 1, taken: 1 });
        }
        for (const at of sizes.keys()) lately.set(`${at}`, { wanted: 0, seen: 0, taken: 0 });
        const random = createSeededRandom(seed);
        for (let batch = 0; batch < 60; batch += 1) {
          for (let place = 0; place < 100; place += 1) {
            const of = oneOf(left, random.unit());
            left[of] = (left[of] ?? 1) - 1;
            const own = lately.get(`${of}`);
            if (own !== undefined) [own.wanted, own.seen] = [own.wanted + 1, own.seen + 1];
          }
          const allowed = allowances(lately);
          for (const [tenant, own] of lately) {
            own.taken += allowed.get(tenant) ?? 0;
            own.wanted = 0;
          }
        }
        expect(jain(sizes.map((_, at) => lately.get(`${at}`)?.taken ?? 0))).toBeGreaterThan(0.99);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a queue", () => {
  it("is late from one bound on until it is below another, and stays as it was where nothing says", () => {
    const waits = fc.array(fc.option(fc.nat({ max: 3 * FAIR_LATE_MS })), { maxLength: 50 });
    fc.assert(
      fc.property(waits, (all) => {
        let before = false;
        for (const waited of all) {
          const now = isLate(before, waited);
          if (now !== before) {
            expect(waited).not.toBeNull();
            if (now) expect(waited).toBeGreaterThanOrEqual(FAIR_LATE_MS);
            else expect(waited).toBeLessThan(FAIR_ON_TIME_MS);
          }
          before = now;
        }
      }),
    );
  });

  it("is not late by what an operator has its batches wait, nor by a message from the future", () => {
    expect(isLate(false, FAIR_LATE_MS - 1)).toBe(false);
    expect(isLate(true, -1_000)).toBe(false);
    expect(isLate(false, Number.NEGATIVE_INFINITY)).toBe(false);
  });
});
