/** Whose gates are woken when there are too many: the most urgent at once, and everybody in the end. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inTurn, type ParkedTarget } from "../../../src/core/gate/index.ts";

const targets: fc.Arbitrary<ParkedTarget[]> = fc
  .array(fc.record({ rank: fc.nat({ max: 3 }), oldestAtMs: fc.nat({ max: 1_000 }) }), {
    maxLength: 60,
  })
  .map((each) => each.map((one, at) => ({ ...one, tenant: "acme", target: `t${at}` })));
const counts = fc.integer({ min: 2, max: 20 });

describe("parked targets", () => {
  it("are all woken where they are few, the most urgent and oldest first", () => {
    const of = (target: string, rank: number, oldestAtMs: number) => {
      return { tenant: "acme", target, rank, oldestAtMs };
    };
    const found = [of("bulk", 2, 1), of("young", 0, 9), of("old", 0, 5)];
    expect(inTurn(found, 3, 7).map(({ target }) => target)).toEqual(["old", "young", "bulk"]);
  });

  it("are never more than there is room for, none twice, the most urgent half always among them", () => {
    fc.assert(
      fc.property(targets, counts, fc.nat(), (found, count, turn) => {
        const woken = inTurn(found, count, turn);
        expect(woken).toHaveLength(Math.min(count, found.length));
        expect(new Set(woken).size).toBe(woken.length);
        const urgent = found.toSorted((a, b) => a.rank - b.rank || a.oldestAtMs - b.oldestAtMs);
        expect(woken).toEqual(expect.arrayContaining(urgent.slice(0, Math.floor(count / 2))));
      }),
    );
  });

  it("are each woken within as many passes as it takes, by names that come first or last", () => {
    fc.assert(
      fc.property(targets, counts, fc.nat({ max: 1_000_000 }), (found, count, first) => {
        const passes = Math.ceil(found.length / Math.floor(count / 2)) + 1;
        const woken = new Set(
          Array.from({ length: passes }, (_, pass) => inTurn(found, count, first + pass)).flat(),
        );
        expect(woken.size).toBe(found.length);
      }),
    );
  });
});
