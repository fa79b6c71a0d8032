/** No schedule of consumers, answers and deaths gets more out of a gate than its limits. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextTurn } from "../../../src/core/gate/index.ts";
import { limits } from "../../../src/core/gate/keeper.ts";
import { DAY_MS, type GateConfig } from "../../../src/core/gate/state.ts";
import {
  BREAKER_OPEN_MS,
  RETRIES_PER_SECOND_MIN,
  RETRY_TOKENS_MAX,
} from "../../../src/core/gate-limits.ts";
import { PRIORITIES, type Priority } from "../../../src/core/priority.ts";
import { admittedAt, mostAboveRate } from "../../support/windows.ts";
import {
  ask,
  granted,
  type Held,
  held,
  NOW_MS,
  park,
  release,
  tell,
  whatNext,
} from "./consumers.ts";

const RUNS = { numRuns: 80 };
/** Doubles of milliseconds are 0.00024 apart; at 90 a second that is so many starts. */
const ROUNDING = 1e-4;

const config: fc.Arbitrary<GateConfig> = fc.record({
  concurrency: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(60)),
  perSecond: fc.oneof(
    fc.constant(null),
    fc.constantFrom(0.2, 3, 10, 70),
    fc.double({ min: 0.1, max: 90, noNaN: true }),
  ),
  perDay: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, fc.integer({ min: 1, max: 60 })),
  isAdaptive: fc.boolean(),
});

const ANSWERS = ["ok", "failed", "dropped", "timedOut", "rejected"] as const;
type Kind = (typeof ANSWERS)[number];

interface Visit {
  readonly gapMs: number;
  readonly want: { readonly fresh: number; readonly retries: number };
  readonly priority: Priority;
  readonly isReleased: boolean;
  readonly ttlMs: number;
  /** How long each attempt takes; the consumer starts the next in the same slot then. */
  readonly attemptMs: number;
  readonly answer: Kind;
  readonly retryAfterMs: number | null;
  /** It is never heard of again after this many of its attempts. */
  readonly diesAfter: number;
  readonly parks: number;
}

const visit = (kinds: fc.Arbitrary<Kind>): fc.Arbitrary<Visit> =>
  fc.record({
    gapMs: fc.oneof({ weight: 5, arbitrary: fc.nat(300) }, fc.nat(5_000), fc.constant(40_000)),
    want: fc.record({ fresh: fc.nat(30), retries: fc.nat(8) }),
    priority: fc.constantFrom(...PRIORITIES),
    isReleased: fc.boolean(),
    ttlMs: fc.constantFrom(500, 5_000, 60_000),
    attemptMs: fc.constantFrom(1, 20, 300, 2_000),
    answer: kinds,
    retryAfterMs: fc.oneof({ weight: 8, arbitrary: fc.constant(null) }, fc.nat(20_000)),
    diesAfter: fc.oneof({ weight: 4, arbitrary: fc.constant(1e9) }, fc.nat(3)),
    parks: fc.constantFrom(0, 0, 0, 4),
  });

interface Attempt {
  readonly fromMs: number;
  readonly toMs: number;
  readonly isRetry: boolean;
  readonly isProbe: boolean;
}

interface Played {
  readonly gate: Held;
  readonly attempts: Attempt[];
  readonly refused: Set<string>;
  /** Spans in which a Retry-After held, from when the gate was told. */
  readonly blocks: { readonly fromMs: number; readonly toMs: number; readonly before: number }[];
  readonly openings: number[];
}

