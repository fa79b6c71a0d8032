/** What a gate does about what is parked, and what it tells those who operate its target. */
import { describe, expect, it } from "vitest";
import { isQuiet, limits } from "../../../src/core/gate/keeper.ts";
import * as at from "../../../src/core/gate-limits.ts";
import {
  ask,
  EACH_MS,
  FIXED,
  granted,
  held,
  NOW_MS,
  park,
  refusalOf,
  release,
  sendEach,
  tell,
  whatNext,
} from "./consumers.ts";

describe("what is parked", () => {
  it("keeps back what comes later and is no more urgent", () => {
    const gate = held(FIXED);
    park(gate, "normal", 5);
    expect(refusalOf(ask(gate))).toEqual(["backlog", null]);
    expect(refusalOf(ask(gate, { priority: "bulk" }))).toEqual(["backlog", null]);
    expect(ask(gate, { priority: "critical" }).kind).toBe("granted");
    expect(ask(gate, { isReleased: true }).kind).toBe("granted");
  });

  it("keeps back no more than retries where all of it are such, until something else is parked", () => {
    const gate = held(FIXED);
    park(gate, "normal", 5);
    release(gate, "normal", 0, false, true);
    expect(limits(gate.state, gate.config, gate.nowMs)).toMatchObject([{ by: "retry-budget" }]);
    expect(granted(ask(gate, { fresh: 2 })).count).toBe(2);
    const mixed = granted(ask(gate, { want: { fresh: 1, retries: 2 } }));
    expect(mixed).toMatchObject({ count: 1, retries: 0, refused: { reason: "backlog" } });
    expect(refusalOf(ask(gate, { want: { fresh: 0, retries: 2 } }))).toEqual(["backlog", null]);
    park(gate, "critical", 1);
    expect(refusalOf(ask(gate))).toEqual(["backlog", null]);
    release(gate, "critical", 1, true);
    park(gate, "normal", 1);
    expect(refusalOf(ask(gate))).toEqual(["backlog", null]);
  });

  it("keeps nobody back when the ledger has none of it, or nobody speaks of it any more", () => {
    const gate = held(FIXED);
    park(gate, "normal", 5);
    release(gate, "normal", 0, true);
    tell(gate, granted(ask(gate)), { ok: 1 });
    park(gate, "normal", 5);
    gate.nowMs += at.GATE_BACKLOG_MS;
    expect(ask(gate).kind).toBe("granted");
    expect(whatNext(gate).release).toBeGreaterThan(0);
  });

  it("is looked after as long as the ledger may hold more than was told of", () => {
    const gate = held(FIXED);
    park(gate, "bulk", 2);
    release(gate, "bulk", 10, false);
    gate.nowMs += at.GATE_RELEASE_MS;
    expect(whatNext(gate).release).toBeGreaterThan(1);
    release(gate, "bulk", 10, true);
    expect(whatNext(gate)).toEqual({ release: 0, retries: 0, wakeAtMs: null });
  });

  it("is released as the next second has room for it, and not twice", () => {
    const gate = held({ ...FIXED, perSecond: 4 });
    park(gate, "normal", 100);
    expect(whatNext(gate)).toMatchObject({ release: 5, wakeAtMs: NOW_MS + 1_000 });
    release(gate, "normal", 5, false);
    expect(whatNext(gate).release).toBe(0);
    gate.nowMs += at.GATE_RELEASE_MS; // whoever was to bring them is gone
    expect(whatNext(gate).release).toBe(5);
  });

  it("is released one by one while the breaker probes", () => {
    const gate = held(FIXED);
    sendEach(gate, at.BREAKER_CONSECUTIVE_MAX, { failed: 1 });
    park(gate, "normal", 100);
    const { wakeAtMs } = whatNext(gate);
    expect(whatNext(gate).release).toBe(0);
    gate.nowMs = wakeAtMs ?? 0;
    expect(whatNext(gate).release).toBe(1);
    release(gate, "normal", 1, false);
    expect(whatNext(gate).release).toBe(0);
    tell(gate, granted(ask(gate, { isReleased: true })), { ok: 1 });
    expect(whatNext(gate).release).toBe(1);
  });
});

