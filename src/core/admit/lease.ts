/**
 * Tokens leased to an isolate: spent there without a call, dropped when the lease ends.
 *
 * With rate R, burst B, leases of at most L tokens that live T seconds and W isolates, what is
 * admitted in any window of w seconds is at most B + R·w + min(R·T, W·L): every token spent in a
 * window was issued in it or in the T seconds before, and at most W·L are outstanding.
 */
import { type Grant, type Rate, take, waitFor } from "./gcra.ts";

export interface Lease {
  tokens: number;
  /** By the isolate's own clock: a duration counted from receipt, never another machine's time. */
  expiresAtMs: number;
  /** Until then nothing is asked for: the answer is known. */
  deniedUntilMs: number;
}

/** A lease that grants nothing and denies nothing: the next event asks. */
export const NO_LEASE: Readonly<Lease> = { tokens: 0, expiresAtMs: 0, deniedUntilMs: 0 };

export type Spend =
  | { readonly kind: "spent" }
  | { readonly kind: "denied"; readonly retryAfterMs: number }
  | { readonly kind: "ask" };

/** Whether `count` tokens can be spent of `lease` at `nowMs`. */
export const covers = (lease: Readonly<Lease>, nowMs: number, count: number): boolean =>
  nowMs < lease.expiresAtMs && lease.tokens >= count;

/** Spends `count` tokens of `lease` at `nowMs`, or says that they must be asked for, or are denied. */
export function spend(lease: Lease, nowMs: number, count: number): Spend {
  if (covers(lease, nowMs, count)) {
    lease.tokens -= count;
    return { kind: "spent" };
  }
  if (nowMs < lease.deniedUntilMs) {
    return { kind: "denied", retryAfterMs: lease.deniedUntilMs - nowMs };
  }
  return { kind: "ask" };
}

/**
 * The largest lease for a rate: a tenth of the burst, so that several isolates share it, but no more
 * than the rate refills in a lease's life, so that the bound on over-admission stays R·T.
 */
export function leaseTokensMax(rate: Rate, ttlMs: number): number {
  const perLife = (rate.perSecond * ttlMs) / 1_000;
  return Math.max(1, Math.floor(Math.min(rate.burst / 10, perLife)));
}

/**
 * What to ask for: enough for those who wait, or twice what the last lease used, but no more than a
 * full lease, and never less than what must be spent at once.
 */
export function tokensToAsk(
  demand: { needed: number; waiting: number; used: number },
  tokensMax: number,
): number {
  const wanted = Math.max(demand.waiting, 2 * demand.used);
  return Math.max(demand.needed, Math.min(tokensMax, wanted));
}

/**
 * The least that is worth a call once a bucket runs dry: half a lease. Without it every admitted event
 * of an overloaded tenant would cost a call of its own.
 */
function leaseQuantum(needed: number, tokensMax: number): number {
  return Math.max(needed, Math.ceil(tokensMax / 2));
}

/**
 * What the bucket gives for one ask: all of it; or, as it runs dry, no less than is worth a call; or
 * nothing, and the wait until that is there.
 */
export function grantLease(
  ask: { readonly rate: Rate; readonly needed: number; readonly wanted: number },
  arrivalMs: number,
  nowMs: number,
  ttlMs: number,
): Grant {
  const { rate, needed, wanted } = ask;
  const full = take(rate, arrivalMs, nowMs, wanted);
  const worth = Math.min(wanted, leaseQuantum(needed, leaseTokensMax(rate, ttlMs)));
  if (full.granted >= worth) return { ...full, retryAfterMs: 0 };
  const untouched = take(rate, arrivalMs, nowMs, 0);
  const retryAfterMs = Math.max(1, waitFor(rate, arrivalMs, nowMs, worth));
  return { ...untouched, retryAfterMs };
}
