/** What a gate grants and refuses, and why. */
import { describe, expect, it } from "vitest";
import { nextTurn } from "../../../src/core/gate/index.ts";
import { attendAll, limits } from "../../../src/core/gate/keeper.ts";
import { DAY_MS } from "../../../src/core/gate/state.ts";
import * as at from "../../../src/core/gate-limits.ts";
import { LEASE_SECONDS } from "../../../src/core/limits.ts";
import {
  ask,
  EACH_MS,
  FIXED,
  granted,
  held,
  NOW_MS,
  park,
  refusalOf,
  sendEach,
  tell,
  turnsOf,
  whatNext,
} from "./consumers.ts";

describe("slots", () => {
  it("are granted until the limit is reached, and come back with a report", () => {
    const gate = held({ ...FIXED, concurrency: 5 });
    const first = granted(ask(gate, { fresh: 3 }));
    expect(granted(ask(gate, { fresh: 10 }))).toMatchObject({ slots: 2, count: 8 });
    expect(refusalOf(ask(gate))).toEqual(["concurrency", null]);
    tell(gate, first, { ok: 3 });
    expect(granted(ask(gate, { fresh: 10 })).slots).toBe(3);
  });

  it("are refused beyond the connections of one invocation", () => {
    expect(granted(ask(held({ ...FIXED, concurrency: 50 }), { fresh: 40 })).slots).toBe(6);
  });

  it("free themselves when their holder dies", () => {
    const gate = held(FIXED);
    const { expiresAtMs } = granted(ask(gate, { fresh: 10, ttlMs: 5_000 }));
    gate.nowMs = expiresAtMs - 1;
    expect(refusalOf(ask(gate))).toEqual(["concurrency", null]);
    gate.nowMs = expiresAtMs;
    expect(granted(ask(gate, { fresh: 10 })).slots).toBe(6);
  });

  it("are held no longer than a claim's lease, whatever is asked", () => {
    const { expiresAtMs } = granted(ask(held(FIXED), { ttlMs: 1e9 }));
    expect(expiresAtMs).toBe(NOW_MS + LEASE_SECONDS * 1_000);
  });

  it("are refused to a lease that has some already", () => {
    const gate = held(FIXED);
    ask(gate, { lease: "twice" });
    expect(refusalOf(ask(gate, { lease: "twice" }))).toEqual(["concurrency", null]);
  });

  it("carry work for two seconds at the target's own pace, bulk for one", () => {
    const gate = held(FIXED);
    tell(gate, granted(ask(gate)), { ok: 1, durationMs: 100 });
    const grant = granted(ask(gate, { fresh: 500 }));
    expect(grant).toMatchObject({ count: 120, refused: { reason: "concurrency" } });
    tell(gate, grant, {});
    expect(granted(ask(gate, { fresh: 500, priority: "bulk" })).count).toBe(60);
  });
});

