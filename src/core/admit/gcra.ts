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

/**
 * Takes up to `wanted` tokens at `nowMs` from the bucket whose state is `arrivalMs` (0 = never used).
 * A clock that went back grants less, never more.
 */
export function take(rate: Rate, arrivalMs: number, nowMs: number, wanted: number): Grant {
  const intervalMs = 1_000 / rate.perSecond;
  const windowMs = intervalMs * rate.burst;
  const start = Math.max(arrivalMs, nowMs);
  // An ulp of rounding must not cost a token that is there.
  const free = Math.floor((nowMs + windowMs - start) / intervalMs + 1e-9);
  const granted = Math.max(0, Math.min(wanted, free));
  const next = granted === 0 ? arrivalMs : start + granted * intervalMs;
  const retryAfterMs =
    granted === wanted ? 0 : Math.max(0, Math.max(next, nowMs) + intervalMs - windowMs - nowMs);
  return { granted, retryAfterMs, arrivalMs: next };
}
