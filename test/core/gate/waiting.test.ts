/** Asks that wait at a gate for a slot, and what is let go of parking for slots that are about to be free. */
import { describe, expect, it } from "vitest";
import type { Ask, GateConfig, GateState } from "../../../src/core/gate/index.ts";
import {
  attend,
  attendAll,
  expecting,
  newGate,
  next,
  parked,
  released,
  report,
} from "../../../src/core/gate/keeper.ts";
import {
  GATE_AHEAD_MS,
  GATE_HORIZON_MS,
  GATE_PAUSE_MS_MIN,
  GATE_TICK_MS,
} from "../../../src/core/gate-limits.ts";
import { CONNECTIONS_MAX } from "../../../src/core/limits.ts";
import { FIXED, NOTHING, NOW_MS } from "./consumers.ts";

const askOf = (lease: string, more: Partial<Ask> = {}): Ask => ({
  ...{
    lease,
    want: { fresh: 24, retries: 0 },
    priority: "normal",
    isReleased: true,
    mayWait: true,
  },
  ...{ ttlMs: 20_000, ...more },
});

/** An attempt: a lease of all slots has 24 of them. */
const EACH_MS = 500;
/** When the lease of all slots should end. */
const END_MS = NOW_MS + (24 / CONNECTIONS_MAX) * EACH_MS;

/** Every slot is leased, to "busy", and more is parked than fits. */
function full(config: GateConfig = FIXED): GateState {
  const state = parked(newGate(NOW_MS), { priority: "normal", count: 100 }, NOW_MS);
  const known = { ...state, attemptMs: EACH_MS };
  return attend(known, config, askOf("busy"), NOW_MS).state;
}

const ended = (state: GateState, atMs: number): GateState => {
  const sent = { fresh: 24, retries: 0 };
  const said = { lease: "busy", sent, isDone: true, retryAfterMs: null, allowedPerMinute: null };
  const outcomes = { ...NOTHING, ok: 24, durationMs: EACH_MS };
  return report(state, FIXED, { ...said, outcomes }, atMs, 0);
};