describe("the rate", () => {
  it("gives each start a turn of its own, across leases, within the horizon", () => {
    const gate = held({ ...FIXED, concurrency: 50, perSecond: 10 });
    const first = granted(ask(gate, { fresh: 4 }));
    const second = granted(ask(gate, { fresh: 100 }));
    expect(turnsOf(first, NOW_MS)).toEqual([0, 100, 200, 300].map((ms) => NOW_MS + ms));
    expect(second).toMatchObject({ firstAtMs: NOW_MS + 500, refused: { reason: "rate" } });
    expect(turnsOf(second, NOW_MS).at(-1)).toBe(NOW_MS + at.GATE_HORIZON_MS);
    expect(refusalOf(ask(gate))).toEqual(["rate", NOW_MS + 2_200]);
  });

  it("loses a turn that passed while no slot was free, so that no two start at once", () => {
    const grant = granted(ask(held({ ...FIXED, perSecond: 10 }), { fresh: 10 }));
    expect(nextTurn(grant, 1, NOW_MS + 450)).toEqual({ turn: 4, atMs: NOW_MS + 450 });
    expect(nextTurn(grant, 6, NOW_MS + 1_001)).toBeNull();
  });

  it("lets a start be late by less than an interval, as timers are, and keeps the interval to the next", () => {
    const grant = granted(ask(held({ ...FIXED, perSecond: 3 }), { fresh: 10 }));
    const starts: number[] = [];
    for (let turn = 0, last: number | null = null; ; ) {
      const found = nextTurn(grant, turn, last ?? NOW_MS + 1, last);
      if (found === null) break;
      last = Math.ceil(found.atMs) + 2;
      turn = found.turn + 1;
      starts.push(last);
    }
    expect(starts.length).toBeGreaterThanOrEqual(grant.count - 1);
    starts.slice(1).forEach((start, index) => {
      expect(start - (starts[index] ?? 0)).toBeGreaterThanOrEqual(1_000 / 3);
    });
  });

  it("gives turns ahead back, and none that may have been used", () => {
    const gate = held({ ...FIXED, perSecond: 10 });
    const grant = granted(ask(gate, { fresh: 10 }));
    gate.nowMs += 250;
    tell(gate, grant, { ok: 3 });
    expect(granted(ask(gate)).firstAtMs).toBe(NOW_MS + 350);
  });

  it("goes on at its pace after the clock was set back, whoever looks first", () => {
    const gate = held({ ...FIXED, concurrency: 50, perSecond: 10 });
    park(gate, "normal", 40);
    tell(gate, granted(ask(gate, { fresh: 4, isReleased: true })), { ok: 4 });
    tell(gate, granted(ask(gate, { fresh: 40, isReleased: true })), { ok: 21 });
    gate.nowMs -= 3_600_000;
    gate.state = attendAll(gate.state, gate.config, [], gate.nowMs).state;
    gate.nowMs += at.GATE_HORIZON_MS;
    expect(whatNext(gate).release).toBeGreaterThan(0);
    const granteds = [ask(gate, { fresh: 10, isReleased: true }), ask(gate, { isReleased: true })];
    const [first, second] = granteds.map(granted);
    expect(first?.firstAtMs).toBeLessThanOrEqual(gate.nowMs + 200);
    // No clock that goes back gives a turn twice.
    expect(second?.firstAtMs).toBeGreaterThanOrEqual((first?.firstAtMs ?? 0) + 1_000);
  });

  it("goes by what the receiver said it allows, until it takes it back", () => {
    const gate = held({ ...FIXED, perSecond: 10 });
    tell(gate, granted(ask(gate)), { ok: 1 }, { allowedPerMinute: 60 });
    expect(granted(ask(gate, { fresh: 3 })).intervalMs).toBe(1_000);
    gate.nowMs += 60_000;
    tell(gate, granted(ask(gate)), { ok: 1 }, { allowedPerMinute: 0 });
    expect(granted(ask(gate)).intervalMs).toBe(100);
  });
});

describe("the daily quota", () => {
  it("refuses what is above it until the UTC day ends, and counts what came back unsent", () => {
    const gate = held({ ...FIXED, perDay: 5 });
    const midnight = (Math.floor(NOW_MS / DAY_MS) + 1) * DAY_MS;
    const grant = granted(ask(gate, { fresh: 9 }));
    expect(grant).toMatchObject({ count: 5, refused: { reason: "quota", untilMs: midnight } });
    tell(gate, grant, { ok: 3 });
    expect(granted(ask(gate, { fresh: 9 })).count).toBe(2);
    expect(refusalOf(ask(gate))).toEqual(["quota", midnight]);
    expect(limits(gate.state, gate.config, gate.nowMs)).toContainEqual({
      ...{ by: "quota", sinceMs: NOW_MS, untilMs: midnight },
      detail: "5 of 5 sent today (UTC)",
    });
    gate.nowMs = midnight;
    expect(granted(ask(gate, { fresh: 9 })).count).toBe(5);
  });

  it("is used up all the same when the clock is set back over midnight, and not by days ahead", () => {
    const gate = held({ ...FIXED, perDay: 2 }, Date.UTC(2026, 10, 28) + 1_000);
    tell(gate, granted(ask(gate)), { ok: 1 });
    gate.nowMs -= 2_000;
    tell(gate, granted(ask(gate)), { ok: 1 });
    expect(refusalOf(ask(gate))).toEqual(["quota", Date.UTC(2026, 10, 28)]);
    gate.nowMs += 2_000;
    expect(refusalOf(ask(gate))[0]).toBe("quota");
    gate.nowMs -= 30 * DAY_MS;
    for (let sent = 0; sent < 2; sent += 1) tell(gate, granted(ask(gate)), { ok: 1 });
    expect(refusalOf(ask(gate))[0]).toBe("quota");
  });

  it("lets nothing start on the day after", () => {
    const midnight = (Math.floor(NOW_MS / DAY_MS) + 1) * DAY_MS;
    const gate = held({ ...FIXED, perDay: 5 }, midnight - 10);
    const grant = granted(ask(gate));
    expect(nextTurn(grant, 0, midnight - 1)).not.toBeNull();
    expect(nextTurn(grant, 0, midnight)).toBeNull();
  });
});

