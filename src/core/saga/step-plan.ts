/** What can be planned, and what is planned for one step that makes requests: now, when it is due, or never again. */
import { nextDelayMs } from "../deliver/retry.ts";
import type { ActionStep } from "./definition.ts";
import type { Direction, Entry, Instance, StepState } from "./instance.ts";

export interface Call {
  readonly step: number;
  readonly direction: Direction;
}

export type Plan =
  /** Something is decided: append it and ask again. */
  | { readonly kind: "decide"; readonly entries: readonly Entry[] }
  /** Requests to make now; each one's "request" entry is appended first. */
  | { readonly kind: "call"; readonly calls: readonly Call[] }
  /** Nothing to do before this time, or, if null, before something comes. */
  | { readonly kind: "sleep"; readonly untilMs: number | null };

export const sleep = (untilMs: number | null): Plan => ({ kind: "sleep", untilMs });
export const decide = (...entries: Entry[]): Plan => ({ kind: "decide", entries });
export const toStatus = (status: Instance["status"], reason: string | null = null): Plan =>
  decide({ kind: "status", status, reason });

/** A callback or a child. Of a callback whose time is over the request is in doubt; a child is asked again. */
export function awaited(
  instance: Instance,
  step: ActionStep,
  at: number,
  direction: Direction,
  nowMs: number,
): Plan {
  const state = instance.steps[at];
  if (state === undefined) return sleep(null);
  if (state.dueAtMs !== null && state.dueAtMs > nowMs) return sleep(state.dueAtMs);
  const act = direction === "action" ? step.action : step.compensate;
  // A child is asked again how it stands: the same key is the same child.
  if (act?.kind !== "http") return { kind: "call", calls: [{ step: at, direction }] };
  const delayMs = retryDelayMs(instance, step, state, direction, 0, null);
  return decide({
    ...{ kind: "answer", step: at, direction, token: state.token },
    outcome: { kind: "unknown", error: "no callback came in time" },
    retryAtMs: delayMs === null ? null : nowMs + delayMs,
  });
}

/** A request now, or when it is due; none if the processes that made it died in all its attempts. */
export function request(
  instance: Instance,
  step: ActionStep,
  at: number,
  direction: Direction,
  nowMs: number,
): Plan {
  const state = instance.steps[at];
  if (state === undefined) return sleep(null);
  if (state.dueAtMs !== null && state.dueAtMs > nowMs) return sleep(state.dueAtMs);
  const isDied = (direction === "action" ? state.forward : state.undo) === "started";
  if (isDied && retryDelayMs(instance, step, state, direction, 0, null) === null) {
    const error = "the process died in every attempt";
    return decide({ kind: "give-up", step: at, direction, error });
  }
  return { kind: "call", calls: [{ step: at, direction }] };
}

/** Milliseconds before the next attempt, or null when there is none. */
export function retryDelayMs(
  { status }: Instance,
  { retry, undoRetry }: ActionStep,
  { attempts, undoAttempts }: StepState,
  direction: Direction,
  random: number,
  retryAfterMs: number | null,
): number | null {
  // What must be undone is worth as much patience as the undo.
  const policy = status === "COMPENSATING" ? undoRetry : retry;
  const made = direction === "action" ? attempts : undoAttempts;
  return nextDelayMs(policy, made, random, retryAfterMs);
}
