/** The outcome of a step that comes by itself: what comes too late or speaks of another attempt changes nothing. */
import { isJsonObject, type Json } from "../json.ts";
import type { Fault } from "../problem.ts";
import { answerEntry } from "./answer.ts";
import type { CallbackAddress } from "./callback-address.ts";
import { type Entry, type Instance, isEnded, isOpen, type Outcome } from "./instance.ts";
import { SAGA_ERROR_CHARACTERS_MAX } from "./limits.ts";

/** `{ "output": … }` or `{ "error": "…", "retryable": true }`, or what is wrong with it. */
export function readCallback(
  body: Json,
):
  | { readonly ok: true; readonly outcome: Outcome }
  | { readonly ok: false; readonly faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const fail = (pointer: string, code: string, detail: string) =>
    void faults.push({ pointer, code, detail });
  if (!isJsonObject(body)) {
    fail("", "not-an-object", 'Send { "output": … } or { "error": "…" }.');
    return { ok: false, faults };
  }
  const { output, error, retryable = false, ...rest } = body;
  for (const name of Object.keys(rest))
    fail(`/${name}`, "unknown-member", "A callback has no such member.");
  if ((output === undefined) === (error === undefined))
    fail("", "one-outcome", "Send either `output` or `error`.");
  if (
    error !== undefined &&
    (typeof error !== "string" || error.length > SAGA_ERROR_CHARACTERS_MAX)
  )
    fail("/error", "not-a-text", `A text of ${SAGA_ERROR_CHARACTERS_MAX} characters at most.`);
  if (typeof retryable !== "boolean") fail("/retryable", "not-a-boolean", "true or false.");
  if (body.retryable !== undefined && error === undefined)
    fail("/retryable", "only-of-errors", "Only an error is retryable.");
  if (faults.length > 0) return { ok: false, faults };
  if (typeof error !== "string")
    return { ok: true, outcome: { kind: "succeeded", output: output ?? null } };
  return { ok: true, outcome: { kind: retryable === true ? "unknown" : "rejected", error } };
}

export type HeardBack =
  | { readonly kind: "taken"; readonly entry: Entry }
  /** A copy of one that has counted. */
  | { readonly kind: "known" }
  | { readonly kind: "expired" }
  /** It speaks of an attempt that is not the latest one, or no longer asked for. */
  | { readonly kind: "stale" };

/** What a callback means to an instance; `random` is in [0, 1). */
export function heardBack(
  instance: Instance,
  address: CallbackAddress,
  outcome: Outcome,
  { nowMs, random }: { readonly nowMs: number; readonly random: number },
): HeardBack {
  const { direction, epoch, token, expiresAtMs } = address;
  const step = instance.saga.steps.findIndex(({ name }) => name === address.step);
  const state = instance.steps[step];
  if (state?.calledBack.includes(token)) return { kind: "known" };
  const isAsked = state?.epoch === epoch && state.token === token && isOpen(state, direction);
  // A pause has its step wait for longer than the address says.
  const isAwaited =
    isAsked &&
    (direction === "action" ? state.forward : state.undo) === "waiting" &&
    state.dueAtMs !== null &&
    state.dueAtMs > (instance.pausedAtMs ?? nowMs);
  if (expiresAtMs <= nowMs && !isAwaited) return { kind: "expired" };
  if (!isAsked || isEnded(instance.status)) return { kind: "stale" };
  const at = { nowMs, random, retryAfterMs: null };
  const answer = answerEntry(instance, { step, direction }, token, outcome, at);
  return { kind: "taken", entry: { ...answer, kind: "callback" } };
}