describe("Retry-After", () => {
  it("keeps everybody from the target until then, whoever was told", () => {
    const gate = held(FIXED);
    tell(gate, granted(ask(gate)), { dropped: 1 }, { retryAfterMs: 60_000 });
    gate.nowMs += 59_999;
    const untilMs = NOW_MS + 60_000;
    expect(refusalOf(ask(gate, { isReleased: true }))).toEqual(["retry-after", untilMs]);
    park(gate, "critical", 1);
    expect(whatNext(gate)).toMatchObject({
      release: 0,
      wakeAtMs: gate.nowMs + at.GATE_PAUSE_MS_MIN,
    });
    gate.nowMs += 1;
    expect(granted(ask(gate, { isReleased: true })).firstAtMs).toBe(untilMs);
  });

  it("is heard from a lease that is over, is never shortened, and ends after a day", () => {
    const gate = held(FIXED);
    const grant = granted(ask(gate));
    tell(gate, grant, { dropped: 1 }, { retryAfterMs: 60_000 });
    tell(gate, grant, {}, { retryAfterMs: 1e12 });
    tell(gate, grant, {}, { retryAfterMs: 5 });
    expect(refusalOf(ask(gate))).toEqual(["retry-after", NOW_MS + 86_400_000]);
  });
});

describe("the breaker", () => {
  it("opens after twenty failures in a row however quiet the target, and says until when", () => {
    const gate = held(FIXED);
    expect(sendEach(gate, 50, { failed: 1 })).toBe(at.BREAKER_CONSECUTIVE_MAX);
    expect(refusalOf(ask(gate))).toEqual(["breaker", gate.nowMs - EACH_MS + 30_000]);
  });

  it("opens when half of the last minute's calls failed, and not below", () => {
    const gate = held(FIXED);
    const calls = (ok: number, failed: number): void =>
      tell(gate, granted(ask(gate, { fresh: ok + failed })), { ok, failed });
    calls(11, 9);
    calls(0, 2);
    gate.nowMs += at.BREAKER_ILL_MS_MIN;
    calls(1, 0);
    expect(ask(gate).kind).toBe("granted");
    calls(0, 2);
    gate.nowMs += at.BREAKER_ILL_MS_MIN;
    calls(0, 1);
    expect(refusalOf(ask(gate))).toEqual(["breaker", gate.nowMs + 30_000]);
  });

  it("is not opened by a receiver that fails for some seconds, however often", () => {
    const gate = held({ ...FIXED, concurrency: 50 });
    for (let times = 0; times < 50; times += 1) {
      tell(gate, granted(ask(gate, { fresh: 6 })), { failed: 6 });
      gate.nowMs += (at.BREAKER_ILL_MS_MIN - 1) / 50;
    }
    expect(ask(gate).kind).toBe("granted");
  });

  it("is not opened by messages that the receiver refuses, however many", () => {
    const gate = held(FIXED);
    expect(sendEach(gate, 200, { rejected: 1 })).toBe(200);
  });

  it("is not opened by a receiver that says when to come again", () => {
    const gate = held(FIXED);
    for (let times = 0; times < 30; times += 1) {
      tell(gate, granted(ask(gate)), { dropped: 1 }, { retryAfterMs: 1_000 });
      gate.nowMs += 1_000;
    }
    expect(ask(gate).kind).toBe("granted");
  });

  it("lets one probe through, then three, then ten, and closes after ten successes", () => {
    const gate = held({ ...FIXED, concurrency: 50 });
    sendEach(gate, at.BREAKER_CONSECUTIVE_MAX, { failed: 1 });
    gate.nowMs += 30_000;
    const probes: number[] = [];
    for (let step = 0; step < 3; step += 1) {
      const grant = granted(ask(gate, { fresh: 40 }));
      expect(grant).toMatchObject({ isProbe: true, refused: { reason: "breaker" } });
      expect(refusalOf(ask(gate))).toEqual(["breaker", null]);
      tell(gate, grant, { ok: grant.count });
      probes.push(grant.count);
    }
    expect(probes).toEqual([1, 3, 10]);
    expect(granted(ask(gate, { fresh: 6 })).isProbe).toBe(false);
  });

  it("pauses twice as long after each probe that failed, a quarter of an hour at most", () => {
    const gate = held(FIXED);
    sendEach(gate, at.BREAKER_CONSECUTIVE_MAX, { failed: 1 });
    const pauses: number[] = [];
    for (let times = 0; times < 8; times += 1) {
      const answer = ask(gate);
      if (answer.kind === "granted") throw new Error("the breaker is closed");
      pauses.push(Math.round(((answer.untilMs ?? 0) - gate.nowMs) / 1_000));
      gate.nowMs = answer.untilMs ?? 0;
      gate.random = 0.999999;
      tell(gate, granted(ask(gate)), { timedOut: 1 });
    }
    expect(pauses).toEqual([29, 72, 144, 288, 576, 900, 900, 900]);
  });

  it("pauses again when a probe's holder dies, or does not know what became of it", () => {
    const gate = held(FIXED);
    sendEach(gate, at.BREAKER_CONSECUTIVE_MAX, { failed: 1 });
    gate.nowMs += 30_000;
    gate.nowMs = granted(ask(gate, { ttlMs: 20_000 })).expiresAtMs;
    expect(refusalOf(ask(gate))).toEqual(["breaker", gate.nowMs + 30_000]);
    gate.nowMs += 30_000;
    tell(gate, granted(ask(gate)), {}, { sent: { fresh: 1, retries: 0 } });
    expect(refusalOf(ask(gate))).toEqual(["breaker", gate.nowMs + 30_000]);
  });

  it("ignores what was sent before it opened", () => {
    const gate = held({ ...FIXED, concurrency: 50 });
    const old = granted(ask(gate, { fresh: 6, ttlMs: 90_000 }));
    sendEach(gate, at.BREAKER_CONSECUTIVE_MAX, { failed: 1 });
    gate.nowMs += 30_000;
    const probe = granted(ask(gate));
    tell(gate, old, { failed: 6 });
    tell(gate, probe, { ok: 1 });
    expect(granted(ask(gate, { fresh: 9 })).count).toBe(3);
  });
});

