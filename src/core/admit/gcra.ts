/**
 * The generic cell rate algorithm: one number per bucket (the theoretical arrival time) says whether
 * a token is free and, if not, exactly when one will be. Same admission as a token bucket of
 * `burst` tokens refilled at `perSecond`.
 */

export interface Rate {
  /** Tokens per second, > 0. */
  readonly perSecond: number;
  /** Tokens that may be taken at once by an idle bucket, ≥ 1. */
  readonly burst: number;
}

export interface Grant {
  readonly granted: number;
  /** When fewer than asked were granted: milliseconds until one more token exists. */
  readonly retryAfterMs: number;
  /** The bucket's new state. */
  readonly arrivalMs: number;
}

/** Doubles of today's milliseconds are 0.00024 apart; rounding must not cost a token that is there. */
const ROUNDING_MS = 0.0005;

/**
 * Takes up to `wanted` tokens at `nowMs` from the bucket whose state is `arrivalMs` (0 = never used).
 * A clock that went back grants less, never more.
 */
export function take(rate: Rate, arrivalMs: number, nowMs: number, wanted: number): Grant {
  const intervalMs = 1_000 / rate.perSecond;
  const windowMs = intervalMs * rate.burst;
  const debtMs = debtOf(rate, arrivalMs, nowMs);
  const free = Math.floor((windowMs - debtMs + ROUNDING_MS) / intervalMs);
  const granted = Math.max(0, Math.min(wanted, free));
  const owedMs = debtMs + granted * intervalMs;
  const retryAfterMs = granted === wanted ? 0 : Math.max(0, owedMs + intervalMs - windowMs);
  return { granted, retryAfterMs, arrivalMs: nowMs + owedMs };
}

/** Milliseconds until `count` tokens are there at once; `count` is at most the burst. */
export function waitFor(rate: Rate, arrivalMs: number, nowMs: number, count: number): number {
  const missingMs = ((count - rate.burst) * 1_000) / rate.perSecond;
  return Math.max(0, debtOf(rate, arrivalMs, nowMs) + missingMs);
}

/**
 * What must pass until the bucket is full. At worst it is empty: a debt from before the rate was
 * raised, or from before the clock was set back, does not last.
 */
function debtOf(rate: Rate, arrivalMs: number, nowMs: number): number {
  const windowMs = (1_000 * rate.burst) / rate.perSecond;
  return Math.min(Math.max(0, arrivalMs - nowMs), windowMs + ROUNDING_MS);
}
