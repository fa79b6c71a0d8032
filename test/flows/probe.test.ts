/** A store that failed is left alone for a while, then one caller finds out for everybody. */
import { describe, expect, it } from "vitest";
import { PROBE_PAUSE_MS } from "../../src/core/limits.ts";
import { createProbe } from "../../src/flows/probe.ts";

function prepare() {
  let now = 1_000_000;
  const probe = createProbe({ nowMs: () => now });
  return {
    probe,
    pass(ms: number): void {
      now += ms;
    },
  };
}

describe("a probe", () => {
  it("lets everybody ask while nothing has failed", () => {
    const { probe } = prepare();
    expect([probe.mayAsk(), probe.mayAsk()]).toEqual([true, true]);
  });

  it("lets nobody ask during the pause, and one after it", () => {
    const { probe, pass } = prepare();
    probe.failed();
    pass(PROBE_PAUSE_MS - 1);
    expect(probe.mayAsk()).toBe(false);
    pass(1);
    expect([probe.mayAsk(), probe.mayAsk()]).toEqual([true, false]);
    probe.answered();
    expect([probe.mayAsk(), probe.mayAsk()]).toEqual([true, true]);
  });

  it("does not stay closed when the clock is set back", () => {
    const { probe, pass } = prepare();
    probe.failed();
    pass(-3_600_000);
    expect([probe.mayAsk(), probe.mayAsk()]).toEqual([true, false]);
  });
});