describe("what limits a target", () => {
  it("is said with its reason and since when, as long as it does", () => {
    const gate = held({ ...FIXED, concurrency: 1 });
    ask(gate, { fresh: 50 });
    gate.nowMs += 1_000;
    ask(gate);
    expect(limits(gate.state, gate.config, gate.nowMs)).toEqual([
      {
        ...{ by: "concurrency", sinceMs: NOW_MS, untilMs: null },
        detail: "1 of 1 slots taken",
      },
    ]);
    gate.nowMs += at.GATE_LIMITED_MS;
    expect(limits(gate.state, gate.config, gate.nowMs)).toEqual([]);
  });

  it.each([
    ["rate", { perSecond: 5 }, 5],
    ["concurrency", { concurrency: 1 }, 1],
  ])("is the %s while what is parked goes by it and nobody else asks", (by, limit, count) => {
    const gate = held({ ...FIXED, ...limit });
    park(gate, "normal", 250);
    const parkedAtMs = gate.nowMs;
    gate.nowMs += 2 * at.GATE_LIMITED_MS;
    release(gate, "normal", count, false);
    tell(gate, granted(ask(gate, { fresh: count, isReleased: true })), { ok: count });
    const [found, ...others] = limits(gate.state, gate.config, gate.nowMs);
    expect(found).toMatchObject({ by, sinceMs: parkedAtMs });
    expect(others).toEqual([]);
  });

  it("is the quota since it first refused something today, however rarely somebody asks", () => {
    const gate = held({ ...FIXED, perDay: 1 });
    const sinceMs = () => limits(gate.state, gate.config, gate.nowMs).map((each) => each.sinceMs);
    ask(gate, { fresh: 2 });
    gate.nowMs += 3_600_000;
    ask(gate);
    expect(sinceMs()).toEqual([NOW_MS]);
    gate.nowMs += 86_400_000;
    tell(gate, granted(ask(gate)), { ok: 1 });
    expect(sinceMs()).toEqual([gate.nowMs]);
  });

  it("is nothing where all that is parked goes in a moment", () => {
    const gate = held({ ...FIXED, perSecond: 5 });
    park(gate, "normal", 2);
    expect(limits(gate.state, gate.config, gate.nowMs)).toEqual([]);
  });

  it("is no backlog any more when nothing is parked, however lately something stood behind it", () => {
    const gate = held(FIXED);
    park(gate, "normal", 2);
    expect(refusalOf(ask(gate))).toEqual(["backlog", null]);
    expect(limits(gate.state, gate.config, gate.nowMs)).toMatchObject([
      { by: "backlog", detail: "2 normal parked" },
    ]);
    release(gate, "normal", 2, true);
    expect(limits(gate.state, gate.config, gate.nowMs)).toEqual([]);
  });

  it("is the breaker until it has closed", () => {
    const gate = held(FIXED);
    sendEach(gate, at.BREAKER_CONSECUTIVE_MAX, { failed: 1 });
    const [found] = limits(gate.state, gate.config, gate.nowMs);
    const sinceMs = gate.nowMs - EACH_MS;
    expect(found).toMatchObject({ by: "breaker", sinceMs });
    gate.nowMs = found?.untilMs ?? 0;
    tell(gate, granted(ask(gate)), { failed: 1 });
    const [again] = limits(gate.state, gate.config, gate.nowMs);
    expect(again).toMatchObject({ sinceMs, detail: "open for the 2. time in a row" });
    expect(found?.detail).toBe("open for the 1. time in a row");
  });
});

describe("a quiet target", () => {
  it("has had no trouble for ten minutes, and nothing parked", () => {
    const gate = held(FIXED);
    sendEach(gate, 3, { ok: 1 });
    const quiet = (): boolean => isQuiet(gate.state, gate.config, gate.nowMs);
    expect(quiet()).toBe(false);
    gate.nowMs = NOW_MS + at.GATE_QUIET_MS;
    expect(quiet()).toBe(true);
    park(gate, "bulk", 1);
    gate.nowMs += at.GATE_QUIET_MS;
    expect(quiet()).toBe(false);
    release(gate, "bulk", 1, true);
    gate.nowMs += at.GATE_QUIET_MS;
    expect(quiet()).toBe(true);
    tell(gate, granted(ask(gate)), { failed: 1 });
    expect(quiet()).toBe(false);
  });
});
