/** When a failed delivery is tried again, and what a receiver may ask for. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  departureSeconds,
  nextDelayMs,
  parseRetryAfter,
  type RetryPolicy,
  STANDARD_LADDER,
} from "../../../src/core/deliver/retry.ts";
import { QUEUE_DELAY_SECONDS_MAX, SWEEP_GRACE_MS } from "../../../src/core/limits.ts";

const NOW = Date.UTC(2026, 0, 1, 12);
const DAY_MS = 86_400_000;

const ladder = fc.record({ delaysSeconds: fc.array(fc.nat({ max: 100_000 }), { maxLength: 12 }) });
const growing = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 50 }),
  initialSeconds: fc.integer({ min: 1, max: 3_600 }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  maxSeconds: fc.integer({ min: 3_600, max: 86_400 }),
});
const policy: fc.Arbitrary<RetryPolicy> = fc.oneof(ladder, growing);
const attempts = fc.integer({ min: 1, max: 60 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("a retry", () => {
  it("by the standard ladder comes ten times within 75 h 35 min, and not again", () => {
    const pauses = Array.from({ length: 10 }, (_, index) =>
      nextDelayMs(STANDARD_LADDER, index + 1, 0, null),
    );
    expect(pauses.map((pause) => pause && pause / 1_000)).toEqual([
      5,
      300,
      1_800,
      7_200,
      18_000,
      36_000,
      50_400,
      72_000,
      86_400,
      null,
    ]);
  });

  it("by a growing pause grows to its bound and ends with its last attempt", () => {
    const grow: RetryPolicy = { maxAttempts: 5, initialSeconds: 1, factor: 3, maxSeconds: 10 };
    const pauses = [1, 2, 3, 4, 5, 6].map((made) => nextDelayMs(grow, made, 0, null));
    expect(pauses).toEqual([1_000, 3_000, 9_000, 10_000, null, null]);
  });

  it("is never made by an empty ladder or a single attempt", () => {
    const once: RetryPolicy = { maxAttempts: 1, initialSeconds: 1, factor: 1, maxSeconds: 1 };
    expect(nextDelayMs({ delaysSeconds: [] }, 1, 0, null)).toBeNull();
    expect(nextDelayMs(once, 1, 0, null)).toBeNull();
  });

  it("is put off by at most a fifth, and never early", () => {
    fc.assert(
      fc.property(policy, attempts, random, (by, made, chance) => {
        const least = nextDelayMs(by, made, 0, null);
        const delay = nextDelayMs(by, made, chance, null);
        expect(delay === null).toBe(least === null);
        expect(delay ?? 0).toBeGreaterThanOrEqual(least ?? 0);
        expect(delay ?? 0).toBeLessThanOrEqual(Math.round((least ?? 0) * 1.2) + 1);
      }),
    );
  });

  it("waits a whole number of milliseconds, however large the factor", () => {
    fc.assert(
      fc.property(policy, attempts, random, (by, made, chance) => {
        const delay = nextDelayMs(by, made, chance, null);
        expect(delay === null || Number.isSafeInteger(delay)).toBe(true);
      }),
    );
  });

  it("never comes before the receiver wants it, up to a day", () => {
    const asked = fc.nat({ max: 10 * DAY_MS });
    fc.assert(
      fc.property(policy, attempts, random, asked, (by, made, chance, askedMs) => {
        const delay = nextDelayMs(by, made, chance, askedMs);
        const unasked = nextDelayMs(by, made, chance, null);
        const wanted = unasked === null ? null : Math.max(unasked, Math.min(askedMs, DAY_MS));
        expect(delay).toBe(wanted);
      }),
    );
  });

  it("is not given by Retry-After when the policy has none left", () => {
    expect(nextDelayMs({ delaysSeconds: [5] }, 2, 0, 1_000)).toBeNull();
  });
});

describe("Retry-After", () => {
  const inAnHour = new Date(NOW + 3_600_000).toUTCString();

  it.each([
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7_000],
    ["000000000000012", 12_000],
    ["1000000000000", 1e15],
    [inAnHour, 3_600_000],
    [new Date(NOW - 3_600_000).toUTCString(), 0],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ])("%j asks for %i milliseconds", (value, ms) => {
    expect(parseRetryAfter(value, NOW)).toBe(ms);
  });

  it.each([
    null,
    "",
    " ",
    "-1",
    "+1",
    "1.5",
    "1e12",
    "0x10",
    "٣",
    "5, 10",
    "5 seconds",
    "Infinity",
    "NaN",
    "1".repeat(16),
    "9".repeat(400),
    "2026-01-01T13:00:00Z",
    "Thursday, 01-Jan-26 13:00:00 GMT",
    "Thu Jan  1 13:00:00 2026",
    "Thu, 1 Jan 2026 13:00:00 GMT",
    "Thu, 01 Jan 2026 13:00:00 +0100",
    "Thu, 01 Foo 2026 13:00:00 GMT",
    "Thu, 01 Jan 2026 99:00:00 GMT",
    `${inAnHour}; drop`,
  ])("%j asks for nothing", (value) => {
    expect(parseRetryAfter(value, NOW)).toBeNull();
  });

  it("of any text is nothing, or a wait that is not negative", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String)), (value) => {
        const ms = parseRetryAfter(value, NOW);
        expect(ms === null || (Number.isSafeInteger(ms) && ms >= 0)).toBe(true);
      }),
    );
  });
});

describe("the departure of a retry", () => {
  const due = fc.integer({ min: -1_000, max: QUEUE_DELAY_SECONDS_MAX * 1_000 });

  it("is never before it is due, and so little after it that the sweeper does not step in", () => {
    fc.assert(
      fc.property(due, (dueInMs) => {
        const lateMs = (departureSeconds(dueInMs) ?? Number.NaN) * 1_000 - Math.max(0, dueInMs);
        expect(lateMs).toBeGreaterThanOrEqual(0);
        expect(lateMs).toBeLessThan(SWEEP_GRACE_MS / 2 + 1);
      }),
    );
  });

  it("of a later one is not earlier", () => {
    fc.assert(
      fc.property(due, fc.nat(100_000), (dueInMs, laterMs) => {
        const later = departureSeconds(dueInMs + laterMs) ?? Number.POSITIVE_INFINITY;
        expect(later).toBeGreaterThanOrEqual(departureSeconds(dueInMs) ?? Number.NaN);
      }),
    );
  });

  it("is none when no message may wait that long", () => {
    expect(departureSeconds(QUEUE_DELAY_SECONDS_MAX * 1_000)).toBe(QUEUE_DELAY_SECONDS_MAX);
    expect(departureSeconds(QUEUE_DELAY_SECONDS_MAX * 1_000 + 1)).toBeNull();
  });
});
