/** What the benchmarks conclude from noisy rounds. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compare, geometricMean, keepsTo, reaches } from "../../bench/measure/statistics.ts";

const times = fc.array(fc.double({ min: 1, max: 1_000, noNaN: true }), {
  minLength: 1,
  maxLength: 12,
});
const repeated = (value: number) => Array.from({ length: 6 }, () => value);

describe("two sides of paired rounds", () => {
  it.each([
    { name: "median", middle: undefined },
    { name: "geometric mean", middle: geometricMean },
  ])("differ by what each pair does, however much pairs differ: $name", ({ middle }) => {
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 2, 4), (baseline, factor) => {
        const measured = baseline.map((value) => value * factor);
        const { ratio, interval } = compare(measured, baseline, "lower", middle);
        for (const each of [ratio, interval.low, interval.high]) expect(each).toBeCloseTo(factor);
      }),
      { numRuns: 20 },
    );
  });

  it("are alike by the geometric mean when pairs that undo each other are", () => {
    expect(geometricMean([4, 0.25, 2, 0.5])).toBeCloseTo(1);
  });

  it("differ by an interval as wide as the pairs do", () => {
    const { interval } = compare([1, 1, 1, 2, 2, 2], repeated(1), "lower");
    expect(interval).toEqual({ low: 1, high: 2 });
  });

  it("are better or worse only when the whole interval is on one side", () => {
    expect(compare(repeated(1.2), repeated(1), "lower").verdict).toBe("worse");
    expect(compare(repeated(1.2), repeated(1), "higher").verdict).toBe("better");
    expect(compare([1.2, 1.2, 1.2, 0.9, 0.9, 0.9], repeated(1), "lower").verdict).toBe("noise");
  });
});

describe("a goal", () => {
  it("is met or missed only where the whole interval says so", () => {
    const sure = compare(repeated(1.2), repeated(1), "lower");
    expect(keepsTo(1.1, sure)).toBe("missed");
    expect(keepsTo(1.3, sure)).toBe("met");
    expect(reaches(1.1, sure)).toBe("met");
    expect(reaches(1.3, sure)).toBe("missed");
    const split = compare([1, 1, 1, 1.2, 1.2, 1.2], repeated(1), "lower");
    expect([keepsTo(1.1, split), reaches(1.1, split)]).toEqual(["open", "open"]);
  });

  it("is open after a few rounds, whatever they say", () => {
    const few = compare([1.2, 1.2], [1, 1], "lower");
    expect([keepsTo(1.1, few), reaches(1.1, few), few.verdict]).toEqual(["open", "open", "noise"]);
  });
});
