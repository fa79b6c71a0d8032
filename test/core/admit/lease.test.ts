/** Laws of leased tokens: what isolates admit together, and what that costs in calls. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Rate } from "../../../src/core/admit/gcra.ts";
import { leaseTokensMax, spend, tokensToAsk } from "../../../src/core/admit/lease.ts";
import { mostAboveRate } from "../../support/windows.ts";
import { NOW_MS, ROUNDING } from "./arbitraries.ts";
import { type Arrival, play, type World } from "./isolates.ts";

const RUNS = { numRuns: 400 };

/** Bursts from which a lease of several tokens follows; rates at which it may end before it is spent. */
const world: fc.Arbitrary<World> = fc.record({
  rate: fc.record({
    perSecond: fc.oneof(fc.constantFrom(1, 10, 333), fc.double({ min: 1, max: 500, noNaN: true })),
    burst: fc.integer({ min: 1, max: 150 }),
  }),
  ttlMs: fc.constantFrom(50, 1_000),
  delayMs: fc.constantFrom(0, 0, 5, 400),
});

const gapMs = fc.oneof({ weight: 6, arbitrary: fc.nat(4) }, fc.nat(200), fc.nat(3_000));

const arrivalsOf = (count: fc.Arbitrary<number>): fc.Arbitrary<Arrival[]> =>
  fc
    .array(fc.record({ gapMs, isolate: fc.nat(7), count }), { maxLength: 250, size: "max" })
    .map((steps) => {
      let atMs = NOW_MS;
      return steps.map(({ gapMs, isolate, count }) => {
        atMs += gapMs;
        return { atMs, isolate, count };
      });
    });

interface Ambush {
  readonly isolates: number;
  readonly primed: number;
  readonly restMs: number;
  readonly salvo: number;
}

/** Every isolate uses a lease up, so that its next is a full one, takes that, rests; then all fire at once. */
function ambushOf({ isolates, primed, restMs, salvo }: Ambush): Arrival[] {
  const at = (afterMs: number, count: number): Arrival[] =>
    Array.from({ length: count }, (_, index) => {
      return { atMs: NOW_MS + afterMs, isolate: index % isolates, count: 1 };
    });
  return [...at(0, primed * isolates), ...at(20, isolates), ...at(20 + restMs, salvo)];
}

const ambush: fc.Arbitrary<Arrival[]> = fc
  .record({
    isolates: fc.integer({ min: 1, max: 8 }),
    primed: fc.integer({ min: 1, max: 15 }),
    restMs: fc.nat(1_500),
    salvo: fc.integer({ min: 100, max: 250 }),
  })
  .map(ambushOf);

/** One that fires what its leases carried over: of random ones about one in a hundred does. */
const carrying: [World, Arrival[]] = [
  { rate: { perSecond: 333, burst: 72 }, ttlMs: 1_000, delayMs: 0 },
  ambushOf({ isolates: 3, primed: 7, restMs: 606, salvo: 100 }),
];

/** What a lease may carry from one window into the next: it lives from its issue to its end. */
const carriedMax = ({ rate, ttlMs, delayMs }: World): number =>
  (rate.perSecond * (ttlMs + delayMs)) / 1_000;

