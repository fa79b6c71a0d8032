/** What an instance is after the facts of its journal. Nothing here decides: the same journal, the same instance. */
import { compileSaga, type Saga } from "./definition.ts";
import {
  type Entry,
  FRESH,
  type Instance,
  isOpen,
  type Outcome,
  type SagaStatus,
  type StepState,
} from "./instance.ts";

/** What an instance is after `entries`, which were appended at `atMs`. */
export const fold = (instance: Instance, entries: readonly Entry[], atMs: number): Instance =>
  entries.reduce((before, entry) => foldOne(before, entry, atMs), instance);

function foldOne(instance: Instance, entry: Entry, atMs: number): Instance {
  switch (entry.kind) {
    case "status":
      return withStatus(instance, entry.status, entry.reason);
    case "pause":
      return { ...instance, pausedAtMs: instance.pausedAtMs ?? atMs };
    case "resume":
      return resumed(instance, atMs);
    case "deadline":
      return { ...instance, deadlineAtMs: entry.atMs };
    case "migrate":
      return migrated(instance, compileSaga(entry.doc));
    case "event": {
      if (instance.inbox.has(entry.id)) return instance;
      const inbox = new Map(instance.inbox).set(entry.id, { event: entry.event, usedBy: null });
      return { ...instance, inbox };
    }
    case "request": {
      const { startOrder } = instance.steps[entry.step] ?? FRESH;
      const starts = instance.starts + (startOrder === null ? 1 : 0);
      return withStep({ ...instance, starts }, entry, atMs);
    }
    case "wait":
      return withStep({ ...instance, starts: instance.starts + 1 }, entry, atMs);
    case "end-wait": {
      const used = entry.event === null ? undefined : instance.inbox.get(entry.event);
      if (entry.event === null || used === undefined) return withStep(instance, entry, atMs);
      const inbox = new Map(instance.inbox).set(entry.event, { ...used, usedBy: entry.step });
      return withStep({ ...instance, inbox }, entry, atMs);
    }
    default:
      return withStep(instance, entry, atMs);
  }
}

/** Every step keeps what is known of it, by its name. */
function migrated(instance: Instance, saga: Saga): Instance {
  const numbers = new Map(saga.steps.map(({ name }, at) => [name, at]));
  const states = new Map(instance.saga.steps.map(({ name }, at) => [name, instance.steps[at]]));
  const inbox = new Map(
    [...instance.inbox].map(([id, { event, usedBy }]) => {
      const name = usedBy === null ? undefined : instance.saga.steps[usedBy]?.name;
      return [id, { event, usedBy: numbers.get(name ?? "") ?? usedBy }];
    }),
  );
  const steps = saga.steps.map(({ name }) => states.get(name) ?? FRESH);
  return { ...instance, saga, steps, inbox };
}

type StepEntry = Extract<Entry, { readonly step: number }>;

function withStep(instance: Instance, entry: StepEntry, atMs: number): Instance {
  const step = instance.steps[entry.step];
  if (step === undefined) return instance;
  const after = inPause(step, stepAfter(step, entry, instance.starts, atMs), instance, atMs);
  const changed = entry.kind === "held" ? after : letGo(after);
  return changed === step
    ? instance
    : { ...instance, steps: instance.steps.with(entry.step, changed) };
}

/** Time stands still in a pause: what is due counts from its beginning, and is moved as one at its end. */
function inPause(
  before: StepState,
  after: StepState,
  { pausedAtMs }: Instance,
  atMs: number,
): StepState {
  const { dueAtMs } = after;
  if (pausedAtMs === null || dueAtMs === null || dueAtMs === before.dueAtMs) return after;
  return { ...after, dueAtMs: dueAtMs - (atMs - pausedAtMs) };
}

const letGo = (step: StepState): StepState => (step.held === null ? step : { ...step, held: null });

function stepAfter(step: StepState, entry: StepEntry, starts: number, atMs: number): StepState {
  const fenced = { token: step.token + 1, dueAtMs: null };
  switch (entry.kind) {
    case "request": {
      const { direction, rendered } = entry;
      const requests =
        rendered === undefined ? step.requests : { ...step.requests, [direction]: rendered };
      return direction === "action"
        ? {
            ...{ ...step, ...fenced, requests, forward: "started", attempts: step.attempts + 1 },
            startOrder: step.startOrder ?? starts,
          }
        : { ...step, ...fenced, requests, undo: "started", undoAttempts: step.undoAttempts + 1 };
    }
    case "answer":
      return entry.token === step.token ? answered(step, entry) : step;
    case "accepted":
      return entry.token === step.token && isOpen(step, entry.direction)
        ? awaiting(step, entry)
        : step;
    case "due":
      return step.forward === "waiting" || step.undo === "waiting"
        ? { ...step, dueAtMs: null }
        : step;
    case "callback": {
      if (entry.token !== step.token || !isOpen(step, entry.direction)) return step;
      const calledBack = [...step.calledBack, entry.token];
      // Whatever its request is answered with now, or its copy says, comes too late.
      return answered({ ...step, token: step.token + 1, calledBack }, entry);
    }
    case "held": {
      const { untilMs: dueAtMs, reason } = entry;
      return { ...step, dueAtMs, held: { sinceMs: step.held?.sinceMs ?? atMs, reason } };
    }
    case "wait":
      return { ...step, ...fenced, forward: "waiting", startOrder: starts, dueAtMs: entry.untilMs };
    case "end-wait":
      return forwardAfter({ ...step, ...fenced }, entry.outcome);
    case "give-up":
      return entry.direction === "action"
        ? { ...step, ...fenced, forward: "given-up", error: entry.error }
        : { ...step, ...fenced, undo: "given-up", error: entry.error };
    case "skip":
      return entry.direction === "action"
        ? { ...step, ...fenced, forward: "skipped", output: entry.output }
        : { ...step, ...fenced, undo: "skipped" };
    case "override":
      return { ...step, ...fenced, forward: "succeeded", output: entry.output, error: null };
    case "no-undo":
      return { ...step, ...fenced, undo: "not-needed" };
    case "undone":
      return { ...step, ...fenced, undo: "done", error: null };
    case "retry":
      return retried({ ...step, ...fenced }, entry.isNewEffect);
  }
}

