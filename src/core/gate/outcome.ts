/** What an answer tells of its receiver: whether it is well, has too much, or refuses the message alone. */
import type { Answer } from "../deliver/outcome.ts";
import type { Outcomes } from "./report.ts";

export type OutcomeKind = Exclude<keyof Outcomes, "durationMs">;

/** 408 and 425 are the receiver's trouble (RFC 9110 §15.5.9, RFC 8470 §5.2), other 4xx the message's. */
export function outcomeKind(answer: Answer): OutcomeKind {
  if (answer.kind === "timeout") return "timedOut";
  if (answer.kind === "network") return "failed";
  if (answer.kind === "refused") return "rejected";
  const { status } = answer;
  if (status >= 200 && status < 300) return "ok";
  if (status === 429 || status === 503) return "dropped";
  return status >= 500 || status === 408 || status === 425 ? "failed" : "rejected";
}

/** The receiver is in trouble, or has more than it can take: from now on its gate is asked. */
export const isTrouble = (kind: OutcomeKind): boolean =>
  kind === "failed" || kind === "dropped" || kind === "timedOut";
