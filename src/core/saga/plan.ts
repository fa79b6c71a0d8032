/**
 * What an instance does next. Pure and total: the same instance, time and requests under way give the same
 * plan, whoever asks and however often. So whoever died before carrying it out has lost nothing.
 */
import { nextDelayMs } from "../deliver/retry.ts";
import type { Json } from "../json.ts";
import { matchesPattern } from "../pattern/index.ts";
import type { ActionStep, Sequence, Step } from "./definition.ts";
import {
  type Direction,
  type Entry,
  type Instance,
  isEnded,
  isOpen,
  type StepState,
} from "./instance.ts";

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

/** `live` are the steps whose requests this process has under way; a "started" one that is not is in doubt. */
export function plan(instance: Instance, nowMs: number, live: ReadonlySet<number>): Plan {
  const { status, pausedAtMs } = instance;
  if (isEnded(status) || status === "STUCK" || pausedAtMs !== null) return sleep(null);
  return status === "COMPENSATING"
    ? planUndo(instance, nowMs, live)
    : planForward(instance, nowMs, live);
}

const sleep = (untilMs: number | null): Plan => ({ kind: "sleep", untilMs });
const decide = (...entries: Entry[]): Plan => ({ kind: "decide", entries });
const toStatus = (status: Instance["status"], reason: string | null = null): Plan =>
  decide({ kind: "status", status, reason });

function planForward(instance: Instance, nowMs: number, live: ReadonlySet<number>): Plan {
  const { saga, steps, deadlineAtMs } = instance;
  const failed = saga.steps.findIndex((step, at) => isFailure(step, steps[at]));
  const isLate = deadlineAtMs !== null && deadlineAtMs <= nowMs;
  if (failed >= 0 || isLate) {
    // What is under way is heard first: its answer tells what there is to undo.
    if (live.size > 0) return sleep(null);
    const name = saga.steps[failed]?.name;
    const why = failed >= 0 ? `${name}: ${steps[failed]?.error}` : "the deadline has passed";
    return toStatus(
      mayCompensate(instance) && !isHeld(instance, failed) ? "COMPENSATING" : "STUCK",
      why,
    );
  }
  const open = openSteps(saga.sequence, instance);
  if (open.length === 0) return live.size > 0 ? sleep(null) : toStatus("COMPLETED");
  const calls: Call[] = [];
  const entries: Entry[] = [];
  let dueMs = deadlineAtMs;
  for (const at of open) {
    if (live.has(at)) continue;
    const next = forwardOf(instance, at, nowMs);
    if (next.kind === "decide") entries.push(...next.entries);
    else if (next.kind === "call") calls.push(...next.calls);
    else if (next.untilMs !== null) dueMs = Math.min(dueMs ?? next.untilMs, next.untilMs);
  }
  if (entries.length > 0) return { kind: "decide", entries };
  return calls.length > 0 ? { kind: "call", calls } : sleep(dueMs);
}

/** The steps that may run now: the first unfinished one of the sequence, or of each of its branches. */
function openSteps(sequence: Sequence, instance: Instance): number[] {
  for (const item of sequence) {
    if (typeof item === "number") {
      if (!isFinished(instance.saga.steps[item], instance.steps[item])) return [item];
      continue;
    }
    const open = item.flatMap((branch) => openSteps(branch, instance));
    if (open.length > 0) return open;
  }
  return [];
}

const isFinished = (step: Step | undefined, state: StepState | undefined): boolean =>
  state?.forward === "succeeded" ||
  state?.forward === "skipped" ||
  (isFailed(state) && step?.isOptional === true);

const isFailed = (state: StepState | undefined): boolean =>
  state?.forward === "rejected" || state?.forward === "given-up";

const isFailure = (step: Step, state: StepState | undefined): boolean =>
  isFailed(state) && !step.isOptional;

/** Whether a person is asked rather than anything undone: a wait that ended so. */
function isHeld({ saga }: Instance, failed: number): boolean {
  const step = saga.steps[failed];
  return (step?.kind === "wait" || step?.kind === "approve") && step.onTimeout === "stuck";
}

/** Until the pivot may have had its effect. */
export function mayCompensate({ saga, steps }: Instance): boolean {
  const state = steps[saga.steps.findIndex(({ isPivot }) => isPivot)];
  return state === undefined || state.forward === "pending" || state.forward === "rejected";
}