describe("an ask that finds every slot taken", () => {
  it("waits when it may, and is still to come meanwhile", () => {
    const state = expecting(full(), { fresh: 24, retries: 0 }, NOW_MS);
    const attended = attend(state, FIXED, askOf("next"), END_MS);
    expect(attended.answer).toBeNull();
    expect(attended.state.out).toEqual(state.out);
  });

  it("is refused when it may not wait", () => {
    const { answer } = attend(full(), FIXED, askOf("next", { mayWait: false }), END_MS);
    expect(answer).toMatchObject({ kind: "refused", reason: "concurrency" });
  });

  it("does not wait for what no slot would change", () => {
    const { answer } = attend(full(), { ...FIXED, perDay: 1 }, askOf("next"), END_MS);
    expect(answer).toMatchObject({ kind: "refused", reason: "quota" });
  });

  it("does not wait for a lease that has just begun, or hangs, or of which nobody knows how long it takes", () => {
    const unknown = { ...full(), attemptMs: null };
    for (const [state, atMs] of [
      [full(), NOW_MS],
      [full(), END_MS + GATE_AHEAD_MS + 1],
      [unknown, END_MS],
    ] as const) {
      expect(attend(state, FIXED, askOf("next"), atMs).answer?.kind).toBe("refused");
    }
  });

  it("waits also where so few are free that an invocation is not worth it, and takes them when it may not", () => {
    const wide = { ...FIXED, concurrency: CONNECTIONS_MAX + 2 };
    const { state, answer } = attend(full(), wide, askOf("next"), END_MS);
    expect([answer, state.leases.length]).toEqual([null, 1]);
    const soon = attend(full(), wide, askOf("next"), NOW_MS);
    expect(soon.answer).toMatchObject({ kind: "granted", slots: 2 });
    const late = attend(full(), wide, askOf("next", { mayWait: false }), END_MS);
    expect(late.answer).toMatchObject({ kind: "granted", slots: 2 });
  });

  it("takes few free slots where it wants no more, or the rest is left by another limit", () => {
    const wide = { ...FIXED, concurrency: CONNECTIONS_MAX + 2 };
    const wants = (want: Ask["want"], config: GateConfig = wide) =>
      attend(full(), config, askOf("next", { want }), END_MS).answer;
    expect(wants({ fresh: 2, retries: 0 })).toMatchObject({ kind: "granted", slots: 2 });
    const [fresh, retries] = [2, 100];
    expect(wants({ fresh, retries })).toBeNull();
    const few = { ...wide, perDay: 24 + 2 };
    expect(wants({ fresh: 24, retries: 0 }, few)).toMatchObject({ kind: "granted", slots: 2 });
  });

  it("leaves enough slots for another, or none", () => {
    const taken = [4, 6, 7, 8, 9, 12, 13].map((concurrency) => {
      const config = { ...FIXED, concurrency };
      const { answer } = attend(newGate(NOW_MS), config, askOf("first"), NOW_MS);
      return answer?.kind === "granted" ? answer.slots : 0;
    });
    expect(taken).toEqual([4, 6, 4, 5, 6, 6, 6]);
    const wide = { ...FIXED, concurrency: 8 };
    const fresh = attend(newGate(NOW_MS), wide, askOf("fresh", { isReleased: false }), NOW_MS);
    expect(fresh.answer).toMatchObject({ slots: CONNECTIONS_MAX }); // nothing says that another will come
  });

  it("has its slots when the lease before it ends", () => {
    const waiting = askOf("next");
    expect(attendAll(full(), FIXED, [waiting], END_MS).answers.size).toBe(0);
    const { state, answers } = attendAll(ended(full(), END_MS), FIXED, [waiting], END_MS);
    expect(answers.get(waiting)).toMatchObject({ kind: "granted", slots: CONNECTIONS_MAX });
    expect(state.leases.map(({ id }) => id)).toEqual(["next"]);
  });

  it("has them after a more urgent one, and after one that waits longer", () => {
    const [bulk, first, second] = [
      askOf("bulk", { priority: "bulk" }),
      askOf("first", { priority: "critical" }),
      askOf("second", { priority: "critical" }),
    ];
    const { answers } = attendAll(ended(full(), END_MS), FIXED, [bulk, first, second], END_MS);
    const kinds = [first, second, bulk].map((ask) => answers.get(ask)?.kind);
    expect(kinds).toEqual(["granted", "refused", "refused"]); // no other lease is about to end
  });
});

describe("what is parked while every slot is taken", () => {
  it("is let go just before a lease ends, once", () => {
    const state = full();
    const early = next(state, FIXED, END_MS - GATE_AHEAD_MS - GATE_PAUSE_MS_MIN);
    expect(early).toMatchObject({ release: 0, wakeAtMs: END_MS - GATE_AHEAD_MS });
    const { release } = next(state, FIXED, END_MS - GATE_AHEAD_MS);
    expect(release).toBeGreaterThanOrEqual(CONNECTIONS_MAX);
    const out = { priority: "normal", count: release, isEmpty: false } as const;
    const after = expecting(
      released(state, out, END_MS - GATE_AHEAD_MS),
      { fresh: release, retries: 0 },
      END_MS - GATE_AHEAD_MS,
    );
    expect(next(after, FIXED, END_MS - GATE_AHEAD_MS).release).toBe(0);
  });

  it("stays where an attempt takes longer than a lease is to last", () => {
    const state = { ...full(), attemptMs: GATE_HORIZON_MS + 1 };
    for (const ms of [0, GATE_TICK_MS, 10_000, 19_999]) {
      expect(next(state, FIXED, NOW_MS + ms).release).toBe(0);
    }
  });
});
