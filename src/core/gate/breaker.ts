/**
 * The circuit breaker: opens when a target is sick, lets few probes through after a pause that doubles, and
 * closes after enough of them succeeded in a row. What it is told of is sickness; a message that the receiver
 * refuses as such is none.
 */
import {
  BREAKER_BUCKET_MS,
  BREAKER_CALLS_MIN,
  BREAKER_CONSECUTIVE_MAX,
  BREAKER_ILL_MS_MIN,
  BREAKER_OPEN_MS,
  BREAKER_OPEN_MS_MAX,
  BREAKER_PROBES_MIN,
  BREAKER_WINDOW_MS,
  TARGET_FAILING_MS_MAX,
} from "../gate-limits.ts";
import type { Breaker, GateLease } from "./state.ts";

/** Up to this share a pause is longer than it must be, so that many targets of one host do not come together. */
const JITTER = 0.2;
const SICK_SHARE = 0.5;

export interface Calls {
  readonly ok: number;
  /** The message was refused as such: no sickness, but a sign of life. */
  readonly rejected: number;
  readonly sick: number;
  /** Sent, and nothing is known of them. */
  readonly unknown: number;
}

/** When an open breaker lets the first probe pass. */
export const probesAtMs = ({ sinceMs, openMs }: Breaker): number => sinceMs + openMs;

/** Probes that may be under way at once: one, then three, then ten. */
export function probesMax({ phase, successes }: Breaker): number {
  if (phase === "open" || successes < 1) return 1;
  return successes < 4 ? 3 : BREAKER_PROBES_MIN;
}

export const probesUnderWay = ({ openings }: Breaker, leases: readonly GateLease[]): number =>
  leases
    .filter(({ isProbe, opening }) => isProbe && opening === openings)
    .reduce((sum, { left }) => sum + left.fresh + left.retries, 0);

/** The first probe is on its way. */
export const halfOpen = (breaker: Breaker, nowMs: number): Breaker =>
  breaker.phase === "open"
    ? { ...breaker, phase: "half-open", sinceMs: nowMs, successes: 0 }
    : breaker;

/** A probe is gone with whoever held it: its target may have been the cause, so it pauses as long again. */
export const reopen = (breaker: Breaker, atMs: number): Breaker => ({
  ...breaker,
  ...{ phase: "open", sinceMs: atMs, openings: breaker.openings + 1 },
});

/** Since when the receiver has failed, where it has just done so again after too long; otherwise null. */
export function failedSinceMs(before: Breaker, after: Breaker, nowMs: number): number | null {
  const sinceMs = after.firstOpenedAtMs ?? nowMs;
  return after.inRow > before.inRow && nowMs >= sinceMs + TARGET_FAILING_MS_MAX ? sinceMs : null;
}

/** After the calls of one report; `random` is in [0, 1). */
export function judge(
  breaker: Breaker,
  lease: GateLease,
  calls: Calls,
  nowMs: number,
  random: number,
): Breaker {
  // What began before it opened says nothing of the target now.
  if (breaker.phase === "open" || lease.opening !== breaker.openings) return breaker;
  if (breaker.phase === "half-open") return judgeProbes(breaker, calls, nowMs, random);
  const buckets = added(breaker, calls, nowMs);
  const all = buckets.reduce((sum, bucket) => sum + bucket.calls, 0);
  const sick = buckets.reduce((sum, bucket) => sum + bucket.sick, 0);
  const consecutive = calls.ok > 0 ? 0 : breaker.consecutive + calls.sick;
  const isShare = all >= BREAKER_CALLS_MIN && sick >= all * SICK_SHARE;
  const isIll = consecutive > 0 || (sick > 0 && sick >= all * SICK_SHARE);
  const illSinceMs = isIll ? (breaker.illSinceMs ?? nowMs) : null;
  const next = { ...breaker, buckets, consecutive, illSinceMs };
  const isLong = illSinceMs !== null && nowMs >= illSinceMs + BREAKER_ILL_MS_MIN;
  const isSick = calls.sick > 0 && isLong && (isShare || consecutive >= BREAKER_CONSECUTIVE_MAX);
  return isSick ? open(next, nowMs, random) : next;
}

function judgeProbes(breaker: Breaker, calls: Calls, nowMs: number, random: number): Breaker {
  if (calls.sick > 0) return open(breaker, nowMs, random);
  if (calls.unknown > 0) return reopen(breaker, nowMs);
  const successes = breaker.successes + calls.ok + calls.rejected;
  if (successes < BREAKER_PROBES_MIN) return { ...breaker, successes };
  const { firstOpenedAtMs: _, ...known } = breaker;
  return {
    ...known,
    ...{
      phase: "closed",
      sinceMs: nowMs,
      buckets: [],
      consecutive: 0,
      illSinceMs: null,
      inRow: 0,
      successes: 0,
    },
  };
}

function open(breaker: Breaker, nowMs: number, random: number): Breaker {
  const doubled = BREAKER_OPEN_MS * 2 ** breaker.inRow;
  const pauseMs = Math.min(BREAKER_OPEN_MS_MAX / (1 + JITTER), doubled) * (1 + JITTER * random);
  return {
    ...reopen(breaker, nowMs),
    ...{
      buckets: [],
      consecutive: 0,
      illSinceMs: null,
      inRow: breaker.inRow + 1,
      firstOpenedAtMs: breaker.firstOpenedAtMs ?? nowMs,
      openMs: Math.ceil(pauseMs),
    },
  };
}

/** Poison is not counted with the calls: it would hide a sick target as well as make one. */
function added({ buckets }: Breaker, calls: Calls, nowMs: number): Breaker["buckets"] {
  const atMs = nowMs - (nowMs % BREAKER_BUCKET_MS);
  const kept = buckets.filter(
    (bucket) => bucket.atMs > nowMs - BREAKER_WINDOW_MS && bucket.atMs < atMs,
  );
  const last = buckets.find((bucket) => bucket.atMs === atMs) ?? { atMs, calls: 0, sick: 0 };
  const { ok, sick } = calls;
  return [...kept, { atMs, calls: last.calls + ok + sick, sick: last.sick + sick }];
}
