/** What the answer to a request of a step means, and when it is made again. */
import { type Answer, describe } from "../deliver/outcome.ts";
import type { Json } from "../json.ts";
import type { Act } from "./definition.ts";
import type { Direction, Entry, Instance, Outcome } from "./instance.ts";
import { type Call, retryDelayMs } from "./step-plan.ts";

/** Statuses of 4xx that say nothing of the effect: it may be there already, or come later. */
const UNKNOWN = new Set([408, 409, 425, 429]);
/** To be repeated at another address, which is not followed (RFC 9110 §15.4). 302 and 303 may come after an effect. */
const ELSEWHERE = new Set([301, 307, 308]);

/**
 * 2xx has the effect, most of 4xx definitely has none, all else may have it: a timeout, a lost connection and
 * 5xx say nothing. `output` is the body of a success, read.
 */
export function outcomeOf(answer: Answer, output: Json): Outcome {
  const error = describe(answer);
  if (answer.kind === "refused") return { kind: "rejected", error };
  if (answer.kind !== "response") return { kind: "unknown", error };
  const { status } = answer;
  if (status >= 200 && status < 300) return { kind: "succeeded", output };
  const isRejected =
    ELSEWHERE.has(status) || (status >= 400 && status < 500 && !UNKNOWN.has(status));
  return { kind: isRejected ? "rejected" : "unknown", error };
}

/** How long a callback is waited for when a participant has taken the request on; null if it has not. */
export const callbackMsOf = (answer: Answer, act: Act | null): number | null =>
  act?.kind === "http" && answer.kind === "response" && answer.status === 202
    ? act.callbackMs
    : null;

/** The entry of an answer; `random` is in [0, 1). */
export function answerEntry(
  instance: Instance,
  { step, direction }: Call,
  token: number,
  outcome: Outcome,
  at: { readonly nowMs: number; readonly random: number; readonly retryAfterMs: number | null },
): Extract<Entry, { kind: "answer" }> {
  const definition = instance.saga.steps[step];
  const state = instance.steps[step];
  // A refused undo is tried again as well: it must be done in the end.
  const isOver =
    outcome.kind === "succeeded" || (outcome.kind === "rejected" && direction === "action");
  const delayMs =
    isOver || definition?.kind !== "action" || state === undefined
      ? null
      : retryDelayMs(instance, definition, state, direction, at.random, at.retryAfterMs);
  const retryAtMs = delayMs === null ? null : at.nowMs + delayMs;
  return { kind: "answer", step, direction, token, outcome, retryAtMs };
}

/** The same for every attempt; another direction or a person's "once more, as a new effect" makes another. */
export const keyOf = (id: string, name: string, direction: Direction, epoch: number): string =>
  `sbx_${id}_${name}_${direction === "action" ? "a" : "c"}_${epoch}`;