const awaiting = (
  step: StepState,
  { direction, untilMs, isHeard = false }: Extract<Entry, { kind: "accepted" }>,
): StepState => {
  const anew = isHeard ? { attempts: 0, undoAttempts: 0 } : {};
  const waiting = { dueAtMs: untilMs, error: null, ...anew };
  return direction === "action"
    ? { ...step, ...waiting, forward: "waiting" }
    : { ...step, ...waiting, undo: "waiting" };
};

function answered(
  step: StepState,
  entry: Extract<Entry, { kind: "answer" | "callback" }>,
): StepState {
  const { outcome, direction, retryAtMs } = entry;
  const isUnknown = outcome.kind === "unknown";
  const at = { ...step, dueAtMs: isUnknown ? retryAtMs : null };
  if (direction === "action") {
    const isLast = isUnknown && retryAtMs === null;
    return isLast
      ? { ...at, forward: "given-up", error: outcome.error }
      : forwardAfter(at, outcome);
  }
  if (outcome.kind === "succeeded") return { ...at, undo: "done", error: null };
  // A refused undo has done nothing either: it is tried again as long as there are attempts.
  return {
    ...at,
    dueAtMs: retryAtMs,
    undo: retryAtMs === null ? "given-up" : "unknown",
    error: outcome.error,
  };
}

function forwardAfter(step: StepState, outcome: Outcome): StepState {
  return outcome.kind === "succeeded"
    ? { ...step, forward: "succeeded", output: outcome.output, error: null }
    : { ...step, forward: outcome.kind, error: outcome.error };
}

/** Its attempts are counted anew; what it has done is not known any less. */
function retried(step: StepState, isNewEffect: boolean): StepState {
  const anew = { ...step, attempts: 0, undoAttempts: 0, dueAtMs: null };
  if (isNewEffect) {
    const requests = { ...step.requests, action: null };
    return { ...anew, requests, epoch: step.epoch + 1, forward: "pending", output: null };
  }
  const undo = step.undo === "given-up" ? ("unknown" as const) : step.undo;
  const forward =
    step.forward === "given-up" || step.forward === "rejected"
      ? ("unknown" as const)
      : step.forward;
  return { ...anew, undo, forward };
}

function withStatus(instance: Instance, status: SagaStatus, reason: string | null): Instance {
  const before = instance.status;
  const stuckIn =
    status !== "STUCK"
      ? null
      : before === "COMPENSATING"
        ? "COMPENSATING"
        : (instance.stuckIn ?? "RUNNING");
  const steps = (status === "COMPENSATING" ? inDoubtAnew(instance) : instance.steps).map(letGo);
  return { ...instance, status, stuckIn, reason, steps };
}

/** What is to be undone and in doubt is settled with as many attempts as an undo has. */
const inDoubtAnew = ({ saga, steps }: Instance): StepState[] =>
  steps.map((step, at) => {
    const { forward } = step;
    // Its callback is still heard, until the time that it has.
    if (forward === "waiting" && saga.steps[at]?.kind === "action") return { ...step, attempts: 0 };
    return forward === "started" || forward === "unknown" || forward === "given-up"
      ? { ...step, forward: "unknown", attempts: 0, dueAtMs: null }
      : step;
  });

/** All that waits does so for as much longer as the pause was. */
function resumed(instance: Instance, atMs: number): Instance {
  const { pausedAtMs, deadlineAtMs, steps } = instance;
  if (pausedAtMs === null) return instance;
  const later = (time: number | null): number | null =>
    time === null ? null : time + (atMs - pausedAtMs);
  return {
    ...instance,
    pausedAtMs: null,
    deadlineAtMs: later(deadlineAtMs),
    steps: steps.map((step) =>
      step.dueAtMs === null ? step : { ...step, dueAtMs: later(step.dueAtMs) },
    ),
  };
}
