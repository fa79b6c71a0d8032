/** Whose word on its limits a gate takes: several batches tell it of one target, some as it was before. */
import { describe, expect, it } from "vitest";
import { opened } from "../../../src/core/gate/keeper.ts";
import { type GateConfig, newGate } from "../../../src/core/gate/state.ts";
import { FIXED, NOW_MS } from "./consumers.ts";

/** The concurrency that holds when one who says `then` comes after one who said `before`. */
function concurrencyAfter(before: Partial<GateConfig>, then: Partial<GateConfig>): number {
  const kept = { config: { ...FIXED, concurrency: 20, ...before }, state: newGate(NOW_MS) };
  return opened(kept, { ...FIXED, concurrency: 5, ...then }, NOW_MS).config.concurrency;
}

describe("limits that somebody tells a gate", () => {
  it("hold from then on, by a newer version or by the same", () => {
    expect(concurrencyAfter({ version: 7 }, { version: 8 })).toBe(5);
    expect(concurrencyAfter({ version: 7 }, { version: 7 })).toBe(5);
  });

  it("are not taken from who knows an older version, which may be at work for long", () => {
    expect(concurrencyAfter({ version: 8 }, { version: 7 })).toBe(20);
  });

  it("are not taken from who knows a target of its name that was there before", () => {
    expect(concurrencyAfter({ bornAtMs: 2 }, { bornAtMs: 1, version: 9 })).toBe(20);
  });

  it("are taken where nobody says of which version they are", () => {
    expect(concurrencyAfter({ version: 8 }, {})).toBe(5);
    expect(concurrencyAfter({}, { version: 7 })).toBe(5);
  });
});