function forwardOf(instance: Instance, at: number, nowMs: number): Plan {
  const step = instance.saga.steps[at];
  const state = instance.steps[at];
  if (step === undefined || state === undefined) return sleep(null);
  if (state.forward === "pending" && !isWanted(step, instance)) {
    return decide({ kind: "skip", step: at, direction: "action", output: null });
  }
  if (step.kind === "action") {
    return state.forward === "waiting"
      ? awaited(instance, step, at, "action", nowMs)
      : request(instance, step, at, "action", nowMs);
  }
  if (state.forward !== "waiting") {
    const ms = step.kind === "delay" ? step.delayMs : step.timeoutMs;
    return decide({ kind: "wait", step: at, untilMs: nowMs + ms });
  }
  return waitOf(instance, step, state, at, nowMs);
}

function waitOf(
  { inbox }: Instance,
  step: Exclude<Step, ActionStep>,
  state: StepState,
  at: number,
  nowMs: number,
): Plan {
  const isOver = state.dueAtMs !== null && state.dueAtMs <= nowMs;
  const ended = (outcome: Extract<Entry, { kind: "end-wait" }>["outcome"], event: string | null) =>
    decide({ kind: "end-wait", step: at, outcome, event });
  if (step.kind === "delay") {
    return isOver ? ended({ kind: "succeeded", output: null }, null) : sleep(state.dueAtMs);
  }
  if (step.kind === "wait") {
    for (const [id, { event, usedBy }] of inbox) {
      if (usedBy !== null || !matchesPattern(step.event, event)) continue;
      return ended({ kind: "succeeded", output: event }, id);
    }
  }
  if (!isOver) return sleep(state.dueAtMs);
  return step.onTimeout === "continue"
    ? decide({ kind: "skip", step: at, direction: "action", output: null })
    : ended({ kind: "rejected", error: "nothing came in time" }, null);
}

/** What `when` and templates see. */
export const scopeOf = ({ saga, input, steps }: Instance): Json => ({
  input,
  steps: Object.fromEntries(
    saga.steps.map(({ name }, at) => [name, { output: steps[at]?.output ?? null }]),
  ),
});

const isWanted = ({ when }: Step, instance: Instance): boolean =>
  when === null || matchesPattern(when, scopeOf(instance));

/** One at a time, in the reverse of the order in which they were started. */
function planUndo(instance: Instance, nowMs: number, live: ReadonlySet<number>): Plan {
  if (live.size > 0) return sleep(null);
  const { saga, steps } = instance;
  let at = -1;
  for (const [index, state] of steps.entries()) {
    const { startOrder, undo } = state;
    const isLeft = startOrder !== null && (undo === "none" || isOpen(state, "undo"));
    if (isLeft && startOrder > (steps[at]?.startOrder ?? -1)) at = index;
  }
  const givenUp = steps.findIndex(({ undo }) => undo === "given-up");
  if (givenUp >= 0) {
    return toStatus(
      "STUCK",
      `${saga.steps[givenUp]?.name} is not undone: ${steps[givenUp]?.error}`,
    );
  }
  const step = saga.steps[at];
  const state = steps[at];
  if (step === undefined || state === undefined) return toStatus("COMPENSATED", instance.reason);
  if (step.kind !== "action") return decide({ kind: "no-undo", step: at });
  if (state.undo === "waiting") return awaited(instance, step, at, "undo", nowMs);
  switch (state.forward) {
    case "waiting":
      // A child that runs is asked to undo itself, and whoever refuses what is undone is asked at once.
      if (isTombstone(step) || step.compensate?.kind === "undo-saga") {
        // What it was to wait for counts no more; what its target has no room for does.
        return state.undo === "none" && state.held === null
          ? { kind: "call", calls: [{ step: at, direction: "undo" }] }
          : request(instance, step, at, "undo", nowMs);
      }
      return awaited(instance, step, at, "action", nowMs);
    case "started":
    case "unknown":
      return settle(instance, step, at, nowMs);
    case "given-up":
      return toStatus("STUCK", `${step.name} is in doubt: ${state.error}`);
    case "succeeded":
      if (step.compensate === null) return decide({ kind: "no-undo", step: at });
      return request(instance, step, at, "undo", nowMs);
    default:
      return decide({ kind: "no-undo", step: at });
  }
}

/** Before a step in doubt is undone its outcome is made known: a late action would else outlive its undo. */
function settle(instance: Instance, step: ActionStep, at: number, nowMs: number): Plan {
  if (step.settle === "hold")
    return toStatus("STUCK", `${step.name} is in doubt, and held for a person`);
  return request(instance, step, at, isTombstone(step) ? "undo" : "action", nowMs);
}

const isTombstone = ({ settle, compensate }: ActionStep): boolean =>
  settle === "tombstone" && compensate !== null;

/** A callback or a child. Of a callback whose time is over the request is in doubt; a child is asked again. */
function awaited(
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
function request(
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
