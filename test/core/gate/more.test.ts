/** More for the slots of a lease that is at work: they never rest, and no limit is passed by for it. */
import { describe, expect, it } from "vitest";
import { isEnding } from "../../../src/core/gate/lease-end.ts";
import { DAY_MS, type GateConfig } from "../../../src/core/gate/state.ts";
import {
  GATE_AHEAD_MS,
  GATE_ATTEMPT_MS_DEFAULT,
  RETRIES_PER_SECOND_MIN,
} from "../../../src/core/gate-limits.ts";
import {
  ask,
  FIXED,
  granted,
  type Held,
  held,
  park,
  refusalOf,
  release,
  spendTokens,
  tell,
} from "./consumers.ts";

const LET_GO = { isReleased: true } as const;

/** A lease of six slots whose holder has `fresh` deliveries in all. */
function atWork(config: Partial<GateConfig> = {}, fresh = 60): { gate: Held; lease: string } {
  const gate = held({ ...FIXED, ...config });
  const { lease } = granted(ask(gate, { fresh, ...LET_GO }));
  return { gate, lease };
}

const more = (gate: Held, lease: string, fresh = 10) =>
  ask(gate, { lease, fresh, ...LET_GO, isMore: true });

const leaseOf = (gate: Held, lease: string) => gate.state.leases.find(({ id }) => id === lease);

