/** Texts that sort as the numbers and times they were made of. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareNumbers, isJsonNumber, parseJson } from "../../../src/core/json.ts";
import { rankOf } from "../../../src/core/order/rank.ts";

const sign = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
const numberOf = (literal: string) => {
  const parsed = parseJson(literal, { depthMax: 1 });
  if (!parsed.ok || !isJsonNumber(parsed.value)) throw new Error(literal);
  return parsed.value;
};

const literal = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.constantFrom(0n, 1n, 10n, 99n)),
    fc.option(fc.stringMatching(/^[0-9]{1,12}$/)),
    fc.option(fc.integer({ min: -400, max: 400 })),
  )
  .map(([minus, whole, fraction, power]) => {
    return `${minus}${whole}${fraction === null ? "" : `.${fraction}`}${power === null ? "" : `e${power}`}`;
  });

describe("a rank", () => {
  it("of numbers sorts as they do, however they are written", () => {
    fc.assert(
      fc.property(literal, literal, (one, other) => {
        const expected = Math.sign(compareNumbers(numberOf(one), numberOf(other)));
        expect(sign(rankOf(numberOf(one)) ?? "", rankOf(numberOf(other)) ?? "")).toBe(expected);
        expect(sign(rankOf(one) ?? "", rankOf(numberOf(other)) ?? "")).toBe(expected);
      }),
      { numRuns: 5_000 },
    );
  });

  it("of times sorts as they do, in any zone and with any fraction", () => {
    const time = fc
      .tuple(
        fc.integer({ min: Date.UTC(0, 0, 1), max: Date.UTC(2300, 0, 1) }),
        fc.stringMatching(/^[0-9]{0,9}$/),
        fc.integer({ min: -720, max: 720 }),
      )
      .map(([atMs, fraction, zone]) => {
        const seconds = Math.floor(atMs / 1_000);
        const local = new Date((seconds + zone * 60) * 1_000).toISOString().slice(0, 19);
        const [hours, minutes] = [Math.floor(Math.abs(zone) / 60), Math.abs(zone) % 60];
        const two = (part: number) => String(part).padStart(2, "0");
        const offset = `${zone < 0 ? "-" : "+"}${two(hours)}:${two(minutes)}`;
        const text = `${local}${fraction === "" ? "" : `.${fraction}`}${zone === 0 ? "Z" : offset}`;
        return {
          text,
          age: `${String(seconds + 1e12).padStart(14, "0")}${fraction.padEnd(9, "0")}`,
        };
      });
    fc.assert(
      fc.property(time, time, (one, other) => {
        expect(sign(rankOf(one.text) ?? "", rankOf(other.text) ?? "")).toBe(
          sign(one.age, other.age),
        );
      }),
      { numRuns: 5_000 },
    );
  });

  it("of a time is more than of any number, so that all have an order", () => {
    expect(sign(rankOf("2026-01-01T00:00:00Z") ?? "", rankOf("1e400") ?? "")).toBe(1);
  });

  it.each(["", "soon", "1.2.3", "2026-13-01T00:00:00Z", "0x10", `1${"2".repeat(70)}3`, " 1"])(
    "is refused to %j, which is neither",
    (text) => expect(rankOf(text)).toBeNull(),
  );

  it("is refused to what is no scalar, or not there", () => {
    for (const value of [undefined, null, true, [1], { a: 1 }]) expect(rankOf(value)).toBeNull();
  });

  it("of a number that is written at length without end is none, and takes no time to say so", () => {
    const small = numberOf(`0.${"0".repeat(900)}1`);
    expect(rankOf(small)).toBe(rankOf(numberOf("1e-901")));
    expect(rankOf(numberOf(`0.${"0".repeat(500_000)}1`))).toBeNull();
  });
});