describe("adaptive concurrency", () => {
  const ADAPTIVE = { ...FIXED, concurrency: 40, isAdaptive: true };
  const fill = (gate: ReturnType<typeof held>) => {
    const grants: ReturnType<typeof granted>[] = [];
    for (;;) {
      const answer = ask(gate, { fresh: 6 });
      if (answer.kind === "refused") return grants;
      grants.push(answer);
    }
  };
  const slots = (gate: ReturnType<typeof held>): number =>
    fill(gate).reduce((sum, grant) => {
      tell(gate, grant, {});
      return sum + grant.slots;
    }, 0);

  it("doubles until the first drop, up to what is configured", () => {
    const gate = held(ADAPTIVE);
    const seen: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      seen.push(slots(gate));
      for (const grant of fill(gate)) tell(gate, grant, { ok: grant.slots });
    }
    expect(seen).toEqual([4, 8, 16, 32, 40]);
  });

  it("goes down once for all that was in flight together, by no more than half, and never to nothing", () => {
    const gate = held(ADAPTIVE);
    for (let round = 0; round < 5; round += 1) {
      for (const grant of fill(gate)) tell(gate, grant, { ok: grant.slots });
    }
    for (const grant of fill(gate)) tell(gate, grant, { dropped: grant.slots });
    expect(slots(gate)).toBe(19);
    for (let round = 0; round < 40; round += 1) {
      for (const grant of fill(gate)) tell(gate, grant, { ok: 1, timedOut: grant.slots });
      gate.nowMs += 1_000_000;
    }
    expect(slots(gate)).toBe(1);
  });

  it("goes down once for what a lease had under way when it told of a drop, and corrects what was taken", () => {
    const gate = held({ ...ADAPTIVE, concurrency: 4 });
    const grant = granted(ask(gate, { fresh: 6 }));
    const limit = (): number => gate.state.adaptive.limit;
    tell(gate, grant, { dropped: 1 }, { isDone: false });
    const once = limit();
    tell(gate, grant, { dropped: 1 });
    expect([once, limit()]).toEqual([3 * 0.95, 2 * 0.95]);
  });

  it("comes back to what was taken, tries one more for some rounds, and doubles where that holds", () => {
    const gate = held(ADAPTIVE);
    for (let round = 0; round < 2; round += 1) {
      for (const grant of fill(gate)) tell(gate, grant, { ok: grant.slots });
    }
    const [first, ...others] = fill(gate);
    if (first === undefined) throw new Error("nothing was granted");
    tell(gate, first, { ok: first.slots - 1, dropped: 1 });
    for (const grant of others) tell(gate, grant, { ok: grant.slots });
    const seen: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      seen.push(slots(gate));
      for (const grant of fill(gate)) tell(gate, grant, { ok: grant.slots });
    }
    expect(seen).toEqual([14, 15, 15, 15, 16, 21, 40, 40, 40]);
  });

  it("grants one round at a time while nothing is known of the receiver, and two seconds later", () => {
    const gate = held(ADAPTIVE);
    expect(granted(ask(gate, { fresh: 100 }))).toMatchObject({ slots: 4, count: 4 });
    gate.nowMs += 60_000;
    tell(gate, granted(ask(gate, { fresh: 4 })), { ok: 3, dropped: 1, durationMs: 100 });
    expect(granted(ask(gate, { fresh: 100 }))).toMatchObject({ slots: 2, count: 40 });
  });

  it("does not grow while fewer than half of the slots are used", () => {
    const gate = held(ADAPTIVE);
    for (let times = 0; times < 20; times += 1) tell(gate, granted(ask(gate)), { ok: 1 });
    expect(slots(gate)).toBe(4);
  });
});

describe("the retry budget", () => {
  it("refuses retries beyond a fifth of fresh deliveries, and never fresh ones", () => {
    const gate = held({ ...FIXED, concurrency: 1_000 });
    const retrying = { fresh: 2, retries: 30 };
    tell(gate, granted(ask(gate)), { ok: 1, durationMs: 1 }, { sent: { fresh: 0, retries: 0 } });
    const grant = granted(ask(gate, { want: retrying }));
    expect(grant).toMatchObject({ count: 12, retries: 10, refused: { reason: "retry-budget" } });
    expect(refusalOf(ask(gate, { want: { fresh: 0, retries: 1 } }))[0]).toBe("retry-budget");
    tell(gate, granted(ask(gate, { fresh: 25 })), { ok: 25 });
    expect(granted(ask(gate, { want: { fresh: 0, retries: 9 } })).retries).toBe(5);
  });

  it("lets a quiet target have its retries all the same", () => {
    const gate = held(FIXED);
    tell(gate, granted(ask(gate, { want: { fresh: 0, retries: 6 } })), { ok: 6 });
    gate.nowMs += 60_000;
    expect(granted(ask(gate, { want: { fresh: 0, retries: 6 } })).retries).toBe(6);
  });
});