describe("isolates that lease from one bucket", () => {
  it("never admit more than B + R·w + min(R·T, W·L) in a window, whatever the schedule", () => {
    let refused = 0;
    let carried = 0;
    fc.assert(
      fc.property(world, fc.oneof(arrivalsOf(fc.constant(1)), ambush), (given, arrivals) => {
        const { admitted, refused: turnedAway } = play(given, arrivals);
        const isolates = new Set(arrivals.map(({ isolate }) => isolate)).size;
        const outstandingMax = isolates * leaseTokensMax(given.rate, given.ttlMs);
        const above = mostAboveRate(admitted, given.rate.perSecond) - given.rate.burst;
        expect(above).toBeLessThan(Math.min(carriedMax(given), outstandingMax) + ROUNDING);
        expect(admitted.length + turnedAway.length).toBe(arrivals.length);
        refused += turnedAway.length;
        if (above > 1) carried += 1;
      }),
      { ...RUNS, examples: [carrying] },
    );
    // Schedules that never reach the limit, or never fire what leases carried over, would prove nothing.
    expect(refused).toBeGreaterThan(10 * RUNS.numRuns);
    expect(carried).toBeGreaterThan(0);
  });

  it("keep B + R·(w + T) when events come in batches larger than a lease", () => {
    fc.assert(
      fc.property(world, arrivalsOf(fc.integer({ min: 1, max: 20 })), (given, arrivals) => {
        const fitting = arrivals.filter(({ count }) => count <= given.rate.burst);
        const { admitted } = play(given, fitting);
        const above = mostAboveRate(admitted, given.rate.perSecond) - given.rate.burst;
        expect(above).toBeLessThan(carriedMax(given) + ROUNDING);
      }),
      RUNS,
    );
  });

  it("admit what was refused when it comes again after the wait it was told", () => {
    let repeated = 0;
    fc.assert(
      fc.property(world, arrivalsOf(fc.constant(1)), (given, arrivals) => {
        const alone = arrivals.map((arrival) => ({ ...arrival, isolate: 0 }));
        const [first] = play(given, alone).refused;
        if (first === undefined) return;
        repeated += 1;
        const atMs = first.atMs + Math.ceil(first.retryAfterMs);
        const before = alone.filter((arrival) => arrival.atMs <= first.atMs);
        const { admitted } = play(given, [...before, { atMs, isolate: 0, count: 1 }]);
        expect(admitted.at(-1)?.toMs).toBeGreaterThanOrEqual(atMs);
      }),
      RUNS,
    );
    expect(repeated).toBeGreaterThan(RUNS.numRuns / 10);
  });

  it("use what the rate allows at twenty times the load, with a call for few of the events", () => {
    const rate = { perSecond: 100, burst: 100 };
    const seconds = 5;
    const offered = 20 * rate.perSecond * seconds;
    for (const isolates of [1, 4]) {
      const arrivals = Array.from({ length: offered }, (_, index) => {
        const atMs = NOW_MS + (index * seconds * 1_000) / offered;
        return { atMs, isolate: index % isolates, count: 1 };
      });
      const { admitted, calls } = play({ rate, ttlMs: 1_000, delayMs: 1 }, arrivals);
      expect(admitted.length).toBeGreaterThan(0.95 * (rate.burst + rate.perSecond * seconds));
      expect(calls).toBeLessThan(0.1 * offered);
    }
  });
});

describe("a lease", () => {
  const lease = () => ({ tokens: 3, expiresAtMs: NOW_MS + 1_000, deniedUntilMs: 0 });

  it("is spent to its last token and refuses one more", () => {
    const held = lease();
    expect(spend(held, NOW_MS, 2)).toEqual({ kind: "spent" });
    expect(spend(held, NOW_MS, 2)).toEqual({ kind: "ask" });
    expect(spend(held, NOW_MS, 1)).toEqual({ kind: "spent" });
    expect(spend(held, NOW_MS, 1)).toEqual({ kind: "ask" });
  });

  it("is refused from the moment at which it ends, whatever is left in it", () => {
    expect(spend(lease(), NOW_MS + 999, 1)).toEqual({ kind: "spent" });
    expect(spend(lease(), NOW_MS + 1_000, 1)).toEqual({ kind: "ask" });
  });

  it("that was denied asks nobody until the time it was told", () => {
    const denied = { tokens: 0, expiresAtMs: NOW_MS + 1_000, deniedUntilMs: NOW_MS + 250 };
    expect(spend(denied, NOW_MS + 249, 1)).toEqual({ kind: "denied", retryAfterMs: 1 });
    expect(spend(denied, NOW_MS + 250, 1)).toEqual({ kind: "ask" });
  });

  it("never asks for less than is needed now, nor for more than a full lease beyond that", () => {
    const demand = fc.record({
      needed: fc.integer({ min: 1, max: 50 }),
      waiting: fc.nat(500),
      used: fc.nat(500),
    });
    fc.assert(
      fc.property(demand, fc.integer({ min: 1, max: 200 }), (wish, tokensMax) => {
        const asked = tokensToAsk(wish, tokensMax);
        expect(asked).toBeGreaterThanOrEqual(wish.needed);
        expect(asked).toBeLessThanOrEqual(Math.max(wish.needed, tokensMax));
      }),
    );
  });

  it("is never larger than a tenth of the burst or what its life refills, but always one token", () => {
    const rate: fc.Arbitrary<Rate> = fc.record({
      perSecond: fc.double({ min: 0.01, max: 1e6, noNaN: true }),
      burst: fc.integer({ min: 1, max: 1e7 }),
    });
    fc.assert(
      fc.property(rate, (limit) => {
        const tokens = leaseTokensMax(limit, 1_000);
        const share = Math.min(limit.burst / 10, limit.perSecond);
        expect(tokens).toBeGreaterThanOrEqual(1);
        expect(tokens).toBeLessThanOrEqual(Math.max(1, share));
      }),
    );
  });
});
