/**
 * One run of a saga: what is known of it is the fold of its journal. Entries are facts; what follows from
 * them is decided by `plan`, and nothing here decides.
 */
import type { Json } from "../json.ts";
import type { Saga } from "./definition.ts";

export const SAGA_STATUSES = [
  "PENDING",
  "RUNNING",
  "COMPLETED",
  "COMPENSATING",
  "COMPENSATED",
  "STUCK",
  "FAILED",
] as const;
export type SagaStatus = (typeof SAGA_STATUSES)[number];

/** Nothing more happens to an instance in such a status. */
export const isEnded = (status: SagaStatus): boolean =>
  status === "COMPLETED" || status === "COMPENSATED" || status === "FAILED";

export type Direction = "action" | "undo";

/** What the answer to a request of a step means. */
export type Outcome =
  | { readonly kind: "succeeded"; readonly output: Json }
  /** Definitely without effect. */
  | { readonly kind: "rejected"; readonly error: string }
  /** Perhaps with an effect: it is asked again, after a pause. */
  | { readonly kind: "unknown"; readonly error: string };

export interface RenderedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; null sends none. */
  readonly body: string | null;
}

export interface StepState {
  readonly forward:
    | "pending"
    /** A request is under way, or the process that made it has died. */
    | "started"
    | "unknown"
    /** For a time, an event or a person. */
    | "waiting"
    | "succeeded"
    | "rejected"
    /** Its outcome is unknown, and no attempt is left. */
    | "given-up"
    | "skipped";
  readonly undo: "none" | "started" | "unknown" | "done" | "not-needed" | "skipped" | "given-up";
  /** Its place in the order in which steps were started; undone in reverse. */
  readonly startOrder: number | null;
  /** A person's "once more, as a new effect" raises it; part of the idempotency key. */
  readonly epoch: number;
  /** Fences answers: only one to the latest request counts. */
  readonly token: number;
  readonly attempts: number;
  readonly undoAttempts: number;
  /** Rendered once: a key's second request has the bytes of its first. */
  readonly requests: Readonly<Record<Direction, RenderedRequest | null>>;
  /** When it is tried again, or stops waiting. */
  readonly dueAtMs: number | null;
  readonly output: Json;
  readonly error: string | null;
}

export interface Instance {
  readonly saga: Saga;
  readonly input: Json;
  readonly status: SagaStatus;
  /** Whence it came to be STUCK: where it goes on. */
  readonly stuckIn: "RUNNING" | "COMPENSATING" | null;
  readonly reason: string | null;
  readonly pausedAtMs: number | null;
  readonly deadlineAtMs: number | null;
  readonly steps: readonly StepState[];
  /** Events that came, by id; also those that no step has waited for yet. */
  readonly inbox: ReadonlyMap<string, InboxEvent>;
  readonly starts: number;
}

export interface InboxEvent {
  readonly event: Json;
  /** The step that it ended the wait of. */
  readonly usedBy: number | null;
}

/** One fact. A transaction appends several at once, with one time. */
export type Entry =
  | {
      readonly kind: "request";
      readonly step: number;
      readonly direction: Direction;
      /** Left out when it was rendered before. */
      readonly rendered?: RenderedRequest;
    }
  | {
      readonly kind: "answer";
      readonly step: number;
      readonly direction: Direction;
      readonly token: number;
      readonly outcome: Outcome;
      /** When an unknown outcome is asked for again; null when no attempt is left. */
      readonly retryAtMs: number | null;
    }
  | { readonly kind: "wait"; readonly step: number; readonly untilMs: number }
  | {
      readonly kind: "end-wait";
      readonly step: number;
      readonly outcome: Outcome;
      readonly event: string | null;
    }
  | {
      readonly kind: "give-up";
      readonly step: number;
      readonly direction: Direction;
      readonly error: string;
    }
  | {
      readonly kind: "skip";
      readonly step: number;
      readonly direction: Direction;
      readonly output: Json;
    }
  | { readonly kind: "override"; readonly step: number; readonly output: Json }
  | { readonly kind: "no-undo"; readonly step: number }
  | { readonly kind: "undone"; readonly step: number }
  /** A person asks for it again: with the same key, or as a new effect. */
  | { readonly kind: "retry"; readonly step: number; readonly isNewEffect: boolean }
  | { readonly kind: "status"; readonly status: SagaStatus; readonly reason: string | null }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "deadline"; readonly atMs: number | null }
  | { readonly kind: "event"; readonly id: string; readonly event: Json };

const FRESH: StepState = {
  ...{ forward: "pending", undo: "none", startOrder: null, epoch: 0, token: 0 },
  ...{ attempts: 0, undoAttempts: 0, dueAtMs: null, output: null, error: null },
  requests: { action: null, undo: null },
};

/** An instance as it starts. */
export function startInstance(saga: Saga, input: Json, nowMs: number): Instance {
  return {
    ...{ saga, input, status: "RUNNING", stuckIn: null, reason: null, pausedAtMs: null },
    deadlineAtMs: saga.deadlineMs === null ? null : nowMs + saga.deadlineMs,
    steps: saga.steps.map(() => FRESH),
    ...{ inbox: new Map(), starts: 0 },
  };
}

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

type StepEntry = Extract<Entry, { readonly step: number }>;

function withStep(instance: Instance, entry: StepEntry, atMs: number): Instance {
  const step = instance.steps[entry.step];
  if (step === undefined) return instance;
  const changed = stepAfter(step, entry, instance.starts, atMs);
  return changed === step
    ? instance
    : { ...instance, steps: instance.steps.with(entry.step, changed) };
}

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
      return retried({ ...step, ...fenced }, entry.isNewEffect, atMs);
  }
}

function answered(step: StepState, entry: Extract<Entry, { kind: "answer" }>): StepState {
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
function retried(step: StepState, isNewEffect: boolean, atMs: number): StepState {
  const anew = { ...step, attempts: 0, undoAttempts: 0, dueAtMs: atMs };
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
  const steps = status === "COMPENSATING" ? instance.steps.map(inDoubtAnew) : instance.steps;
  return { ...instance, status, stuckIn, reason, steps };
}

/** What is to be undone and in doubt is settled with as many attempts as an undo has. */
const inDoubtAnew = (step: StepState): StepState =>
  step.forward === "started" || step.forward === "unknown" || step.forward === "given-up"
    ? { ...step, forward: "unknown", attempts: 0, dueAtMs: null }
    : step;

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
