/** What a receiver's answer means for its delivery. */
import { nextDelayMs, type RetryPolicy } from "./retry.ts";

/** What came of one attempt. */
export type Answer =
  | {
      readonly kind: "response";
      readonly status: number;
      /** What the receiver asked for, already read from its Retry-After header. */
      readonly retryAfterMs: number | null;
      /** The first bytes of the body as text. */
      readonly body: string;
      /** Those that the request asked for, by lower-case name. */
      readonly headers?: ReadonlyMap<string, string>;
    }
  | { readonly kind: "timeout" }
  | { readonly kind: "network"; readonly detail: string }
  /** The address may not be called at all; nothing was sent. */
  | { readonly kind: "refused"; readonly detail: string };

export type Outcome =
  | { readonly state: "delivered" }
  | { readonly state: "retrying"; readonly delayMs: number; readonly error: string }
  | { readonly state: "dead"; readonly error: string; readonly targetGone: boolean };

/**
 * The meaning of the answer to attempt number `attempts` (1 = the first). 2xx is success and nothing
 * else is; a redirect is not followed and so a failure; 410 says the receiver is gone for good
 * (Standard Webhooks, "Deliverability").
 */
export function outcomeOf(
  answer: Answer,
  attempts: number,
  policy: RetryPolicy,
  random: number,
): Outcome {
  if (answer.kind === "response" && answer.status >= 200 && answer.status < 300) {
    return { state: "delivered" };
  }
  const error = describe(answer);
  if (answer.kind === "refused") return { state: "dead", error, targetGone: false };
  if (answer.kind === "response" && answer.status === 410) {
    return { state: "dead", error, targetGone: true };
  }
  const retryAfterMs = answer.kind === "response" ? answer.retryAfterMs : null;
  return failure(error, attempts, policy, random, retryAfterMs);
}

/** Attempt number `attempts` has failed: another follows, if the policy has one. */
export function failure(
  error: string,
  attempts: number,
  policy: RetryPolicy,
  random: number,
  retryAfterMs: number | null,
): Outcome {
  const delayMs = nextDelayMs(policy, attempts, random, retryAfterMs);
  if (delayMs === null) {
    return {
      state: "dead",
      error: `${error.replace(/\.$/, "")}; attempts exhausted`,
      targetGone: false,
    };
  }
  return { state: "retrying", delayMs, error };
}

/** One line for people; holds no bytes of the receiver's answer. */
export function describe(answer: Answer): string {
  switch (answer.kind) {
    case "timeout":
      return "timeout: no complete answer in time";
    case "network":
      return `network: ${answer.detail}`;
    case "refused":
      return `refused: ${answer.detail}`;
    case "response":
      if (answer.status >= 300 && answer.status < 400) {
        return `status ${answer.status}: redirects are not followed`;
      }
      if (answer.status === 410) return "status 410: the receiver is gone; the target is disabled";
      return `status ${answer.status}`;
  }
}
