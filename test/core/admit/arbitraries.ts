/** Rates and schedules for the laws of admission. */
import fc from "fast-check";
import type { Rate } from "../../../src/core/admit/gcra.ts";

/** A moment of today's magnitude: rounding shows only where milliseconds have thirteen digits. */
export const NOW_MS = 1_790_000_000_000;

/** Doubles of that magnitude are 0.00024 apart; a schedule adds up to less than this many tokens. */
export const ROUNDING = 0.1;

const perSecond = fc.oneof(
  fc.constantFrom(0.01, 0.3, 1, 3, 7, 60, 333, 1_000),
  fc.double({ min: 0.05, max: 1_000, noNaN: true }),
);

export const rate: fc.Arbitrary<Rate> = fc.record({
  perSecond,
  burst: fc.integer({ min: 1, max: 60 }),
});

/** Some tokens asked for, some time after the last ask; often at once. */
export const ask = fc.record({
  gapMs: fc.oneof(fc.constant(0), fc.nat(20), fc.nat(3_000)),
  count: fc.integer({ min: 1, max: 20 }),
});
