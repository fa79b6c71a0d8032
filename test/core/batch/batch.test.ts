/** When a batch goes and how much goes with it, for all that may wait. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  batchLimitsOf,
  bytesInBatch,
  fitting,
  goesInMs,
  joined,
  nextBatchMs,
  type Waiting,
} from "../../../src/core/batch/batch.ts";
import {
  BATCH_EVENTS_DEFAULT,
  BATCH_KILOBYTES_DEFAULT,
  BATCH_SECONDS_DEFAULT,
} from "../../../src/core/batch/limits.ts";

const limits = batchLimitsOf({ seconds: 5, kilobytes: 1, events: 3 });
const one = (bytes: number, waitedMs: number, isLeft = false) => ({ bytes, waitedMs, isLeft });

describe("a batch", () => {
  it("goes when as many wait as it may have, or as many bytes, or the oldest has waited long enough", () => {
    expect(goesInMs([], limits)).toBeNull();
    expect(goesInMs([one(100, 4_000)], limits)).toBe(1_000);
    expect(goesInMs([one(100, 1_000), one(100, 5_000)], limits)).toBe(0);
    expect(goesInMs([one(100, 0), one(100, 0), one(100, 0)], limits)).toBe(0);
    expect(goesInMs([one(600, 0), one(400, 0)], limits)).toBe(0);
    expect(goesInMs([one(600, 0), one(399, 0)], limits)).toBe(5_000);
  });

  it("does not wait once more for what was in one whose process died", () => {
    expect(goesInMs([one(100, 0), one(100, 0, true)], limits)).toBe(0);
  });

  it("takes what is left out of its limits from constants", () => {
    expect(batchLimitsOf({})).toEqual({
      waitMs: BATCH_SECONDS_DEFAULT * 1_000,
      bytesMax: BATCH_KILOBYTES_DEFAULT * 1_000,
      eventsMax: BATCH_EVENTS_DEFAULT,
    });
  });

  it("has as many of the first as fit, as JSON, and never none", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 2, max: 400 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 10, max: 1_200 }),
        fc.integer({ min: 1, max: 8 }),
        (sizes, bytesMax, eventsMax) => {
          const count = fitting(sizes, { bytesMax, eventsMax });
          const bodyOf = (parts: number) =>
            `[${sizes
              .slice(0, parts)
              .map((size) => "x".repeat(size))
              .join(",")}]`.length;
          expect(count).toBeGreaterThanOrEqual(1);
          expect(count).toBeLessThanOrEqual(eventsMax);
          if (count > 1) expect(bodyOf(count)).toBeLessThanOrEqual(bytesMax);
          // No fewer than fit.
          const isOneMore = count < sizes.length && count < eventsMax;
          if (isOneMore) expect(bodyOf(count + 1)).toBeGreaterThan(bytesMax);
        },
      ),
    );
  });
});

describe("what a gate is told of", () => {
  it("has it look when the first of them has waited long enough, at once when it is full, and never later", () => {
    const told = fc.record({
      afterMs: fc.integer({ min: 0, max: 2_000 }),
      count: fc.integer({ min: 1, max: 3 }),
      bytes: fc.integer({ min: 1, max: 500 }),
    });
    fc.assert(
      fc.property(fc.array(told, { minLength: 1, maxLength: 6 }), (all) => {
        let nowMs = 1_000_000;
        let waiting: Waiting | undefined;
        const sinceMs: number[] = [];
        for (const { afterMs, count, bytes } of all) {
          nowMs += afterMs;
          sinceMs.push(nowMs);
          waiting = joined(waiting, { count, bytes, sinceMs: nowMs }, limits);
        }
        const count = all.reduce((sum, each) => sum + each.count, 0);
        const bytes = all.reduce((sum, each) => sum + each.bytes, 0);
        expect(waiting).toMatchObject({ count, bytes, sinceMs: sinceMs[0] });
        const dueMs = (sinceMs[0] ?? 0) + limits.waitMs;
        expect(waiting?.lookAtMs).toBeLessThanOrEqual(dueMs);
        const isFull = count >= limits.eventsMax || bytes >= limits.bytesMax;
        if (isFull) expect(waiting?.lookAtMs).toBeLessThanOrEqual(nowMs);
        else expect(waiting?.lookAtMs).toBe(dueMs);
        expect(waiting && nextBatchMs(waiting, limits)).toBe(waiting?.lookAtMs);
      }),
    );
  });

  it("has nothing looked at before its gate allows it", () => {
    const held = { count: 1, bytes: 1, sinceMs: 0, lookAtMs: 60_000, notBeforeMs: 60_000 };
    const more = joined(held, { count: 9, bytes: 9, sinceMs: 5_000 }, limits);
    expect(more.lookAtMs).toBe(60_000);
    expect(nextBatchMs(more, limits)).toBe(60_000);
  });

  it("counts what an event has around its data", () => {
    expect(bytesInBatch(100)).toBeGreaterThan(100);
  });
});
