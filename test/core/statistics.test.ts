/** What the benchmarks conclude from noisy rounds. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compare, compareMeans, keepsTo, reaches } from "../../bench/measure/statistics.ts";
import { inPairs } from "../../bench/parts/isolation/rounds.ts";

const times = fc.array(fc.double({ min: 1, max: 1_000, noNaN: true }), {
  minLength: 2,
  maxLength: 12,
});
const repeated = (value: number) => Array.from({ length: 6 }, () => value);

describe("two sides of paired rounds", () => {
  it.each([
    { name: "median", by: compare },
    { name: "geometric mean", by: compareMeans },
  ])("differ by what each pair does, however much pairs differ: $name", ({ by }) => {
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 2, 4), (baseline, factor) => {
        const measured = baseline.map((value) => value * factor);
        const { ratio, interval } = by(measured, baseline, "lower");
        for (const each of [ratio, interval.low, interval.high]) expect(each).toBeCloseTo(factor);
      }),
      { numRuns: 20 },
    );
  });

  it("are alike by the geometric mean when pairs undo each other; one that went wrong counts", () => {
    expect(compareMeans([4, 0.25, 2, 0.5], [1, 1, 1, 1], "lower").ratio).toBeCloseTo(1);
    const oneWrong = [1, 1, 1, 1, 1, 8];
    expect(compare(oneWrong, repeated(1), "lower").ratio).toBe(1);
    expect(compareMeans(oneWrong, repeated(1), "lower").ratio).toBeCloseTo(Math.SQRT2);
  });

  it("have by the geometric mean the interval of Student's distribution", () => {
    // Six logarithms of mean 0 and variance 1.2: 2.5706 (5 degrees) times the root of 0.2.
    const measured = [1, -1, 1, -1, 1, -1].map((each) => Math.exp(each));
    const { interval } = compareMeans(measured, repeated(1), "lower");
    expect(Math.log(interval.high)).toBeCloseTo(2.5706 * Math.sqrt(0.2), 2);
    expect(Math.log(interval.low)).toBeCloseTo(-2.5706 * Math.sqrt(0.2), 2);
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

describe("pairs of rounds", () => {
  it("follow each other as alone, beside, beside, alone, with what disturbs begun and ended between", async () => {
    const said: string[] = [];
    const side = (name: string) => async () => {
      said.push(name);
      return [said.length];
    };
    const note = (name: string) => async () => void said.push(name);
    const sides = { alone: side("alone"), beside: side("beside") };
    const rounds = await inPairs(3, { ...sides, begin: note("begin"), end: note("end") });
    expect(said).toEqual([
      ...["alone", "begin", "beside", "beside", "end", "alone"],
      ...["alone", "begin", "beside", "end"],
    ]);
    expect(rounds).toEqual({ alone: [[1], [6], [7]], beside: [[3], [4], [9]] });
  });
});
