/** When the load of a benchmark sends. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { startsOf } from "../../bench/load/arrivals.ts";

describe("the starts of a schedule", () => {
  it("are evenly apart from its beginning on", () => {
    expect(startsOf("even", 4, 1_000, Math.random)).toEqual([0, 250, 500, 750]);
  });

  it("are, where senders know nothing of each other, each where chance puts it, in order", () => {
    const shares = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));
    fc.assert(
      fc.property(shares, (drawn) => {
        const left = [...drawn];
        const starts = startsOf("random", drawn.length, 1_000, () => left.shift() ?? Number.NaN);
        const inOrder = drawn.map((share) => share * 1_000).sort((one, other) => one - other);
        expect(starts).toEqual(inOrder);
      }),
    );
  });
});
