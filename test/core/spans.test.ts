/** Which frames of the archive are read together: all that were asked for, and no wide gap between them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spansOf } from "../../src/core/spans.ts";

const pointer = fc.record({
  segment: fc.constantFrom("a", "b", "c"),
  offset: fc.nat(2_000),
  length: fc.integer({ min: 1, max: 300 }),
});

describe("spans", () => {
  it("hold every pointer once, whole, and read no more than they may beside them", () => {
    fc.assert(
      fc.property(fc.array(pointer), fc.nat(200), fc.nat(1_000), (pointers, gap, most) => {
        const spans = spansOf(pointers, gap, most);
        const held = spans.flatMap(({ indexes }) => indexes);
        expect(held.toSorted((a, b) => a - b)).toEqual(pointers.map((_, index) => index));
        for (const { segment, offset, length, indexes } of spans) {
          const own = indexes.flatMap((index) => pointers[index] ?? []);
          for (const each of own) {
            expect(each.segment).toBe(segment);
            expect(each.offset).toBeGreaterThanOrEqual(offset);
            expect(each.offset + each.length).toBeLessThanOrEqual(offset + length);
          }
          if (own.length > 1) expect(length).toBeLessThanOrEqual(most);
          const wanted = own.reduce((sum, each) => sum + each.length, 0);
          expect(length).toBeLessThanOrEqual(wanted + gap * (own.length - 1));
        }
      }),
    );
  });

  it("are one for neighbours, and two where too much lies between", () => {
    const at = (offset: number) => ({ segment: "a", offset, length: 10 });
    const lengthsOf = (...offsets: number[]) =>
      spansOf(offsets.map(at), 5, 100).map(({ offset, length }) => [offset, length]);
    expect(lengthsOf(10, 0, 25)).toEqual([[0, 35]]);
    expect(lengthsOf(0, 16)).toEqual([
      [0, 10],
      [16, 10],
    ]);
  });
});
