/** When a failed delivery is tried again. */
import { QUEUE_DELAY_SECONDS_MAX, RETRY_AFTER_SECONDS_MAX } from "../limits.ts";

/** Either the pauses themselves, or a growing pause between `maxAttempts` attempts. */
export type RetryPolicy =
  | { readonly delaysSeconds: readonly number[] }
  | {
      readonly maxAttempts: number;
      readonly initialSeconds: number;
      readonly factor: number;
      readonly maxSeconds: number;
    };

/** The schedule that Standard Webhooks recommends: ten attempts within 75 h 35 min. */
export const STANDARD_LADDER: RetryPolicy = {
  delaysSeconds: [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
};

/** At most this share is added to a pause, so that many failures do not come back at one moment. */
const JITTER = 0.2;

/**
 * Milliseconds to wait after `attempts` failed attempts, or null when the policy has no further one.
 * `random` is in [0, 1). A receiver's Retry-After is never undercut, and honoured up to a day.
 */
export function nextDelayMs(
  policy: RetryPolicy,
  attempts: number,
  random: number,
  retryAfterMs: number | null,
): number | null {
  const seconds = pauseSeconds(policy, attempts);
  if (seconds === null) return null;
  const jittered = seconds * 1_000 * (1 + JITTER * random);
  const asked = Math.min(retryAfterMs ?? 0, RETRY_AFTER_SECONDS_MAX * 1_000);
  return Math.round(Math.max(jittered, asked));
}

/** Attempts in all. */
export const attemptsMaxOf = (policy: RetryPolicy): number =>
  "delaysSeconds" in policy ? policy.delaysSeconds.length + 1 : policy.maxAttempts;

/**
 * Retries leave at multiples of these many seconds, rounded up and so never before they are due. Their
 * pauses are jittered: without steps nearly each one of a batch would need a message of its own. All
 * are well below the sweeper's grace, so that it does not take a rounded one for a lost one.
 */
const DEPARTURE_STEPS = [
  { upToSeconds: 10, stepSeconds: 1 },
  { upToSeconds: 60, stepSeconds: 5 },
  { upToSeconds: QUEUE_DELAY_SECONDS_MAX, stepSeconds: 15 },
] as const;

/** The delay of a message for what is due in `dueInMs`, or null if that is too long for a message. */
export function departureSeconds(dueInMs: number): number | null {
  const seconds = Math.ceil(Math.max(0, dueInMs) / 1_000);
  const step = DEPARTURE_STEPS.find(({ upToSeconds }) => seconds <= upToSeconds)?.stepSeconds;
  return step === undefined ? null : Math.ceil(seconds / step) * step;
}

function pauseSeconds(policy: RetryPolicy, attempts: number): number | null {
  if ("delaysSeconds" in policy) return policy.delaysSeconds[attempts - 1] ?? null;
  if (attempts >= policy.maxAttempts) return null;
  return Math.min(policy.maxSeconds, policy.initialSeconds * policy.factor ** (attempts - 1));
}

/** RFC 9110 §5.6.7, the only form that may be sent today. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Milliseconds asked for by a Retry-After header (RFC 9110 §10.2.3: seconds or an HTTP date), or null
 * for anything else. A date in the past is 0.
 */
export function parseRetryAfter(value: string | null, nowMs: number): number | null {
  const text = value?.trim() ?? "";
  if (/^\d{1,15}$/.test(text)) return Number(text) * 1_000;
  const atMs = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
