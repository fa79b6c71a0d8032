/** A batch's lease on a target: when it is spent, what is told of it, and how long its gate is to let nothing go. */
import { describe, expect, it } from "vitest";
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { GateAnswer } from "../../src/core/gate/index.ts";
import { GATE_AGAIN_MS, GATE_UNREACHABLE_MS } from "../../src/core/gate-limits.ts";
import { type HeldLease, holdLease } from "../../src/flows/gate-lease.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const clock = createFakeClock();
const NOW_MS = clock.nowMs();
const GRANT: GateAnswer = {
  ...{ kind: "granted", slots: 2, count: 2, retries: 0, firstAtMs: NOW_MS, intervalMs: 0 },
  ...{ startByMs: NOW_MS + 2_000, expiresAtMs: NOW_MS + 20_000 },
  ...{ isProbe: false, refused: { reason: "concurrency", untilMs: null } },
};
const answered = (status: number): Answer => ({
  ...{ kind: "response", status, retryAfterMs: null, body: "" },
});

function held(answer: GateAnswer | null = GRANT, isAdaptive = false): HeldLease {
  const told = answer === null ? null : { answer, nowMs: clock.nowMs(), parked: 0 };
  return holdLease("lease", told, { isAdaptive }, clock);
}

/** Takes a turn and begins. */
function begin(lease: HeldLease): (answer: Answer | null) => void {
  lease.limit.take();
  return lease.begin(false);
}

describe("a lease", () => {
  it("is spent, which is news, when all that it grants has begun and ended, and tells of it once", () => {
    const lease = held();
    const [first, second] = [begin(lease), begin(lease)];
    first(answered(200));
    expect(lease.isNews).toBe(false);
    second(answered(500));
    expect(lease.isNews).toBe(true);
    expect(lease.report()).toMatchObject({ isDone: true, outcomes: { ok: 1, failed: 1 } });
    expect(lease.report()).toBeNull();
  });

  it("is not spent while somebody who has taken a turn has not begun yet", () => {
    const lease = held();
    const first = begin(lease);
    lease.limit.take();
    first(answered(200));
    expect(lease.isNews).toBe(false);
    lease.begin(false)(null);
    expect(lease.isNews).toBe(true);
  });

  it("has news when the receiver drops something, and is spent early, when the last one has ended", () => {
    const lease = held({ ...GRANT, count: 10 });
    const [first, second] = [begin(lease), begin(lease)];
    first(answered(429));
    expect([lease.limit.waitMs(), lease.isNews]).toEqual([null, true]);
    expect(lease.report()).toMatchObject({ isDone: false, outcomes: { dropped: 1 } });
    expect(lease.isNews).toBe(false);
    second(answered(200));
    expect(lease.isNews).toBe(true);
  });

  it("is never spent where nothing was granted", () => {
    const refused: GateAnswer = { kind: "refused", reason: "breaker", untilMs: null };
    expect([held(refused).isNews, held(null).isNews]).toEqual([false, false]);
    expect([held(refused).report(), held(null).report()]).toEqual([null, null]);
  });
});

describe("what was held up between its turn and its beginning", () => {
  const paced = () =>
    held({
      ...GRANT,
      count: 9,
      intervalMs: 100,
      firstAtMs: clock.nowMs(),
      startByMs: Number.POSITIVE_INFINITY,
    });

  it("keeps the interval to what began before it, and not to what was to", async () => {
    const lease = paced();
    lease.limit.take();
    await clock.advance(100);
    lease.limit.take();
    await clock.advance(50);
    expect(lease.beginsInMs()).toBe(0);
    // Another looks before it has begun.
    expect([lease.beginsInMs(), lease.limit.waitMs()]).toEqual([100, 200]);
    lease.begin(false);
    expect([lease.beginsInMs(), lease.limit.waitMs()]).toEqual([100, 200]);
  });

  it("begins not at all when its lease is over, or the receiver has had too much", async () => {
    const of = { ...GRANT, count: 3, startByMs: clock.nowMs() + 2_000 };
    const [late, dropped] = [held(of), held(of)];
    const first = begin(dropped);
    for (const lease of [late, dropped]) lease.limit.take();
    first(answered(429));
    expect(dropped.beginsInMs()).toBeNull();
    await clock.advance(2_001);
    expect(late.beginsInMs()).toBeNull();
  });

  it("leaves its turn to another where it does not begin, and the lease may be spent without it", () => {
    const lease = held({ ...GRANT, startByMs: clock.nowMs() + 2_000 });
    for (let at = 0; at < 2; at += 1) lease.limit.take();
    expect(lease.limit.waitMs()).toBeNull();
    lease.leave();
    expect(lease.limit.waitMs()).toBe(0);
    const [first, second] = [lease.begin(false), begin(lease)];
    for (const end of [first, second]) end(answered(200));
    expect(lease.isNews).toBe(true);
  });
});

describe("what a lease leaves", () => {
  it("is told no more where its gate may not have heard the last: it would get back what was used", () => {
    const lease = held({ ...GRANT, startByMs: clock.nowMs() + 2_000 });
    const [first, second] = [begin(lease), begin(lease)];
    first(answered(200));
    expect(lease.report()).toMatchObject({ sent: { fresh: 1 }, isDone: false });
    lease.isUnheard();
    second(answered(200));
    expect(lease.report()).toBeNull();
  });

  it("is what the receiver asked for, where its gate did not answer when it was asked for more", async () => {
    const lease = held({ ...GRANT, startByMs: clock.nowMs() + 2_000 });
    const [first, second] = [begin(lease), begin(lease)];
    first(answered(200));
    await lease.askMore(async () => null);
    second({ ...answered(429), retryAfterMs: 60_000 } as Answer);
    expect(lease.report()).toMatchObject({ lease: "", retryAfterMs: 60_000 });
    expect(lease.report()).toBeNull();
  });

  it("waits for a token only if it is tried again", () => {
    const refused = { reason: "retry-budget", untilMs: null } as const;
    const lease = held({ ...GRANT, refused });
    expect([true, false].map((isRetry) => lease.refusal(isRetry).reason)).toEqual([
      "gate: retry-budget",
      "gate: concurrency",
    ]);
  });

  it("is not left for a rate where there is none", () => {
    const reasonOf = (intervalMs: number) =>
      held({ ...GRANT, intervalMs, refused: null }).refusal(false).reason;
    expect([reasonOf(0), reasonOf(250)]).toEqual(["gate: concurrency", "gate: rate"]);
  });

  it("makes its gate pause only where that does not know by itself when there is room", () => {
    expect(held().refusal(false)).toMatchObject({ reason: "gate: concurrency", pauseMs: 0 });
    expect(held(null).refusal(false)).toMatchObject({
      ...{ reason: "its gate did not answer", pauseMs: GATE_UNREACHABLE_MS },
    });
    const [fixed, adaptive] = [held(GRANT), held(GRANT, true)];
    for (const lease of [fixed, adaptive]) begin(lease)(answered(429));
    expect(fixed.refusal(false).pauseMs).toBe(GATE_AGAIN_MS); // nothing else keeps it from trying as many again
    expect(adaptive.refusal(false).pauseMs).toBe(0);
  });
});
