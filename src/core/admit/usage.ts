/** What became of a limit's events lately, as isolates told the limiter with calls that were due anyway. */
import type { Limitation } from "../limitation.ts";
import type { Limit } from "../tenant.ts";
import { type Rate, take } from "./gcra.ts";
import { USAGE_LIMITED_MS, USAGE_WINDOW_MS } from "./limits.ts";

export interface Counted {
  readonly admitted: number;
  readonly refused: number;
  /** Admitted as bulk. */
  readonly demoted: number;
}

export interface Usage {
  readonly fromMs: number;
  readonly now: Counted;
  readonly before: Counted;
  /** Since it first denied something, until it has denied nothing for a while. */
  readonly limitedSinceMs: number | null;
  readonly limitedUntilMs: number;
}

export interface ScopeUsage extends Counted {
  readonly scope: string;
  /** Since when it was counted. */
  readonly fromMs: number;
  /** Left in the bucket, beside those that isolates hold. */
  readonly tokens: number;
  readonly limitedSinceMs: number | null;
}

const NONE: Counted = { admitted: 0, refused: 0, demoted: 0 };

export const noUsage = (nowMs: number): Usage => {
  const counts = { now: NONE, before: NONE };
  return { ...counts, fromMs: nowMs, limitedSinceMs: null, limitedUntilMs: 0 };
};

/** `deniedMs`: an ask was denied, and nothing is given for so long. */
export function noted(known: Usage, told: Counted, deniedMs: number | null, nowMs: number): Usage {
  const usage = turned(known, nowMs);
  const counted = { ...usage, now: sum(usage.now, told) };
  if (deniedMs === null) return counted;
  return {
    ...counted,
    limitedSinceMs: limitedSinceMs(usage, nowMs) ?? nowMs,
    limitedUntilMs: nowMs + Math.max(deniedMs, USAGE_LIMITED_MS),
  };
}

export function usageOf(
  scope: string,
  known: Usage,
  rate: Rate,
  arrivalMs: number,
  nowMs: number,
): ScopeUsage {
  const usage = turned(known, nowMs);
  return {
    ...sum(usage.now, usage.before),
    scope,
    fromMs: usage.before === NONE ? usage.fromMs : usage.fromMs - USAGE_WINDOW_MS,
    tokens: take(rate, arrivalMs, nowMs, rate.burst).granted,
    limitedSinceMs: limitedSinceMs(usage, nowMs),
  };
}

/** `of` is whose limit it is, as its reader knows it. */
export function limitationBy(
  { limitedSinceMs: sinceMs }: ScopeUsage,
  { perSecond, overflow }: Limit,
  of: string,
): Limitation[] {
  if (sinceMs === null) return [];
  const fate = overflow === "demote" ? "goes as bulk" : "is refused";
  const detail = `the limit of ${of}: what is above ${perSecond} events a second ${fate}`;
  return [{ by: "tenant", sinceMs, untilMs: null, detail }];
}

function limitedSinceMs(usage: Usage, nowMs: number): number | null {
  return nowMs < usage.limitedUntilMs ? usage.limitedSinceMs : null;
}

function turned(usage: Usage, nowMs: number): Usage {
  const passedMs = nowMs - usage.fromMs;
  if (passedMs >= 0 && passedMs < USAGE_WINDOW_MS) return usage;
  const isNext = passedMs >= 0 && passedMs < 2 * USAGE_WINDOW_MS;
  const fromMs = isNext ? usage.fromMs + USAGE_WINDOW_MS : nowMs;
  return { ...usage, fromMs, now: NONE, before: isNext ? usage.now : NONE };
}

const sum = (one: Counted, other: Counted): Counted => ({
  admitted: one.admitted + other.admitted,
  refused: one.refused + other.refused,
  demoted: one.demoted + other.demoted,
});
