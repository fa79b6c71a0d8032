/** What a limiter tells of itself: counts in windows, and since when it denies what it is asked for. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { USAGE_LIMITED_MS, USAGE_WINDOW_MS } from "../../../src/core/admit/limits.ts";
import {
  type Counted,
  limitationBy,
  noted,
  noUsage,
  type Usage,
  usageOf,
} from "../../../src/core/admit/usage.ts";
import { LIMITERS } from "../../../src/core/limitation.ts";

const RATE = { perSecond: 10, burst: 20 };
const NOTHING: Counted = { admitted: 0, refused: 0, demoted: 0 };
const counted = fc.record({
  admitted: fc.nat({ max: 50 }),
  refused: fc.nat({ max: 50 }),
  demoted: fc.nat({ max: 50 }),
});
const at = (usage: Usage, nowMs: number) => usageOf("tenant", usage, RATE, 0, nowMs);

describe("what was told", () => {
  it("is counted once, for a window and up to two, and since when is said", () => {
    const tellings = fc.array(fc.record({ afterMs: fc.nat({ max: 40_000 }), told: counted }));
    fc.assert(
      fc.property(tellings, (all) => {
        let nowMs = 1_000_000;
        let usage = noUsage(nowMs);
        const said: { readonly atMs: number; readonly told: Counted }[] = [];
        for (const { afterMs, told } of all) {
          nowMs += afterMs;
          usage = noted(usage, told, null, nowMs);
          said.push({ atMs: nowMs, told });
        }
        const view = at(usage, nowMs);
        expect(view.fromMs).toBeGreaterThan(nowMs - 2 * USAGE_WINDOW_MS);
        const within = said.filter(({ atMs }) => atMs >= view.fromMs);
        const total = (name: keyof Counted) =>
          within.reduce((sum, { told }) => sum + told[name], 0);
        expect(view).toMatchObject({
          ...{ admitted: total("admitted"), refused: total("refused"), demoted: total("demoted") },
        });
      }),
    );
  });

  it("is forgotten after a silence, and by a clock that was set back", () => {
    const usage = noted(noUsage(0), { ...NOTHING, admitted: 5 }, null, 10);
    expect(at(usage, 2 * USAGE_WINDOW_MS)).toMatchObject({ admitted: 0 });
    const later = noted(noUsage(1_000_000), { ...NOTHING, admitted: 5 }, null, 1_000_000);
    expect(at(later, 500_000)).toMatchObject({ admitted: 0, fromMs: 500_000 });
  });
});

describe("a limit", () => {
  it("limits since its first denial until it has denied nothing for a while, or said to come again", () => {
    const first = noted(noUsage(0), NOTHING, 500, 1_000);
    const again = noted(first, NOTHING, 500, 1_000 + USAGE_LIMITED_MS - 1);
    expect(at(again, 1_000 + USAGE_LIMITED_MS + 1).limitedSinceMs).toBe(1_000);
    const endMs = 1_000 + 2 * USAGE_LIMITED_MS;
    expect(at(again, endMs).limitedSinceMs).toBeNull();
    expect(at(noted(again, NOTHING, null, endMs), endMs).limitedSinceMs).toBeNull();
    const anew = noted(again, NOTHING, 60_000, endMs);
    expect(at(anew, endMs + 59_999).limitedSinceMs).toBe(endMs);
  });

  it("that never denied anything limits nobody, however much was asked", () => {
    let usage = noUsage(0);
    for (let ms = 0; ms < 100; ms += 1) usage = noted(usage, { ...NOTHING, admitted: 9 }, null, ms);
    expect(at(usage, 100).limitedSinceMs).toBeNull();
    expect(limitationBy(at(usage, 100), { ...RATE, overflow: "reject" }, "the tenant")).toEqual([]);
  });

  it("says whose it is and what becomes of what is above it, in the words that all views have", () => {
    const usage = at(noted(noUsage(0), NOTHING, 500, 1_000), 2_000);
    const of = (overflow: "reject" | "demote") =>
      limitationBy(usage, { ...RATE, overflow }, 'the source "shop"');
    expect(of("reject")).toEqual([
      {
        ...{ by: "tenant", sinceMs: 1_000, untilMs: null },
        detail: 'the limit of the source "shop": what is above 10 events a second is refused',
      },
    ]);
    expect(of("demote")[0]?.detail).toMatch(/goes as bulk$/);
    expect(LIMITERS).toContain(of("reject")[0]?.by);
  });
});