/** Plays all visits; what is under way is told to the gate in the order in which it ends. */
function play(given: GateConfig, visits: readonly Visit[]): Played {
  const gate = held(given);
  const played: Played = {
    ...{ gate, attempts: [], refused: new Set(), blocks: [], openings: [] },
  };
  const ends: { readonly atMs: number; readonly end: () => void }[] = [];
  const until = (ms: number): void => {
    for (;;) {
      const due = ends.filter(({ atMs }) => atMs <= ms).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      ends.splice(ends.indexOf(due), 1);
      gate.nowMs = Math.max(gate.nowMs, due.atMs);
      due.end();
    }
    gate.nowMs = Math.max(gate.nowMs, ms);
  };
  for (const each of visits) {
    until(gate.nowMs + each.gapMs);
    if (each.parks > 0) park(gate, each.priority, each.parks);
    const { release: count } = whatNext(gate);
    if (count > 0) release(gate, each.priority, Math.min(2, count), count > 2);
    const answer = ask(gate, each);
    const reason = answer.kind === "refused" ? answer.reason : answer.refused?.reason;
    if (reason !== undefined) played.refused.add(reason);
    if (answer.kind === "refused") {
      if (answer.untilMs !== null) expect(answer.untilMs).toBeGreaterThan(gate.nowMs);
      continue;
    }
    const grant = granted(answer);
    const slots = Array.from({ length: grant.slots }, () => gate.nowMs);
    let sent = 0;
    let retries = 0;
    let turn = 0;
    let lastStartMs: number | null = null;
    const before = played.attempts.length;
    while (sent < grant.count) {
      const free = slots.indexOf(Math.min(...slots));
      const found = nextTurn(grant, turn, slots[free] ?? 0, lastStartMs);
      if (found === null || found.atMs + each.attemptMs > grant.expiresAtMs) break;
      const isRetry = retries < Math.min(grant.retries, each.want.retries);
      const toMs = found.atMs + each.attemptMs;
      played.attempts.push({ fromMs: found.atMs, toMs, isRetry, isProbe: grant.isProbe });
      slots[free] = toMs;
      lastStartMs = found.atMs;
      turn = found.turn + 1;
      sent += 1;
      if (isRetry) retries += 1;
      if (sent >= each.diesAfter) break;
    }
    if (sent >= each.diesAfter) continue;
    const own = played.attempts.length;
    const end = (): void => {
      const openings = gate.state.breaker.openings;
      tell(
        gate,
        { ...grant, lease: answer.lease },
        { [each.answer]: sent, durationMs: each.attemptMs },
        {
          sent: { fresh: sent - retries, retries },
          retryAfterMs: sent > 0 ? each.retryAfterMs : null,
        },
      );
      if (gate.state.breaker.openings > openings) played.openings.push(gate.nowMs);
      if (sent > 0 && each.retryAfterMs !== null) {
        const toMs = gate.nowMs + each.retryAfterMs;
        played.blocks.push({ fromMs: gate.nowMs, toMs, before: played.attempts.length });
      }
    };
    expect(own - before).toBe(sent);
    ends.push({ atMs: Math.max(gate.nowMs, ...slots), end });
    limits(gate.state, given, gate.nowMs);
  }
  until(gate.nowMs + 1_000_000);
  return played;
}

const anyVisits = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(visit(fc.constantFrom(...ANSWERS, "ok", "ok")), {
      maxLength: 60,
      size: "max",
    }),
  },
  fc.array(visit(fc.constantFrom("failed", "timedOut")), {
    minLength: 40,
    maxLength: 60,
    size: "max",
  }),
);

