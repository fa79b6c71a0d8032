/** What a receiver asked for is counted from its answer, and by no clock becomes more. */
import { describe, expect, it } from "vitest";
import { leftMs, longer, NO_WAIT } from "../../../src/core/gate/index.ts";

const HOUR_MS = 3_600_000;

describe("a wait that a receiver asked for", () => {
  it("runs from its answer, and the one that ends later counts", () => {
    const wait = longer(longer(NO_WAIT, 40_000, 1_000), 5_000, 2_000);
    expect(leftMs(wait, 11_000)).toBe(30_000);
    expect(leftMs(wait, 41_000)).toBe(0);
    expect(leftMs(NO_WAIT, 0)).toBe(0);
  });

  it("is no longer than was asked for when the clock is set back meanwhile", () => {
    const wait = longer(NO_WAIT, 7_000, 2 * HOUR_MS);
    expect(leftMs(wait, HOUR_MS)).toBe(7_000);
  });
});
