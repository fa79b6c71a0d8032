/**
 * What an instance does next. Pure and total: the same instance, time and requests under way give the same
 * plan, whoever asks and however often. So whoever died before carrying it out has lost nothing.
 */
import type { Json } from "../json.ts";
import { matchesPattern } from "../pattern/index.ts";
import type { ActionStep, Sequence, Step } from "./definition.ts";
import { type Entry, type Instance, isEnded, type StepState } from "./instance.ts";
import { awaited, type Call, decide, type Plan, request, sleep, toStatus } from "./step-plan.ts";
import { planUndo } from "./undo-plan.ts";

/** `live` are the steps whose requests this process has under way; a "started" one that is not is in doubt. */
export function plan(instance: Instance, nowMs: number, live: ReadonlySet<number>): Plan {
  const { status, pausedAtMs } = instance;
  if (isEnded(status) || status === "STUCK" || pausedAtMs !== null) return sleep(null);
  return status === "COMPENSATING"
    ? planUndo(instance, nowMs, live)
    : planForward(instance, nowMs, live);
}

function planForward(instance: Instance, nowMs: number, live: ReadonlySet<number>): Plan {
  const { saga, steps, deadlineAtMs } = instance;
  const failed = failedStep(instance);
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

/** Of several the first; -1 where none has failed that may not. */
export const failedStep = ({ saga, steps }: Instance): number =>
  saga.steps.findIndex((step, at) => isFailure(step, steps[at]));

/** Whether a person is asked rather than anything undone: a wait that ended so. */
function isHeld({ saga }: Instance, failed: number): boolean {
  const step = saga.steps[failed];
  return (step?.kind === "wait" || step?.kind === "approve") && step.onTimeout === "stuck";
}

/** Until the pivot may have had its effect; one that was run anew may have had the former one. */
export function mayCompensate({ saga, steps }: Instance): boolean {
  const state = steps[saga.steps.findIndex(({ isPivot }) => isPivot)];
  if (state === undefined) return true;
  return state.epoch === 0 && (state.forward === "pending" || state.forward === "rejected");
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