function mostAtOnce(attempts: readonly Attempt[]): number {
  const steps = attempts.flatMap(({ fromMs, toMs }) => [
    { atMs: fromMs, by: 1 },
    { atMs: toMs, by: -1 },
  ]);
  let now = 0;
  let most = 0;
  for (const { by } of steps.sort((a, b) => a.atMs - b.atMs || a.by - b.by)) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

describe("any schedule of consumers", { timeout: 30_000 }, () => {
  it("keeps the concurrency at all times, the rate in every window and the quota of every day", () => {
    const refused = new Set<string>();
    let full = 0;
    fc.assert(
      fc.property(config, anyVisits, (given, visits) => {
        const { attempts, refused: reasons } = play(given, visits);
        const most = mostAtOnce(attempts);
        expect(most).toBeLessThanOrEqual(given.concurrency);
        if (most === given.concurrency) full += 1;
        if (given.perSecond !== null) {
          const starts = attempts.map(({ fromMs }) => admittedAt(fromMs));
          expect(mostAboveRate(starts, given.perSecond)).toBeLessThan(1 + ROUNDING);
        }
        const byDay = Map.groupBy(attempts, ({ fromMs }) => Math.floor(fromMs / DAY_MS));
        for (const [, sent] of byDay) expect(sent.length).toBeLessThanOrEqual(given.perDay ?? 1e9);
        for (const reason of reasons) refused.add(reason);
      }),
      { ...RUNS, seed: 6 }, // one whose schedules meet every reason
    );
    expect([...refused].sort()).toEqual([
      "backlog",
      "breaker",
      "concurrency",
      "quota",
      "rate",
      "retry-after",
      "retry-budget",
    ]);
    expect(full).toBeGreaterThan(RUNS.numRuns / 10);
  });

  it("begins nothing that was granted after a Retry-After before that is over", () => {
    let blocked = 0;
    fc.assert(
      fc.property(config, anyVisits, (given, visits) => {
        const { attempts, blocks } = play(given, visits);
        for (const { toMs, before } of blocks) {
          for (const { fromMs } of attempts.slice(before)) {
            expect(fromMs).toBeGreaterThanOrEqual(toMs);
          }
          blocked += 1;
        }
      }),
      RUNS,
    );
    expect(blocked).toBeGreaterThan(RUNS.numRuns / 4);
  });

  it("has retries of at most a fifth of what is fresh, and a few with time", () => {
    fc.assert(
      fc.property(anyVisits, (visits) => {
        const { attempts, gate } = play(
          { concurrency: 60, perSecond: null, perDay: null, isAdaptive: false },
          visits,
        );
        const retries = attempts.filter(({ isRetry }) => isRetry).length;
        const seconds = (gate.nowMs - NOW_MS) / 1_000;
        const most = RETRY_TOKENS_MAX / 10 + 0.2 * (attempts.length - retries);
        expect(retries).toBeLessThanOrEqual(most + seconds * RETRIES_PER_SECOND_MIN);
      }),
      RUNS,
    );
  });

  it("probes a sick target once in half a minute at most", () => {
    let probed = 0;
    fc.assert(
      fc.property(
        fc.array(visit(fc.constantFrom("failed", "timedOut")), {
          minLength: 40,
          maxLength: 80,
          size: "max",
        }),
        (visits) => {
          const given = { concurrency: 6, perSecond: null, perDay: null, isAdaptive: false };
          const { attempts } = play(given, visits);
          const probes = attempts.filter(({ isProbe }) => isProbe).map(({ fromMs }) => fromMs);
          probes.slice(1).forEach((fromMs, at) => {
            expect(fromMs - (probes[at] ?? 0)).toBeGreaterThanOrEqual(BREAKER_OPEN_MS);
            probed += 1;
          });
        },
      ),
      RUNS,
    );
    expect(probed).toBeGreaterThan(RUNS.numRuns / 10);
  });

  it("never opens the breaker by messages that are refused as such", () => {
    fc.assert(
      fc.property(
        config,
        fc.array(visit(fc.constantFrom("rejected", "ok")), { maxLength: 60, size: "max" }),
        (given, visits) => {
          const { gate, refused } = play(given, visits);
          expect([gate.state.breaker.phase, refused.has("breaker")]).toEqual(["closed", false]);
        },
      ),
      RUNS,
    );
  });

  it("leaves a gate that lets the next one pass in the end", () => {
    fc.assert(
      fc.property(config, anyVisits, (given, visits) => {
        const { gate } = play(given, visits);
        for (let days = 0; days < 3; days += 1) {
          gate.nowMs += DAY_MS;
          for (const priority of PRIORITIES) release(gate, priority, 0, true);
        }
        expect(ask(gate).kind).toBe("granted");
      }),
      RUNS,
    );
  });
});