describe("more for a lease", () => {
  it("is added to what it may still send, through the same slots", () => {
    const { gate, lease } = atWork();
    expect(leaseOf(gate, lease)).toMatchObject({ slots: 6, left: { fresh: 24 }, beside: 36 });
    gate.nowMs += 1_500;
    tell(gate, { lease }, { ok: 18 }, { isDone: false });
    expect(more(gate, lease, 36)).toMatchObject({ kind: "granted", slots: 6, count: 24 });
    expect(gate.state.leases).toHaveLength(1);
    expect(leaseOf(gate, lease)).toMatchObject({ slots: 6, left: { fresh: 30 }, beside: 12 });
  });

  it("begins when what is under way has ended, and may begin as long after as it takes", () => {
    const { gate, lease } = atWork();
    tell(gate, { lease }, { ok: 1, durationMs: 1_900 }, { isDone: false });
    const { startByMs, expiresAtMs } = granted(more(gate, lease));
    expect(startByMs).toBe(gate.nowMs + 1_900 + 2_000);
    expect(expiresAtMs).toBe(gate.nowMs + 20_000);
  });

  it("is not given where one answer takes longer than a lease: it would not end in time", () => {
    const { gate, lease } = atWork();
    tell(gate, { lease }, { ok: 1, durationMs: 2_100 }, { isDone: false });
    expect(refusalOf(more(gate, lease))).toEqual(["concurrency", null]);
  });

  it("comes with slots that have become free, as many as an invocation has connections", () => {
    const gate = held({ ...FIXED, concurrency: 10 });
    const first = granted(ask(gate, { fresh: 60, ...LET_GO }));
    const second = granted(ask(gate, { fresh: 60, ...LET_GO }));
    expect([first.slots, second.slots]).toEqual([6, 4]);
    tell(gate, first, { ok: 24 });
    expect(granted(more(gate, second.lease, 40)).slots).toBe(6);
  });

  it("is not asked for after a drop: its slots are free when what is under way has ended", () => {
    const { gate, lease } = atWork();
    tell(gate, { lease }, { ok: 6, durationMs: 500 }, { isDone: false });
    expect(leaseOf(gate, lease)).toMatchObject({ beside: 36 });
    tell(gate, { lease }, { dropped: 1 }, { isDone: false });
    expect(leaseOf(gate, lease)).toMatchObject({ beside: 0 });
  });

  it("is for nobody whose lease is over, and no lease is given twice", () => {
    const { gate, lease } = atWork();
    expect(refusalOf(more(gate, "another"))).toEqual(["concurrency", null]);
    expect(refusalOf(ask(gate, { lease, fresh: 1, ...LET_GO }))).toEqual(["concurrency", null]);
    gate.nowMs += 20_000;
    expect(refusalOf(more(gate, lease))).toEqual(["concurrency", null]);
  });

  it("is refused where something more urgent waits, and not for what is as urgent", () => {
    const { gate, lease } = atWork();
    park(gate, "normal", 5);
    expect(refusalOf(more(gate, lease))).toBe("granted");
    park(gate, "critical", 1);
    expect(refusalOf(more(gate, lease))).toEqual(["backlog", null]);
  });

  it("is given where all that is more urgent are retries that wait for tokens, until one has come", () => {
    const { gate, lease } = atWork();
    park(gate, "critical", 5);
    release(gate, "critical", 0, false, true);
    spendTokens(gate);
    expect(refusalOf(more(gate, lease))).toBe("granted");
    gate.nowMs += 1_000 / RETRIES_PER_SECOND_MIN;
    expect(refusalOf(more(gate, lease))).toEqual(["backlog", null]);
  });

  it("is refused by an open breaker, Retry-After, a rate and a day's quota", () => {
    const { gate, lease } = atWork({ perDay: 30 });
    expect(granted(more({ ...gate }, lease)).count).toBe(6);
    const paced = { ...gate, config: { ...FIXED, perSecond: 5 } };
    expect(refusalOf(more(paced, lease))).toEqual(["rate", null]);
    const { breaker } = gate.state;
    const sick = { ...gate, state: { ...gate.state, breaker: { ...breaker, phase: "half-open" } } };
    expect(refusalOf(more(sick as Held, lease))).toEqual(["breaker", null]);
    tell(gate, { lease }, { dropped: 1 }, { isDone: false, retryAfterMs: 5_000 });
    expect(refusalOf(more(gate, lease))).toEqual(["retry-after", gate.nowMs + 5_000]);
  });

  it("is refused when its day is over: what comes back of a quota belongs to its own day", () => {
    const gate = held(
      { ...FIXED, perDay: 100 },
      Math.floor(Date.UTC(2026, 0, 2) / DAY_MS) * DAY_MS - 1,
    );
    const { lease } = granted(ask(gate, { fresh: 60, ...LET_GO }));
    gate.nowMs += 1;
    expect(refusalOf(more(gate, lease))).toEqual(["concurrency", null]);
  });

  it("is given to as many as fit when the limit has gone down, while the others end", () => {
    const gate = held({ ...FIXED, concurrency: 18 });
    const leases = [1, 2, 3].map(() => granted(ask(gate, { fresh: 60, ...LET_GO })).lease);
    const lower = { ...gate, config: { ...FIXED, concurrency: 13 } };
    const answers = leases.map((lease) => more(lower, lease).kind);
    expect(answers).toEqual(["refused", "granted", "granted"]);
  });
});

describe("a lease whose holder has more", () => {
  it("is not about to end, so that nothing is let go for its slots; it is when it is given no more", () => {
    const { gate, lease } = atWork();
    tell(gate, { lease }, { ok: 18, durationMs: GATE_ATTEMPT_MS_DEFAULT }, { isDone: false });
    const isSoonOver = () => {
      const known = leaseOf(gate, lease);
      const atMs = gate.nowMs + GATE_ATTEMPT_MS_DEFAULT - GATE_AHEAD_MS;
      return known !== undefined && isEnding(gate.state, known, atMs);
    };
    expect(isSoonOver()).toBe(false);
    park(gate, "critical", 1);
    more(gate, lease);
    expect(isSoonOver()).toBe(true);
  });

  it("tells every second what it learnt where concurrency is adaptive, and after each round at first", () => {
    const { gate, lease } = atWork({ isAdaptive: true, concurrency: 100 });
    expect(leaseOf(gate, lease)).toMatchObject({ slots: 4, left: { fresh: 4 } });
    gate.state = { ...gate.state, adaptive: { limit: 6, ceiling: 6, generation: 1 } };
    tell(gate, { lease }, { ok: 4 });
    expect(granted(ask(gate, { fresh: 60, ...LET_GO })).count).toBe(12);
  });
});
