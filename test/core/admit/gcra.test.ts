/** Laws of one bucket, over generated rates and schedules. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Rate, take } from "../../../src/core/admit/gcra.ts";
import { admittedAt, mostAboveRate } from "../../support/windows.ts";
import { ask, NOW_MS, ROUNDING, rate } from "./arbitraries.ts";

const RUNS = { numRuns: 2_000 };

describe("a bucket", () => {
  it("grants its burst at once when nobody used it, and not one more", () => {
    fc.assert(
      fc.property(rate, (limit) => {
        const first = take(limit, 0, NOW_MS, limit.burst + 5);
        expect(first.granted).toBe(limit.burst);
        expect(take(limit, first.arrivalMs, NOW_MS, 1).granted).toBe(0);
      }),
      RUNS,
    );
  });

  it("refuses more than burst + rate · window in every window of any schedule", () => {
    let refused = 0;
    fc.assert(
      fc.property(rate, fc.array(ask, { maxLength: 60 }), (limit, asks) => {
        let nowMs = NOW_MS;
        let arrivalMs = 0;
        const admitted = asks.map(({ gapMs, count }) => {
          nowMs += gapMs;
          const grant = take(limit, arrivalMs, nowMs, count);
          arrivalMs = grant.arrivalMs;
          if (grant.granted < count) refused += 1;
          return admittedAt(nowMs, grant.granted);
        });
        expect(mostAboveRate(admitted, limit.perSecond)).toBeLessThan(limit.burst + ROUNDING);
      }),
      RUNS,
    );
    expect(refused).toBeGreaterThan(RUNS.numRuns); // schedules that stay below prove nothing
  });

  it("keeps the bound over true time when its clock is set back, however often", () => {
    const jump = fc.record({ gapMs: fc.nat(2_000), backMs: fc.nat(5_000), count: fc.nat(20) });
    fc.assert(
      fc.property(rate, fc.array(jump, { maxLength: 60 }), (limit, jumps) => {
        let trueMs = NOW_MS;
        let behindMs = 0;
        let arrivalMs = 0;
        const admitted = jumps.map(({ gapMs, backMs, count }) => {
          trueMs += gapMs;
          behindMs += backMs;
          const grant = take(limit, arrivalMs, trueMs - behindMs, count);
          arrivalMs = grant.arrivalMs;
          return admittedAt(trueMs, grant.granted);
        });
        expect(mostAboveRate(admitted, limit.perSecond)).toBeLessThan(limit.burst + ROUNDING);
      }),
      RUNS,
    );
  });

  it("has a token after the wait it named, rounded up to a millisecond as answers are", () => {
    let waited = 0;
    fc.assert(
      fc.property(rate, fc.array(ask, { minLength: 1, maxLength: 30 }), (limit, asks) => {
        let nowMs = NOW_MS;
        let arrivalMs = 0;
        for (const { gapMs, count } of asks) {
          nowMs += gapMs;
          const grant = take(limit, arrivalMs, nowMs, count);
          arrivalMs = grant.arrivalMs;
          if (grant.granted === count) {
            expect(grant.retryAfterMs).toBe(0);
            continue;
          }
          waited += 1;
          nowMs += Math.ceil(grant.retryAfterMs);
          const next = take(limit, arrivalMs, nowMs, 1);
          expect(next.granted).toBe(1);
          arrivalMs = next.arrivalMs;
        }
      }),
      RUNS,
    );
    expect(waited).toBeGreaterThan(RUNS.numRuns / 2);
  });

  it("names no wait longer than one token needs, whatever was taken before", () => {
    fc.assert(
      fc.property(rate, fc.nat(100), (limit, extra) => {
        const grant = take(limit, 0, NOW_MS, limit.burst + extra + 1);
        expect(grant.retryAfterMs).toBeLessThan(1_000 / limit.perSecond + ROUNDING);
      }),
      RUNS,
    );
  });

  it("is at worst empty after its clock was set back, and refills from there", () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 0, max: 86_400_000 }), (limit, backMs) => {
        const { arrivalMs } = take(limit, 0, NOW_MS, limit.burst);
        expectOneTokenSoon(limit, arrivalMs, NOW_MS - backMs);
      }),
      RUNS,
    );
  });

  it("is at worst empty after its rate was changed: an old debt does not outlive the old rate", () => {
    fc.assert(
      fc.property(rate, rate, (before, after) => {
        const { arrivalMs } = take(before, 0, NOW_MS, before.burst);
        expectOneTokenSoon(after, arrivalMs, NOW_MS);
      }),
      RUNS,
    );
  });
});

function expectOneTokenSoon(limit: Rate, arrivalMs: number, nowMs: number): void {
  const refused = take(limit, arrivalMs, nowMs, limit.burst + 1);
  expect(refused.granted).toBeGreaterThanOrEqual(0);
  expect(refused.retryAfterMs).toBeLessThan(1_000 / limit.perSecond + ROUNDING);
  const waitMs = Math.ceil(refused.retryAfterMs);
  expect(take(limit, refused.arrivalMs, nowMs + waitMs, 1).granted).toBe(1);
}
