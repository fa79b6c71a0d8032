/** Messages that wait for their time: never more at once than may, and no place is lost. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDelayedMessages } from "../../../src/core/enqueue/delayed.ts";

describe("delayed messages", () => {
  it("are refused when more would wait than may, and none of them counts", () => {
    const delayed = createDelayedMessages(10);
    expect(delayed.take(8, 60, 0)).toBe(true);
    expect(delayed.take(3, 60, 0)).toBe(false);
    expect(delayed.take(2, 60, 0)).toBe(true);
    expect(delayed.take(1, 1, 59_999)).toBe(false);
  });

  it("give their places back when their time has come", () => {
    const delayed = createDelayedMessages(10);
    delayed.take(4, 5, 500);
    delayed.take(6, 50, 500);
    expect(delayed.take(1, 1, 5_999)).toBe(false);
    expect(delayed.take(4, 1, 6_000)).toBe(true);
    expect(delayed.take(10, 1, 60_000)).toBe(true);
  });

  it("never wait in a greater number, whatever is sent when", () => {
    const sends = fc.array(fc.tuple(fc.nat(8), fc.integer({ min: 1, max: 20 }), fc.nat(3_000)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(sends, (all) => {
        const delayed = createDelayedMessages(12);
        const taken: { count: number; untilMs: number }[] = [];
        let nowMs = 0;
        for (const [count, delaySeconds, laterMs] of all) {
          nowMs += laterMs;
          const waiting = taken.filter(({ untilMs }) => untilMs > nowMs);
          const sum = waiting.reduce((total, one) => total + one.count, 0);
          if (delayed.take(count, delaySeconds, nowMs)) {
            expect(sum + count).toBeLessThanOrEqual(12);
            taken.push({ count, untilMs: nowMs + delaySeconds * 1_000 });
          } else {
            // Refused only when it were too many, but for the second that rounding holds a place.
            const lately = taken.filter(({ untilMs }) => untilMs + 1_000 > nowMs);
            expect(lately.reduce((total, one) => total + one.count, count)).toBeGreaterThan(12);
          }
        }
      }),
    );
  });
});
