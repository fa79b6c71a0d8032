/** What a person may ask of an instance: which entries that means, or why it cannot be done now. */
import type { Json } from "../json.ts";
import type { Fault } from "../problem.ts";
import { type Direction, type Entry, type Instance, isEnded, type StepState } from "./instance.ts";
import { failedStep, mayCompensate } from "./plan.ts";

export const COMMANDS = [
  "pause",
  "resume",
  "retry-step",
  "rerun-step",
  "skip-step",
  "override-step",
  "compensate",
  "skip-compensation",
  "mark-compensated",
  "abandon",
  "signal",
  "extend-deadline",
] as const;
export type CommandKind = (typeof COMMANDS)[number];

const OF_THE_WHOLE = new Set<CommandKind>([
  ...(["pause", "resume", "compensate", "abandon", "extend-deadline"] as const),
]);
export const isOfStep = (kind: CommandKind): boolean => !OF_THE_WHOLE.has(kind);

export interface Command {
  readonly kind: CommandKind;
  readonly reason: string;
  /** The client's name for it: under the same one nothing happens a second time. */
  readonly id?: string | undefined;
  /** Who decided it, as far as the client says. */
  readonly actor?: string | undefined;
  /** The step's name, where the command is about one. */
  readonly step?: string | undefined;
  /** Of override-step, skip-step and signal. */
  readonly output?: Json | undefined;
  /** Of signal: whether an approval is given. */
  readonly approved?: boolean | undefined;
  /** Of extend-deadline. */
  readonly seconds?: number | undefined;
}

export type Commanded =
  | { readonly ok: true; readonly entries: readonly Entry[] }
  /** `isState` tells a state that may change from a request that can never be right. */
  | {
      readonly ok: false;
      readonly isState: boolean;
      readonly detail: string;
      readonly faults?: readonly Fault[];
    };

const refuse = (detail: string): Commanded => ({ ok: false, isState: true, detail });
const malformed = (detail: string): Commanded => ({ ok: false, isState: false, detail });
const entries = (...all: Entry[]): Commanded => ({ ok: true, entries: all });

/** Pure: what `command` means for the instance at `nowMs`. */
export function commanded(instance: Instance, command: Command, nowMs: number): Commanded {
  const { status, stuckIn, pausedAtMs, deadlineAtMs } = instance;
  if (isEnded(status)) return refuse(`It is ${status}: nothing more can be done with it.`);
  switch (command.kind) {
    case "pause":
      return pausedAtMs === null ? entries({ kind: "pause" }) : refuse("It is paused already.");
    case "resume":
      return pausedAtMs === null ? refuse("It is not paused.") : entries({ kind: "resume" });
    case "compensate":
      return compensate(instance, command.reason);
    case "abandon":
      return entries({ kind: "status", status: "FAILED", reason: command.reason });
    case "extend-deadline": {
      const { seconds } = command;
      if (seconds === undefined) return malformed("`seconds` says by how much.");
      if (deadlineAtMs === null) return refuse("It has no deadline.");
      // In a pause no deadline passes, and its end moves this one as well.
      const atMs = Math.max(deadlineAtMs, pausedAtMs ?? nowMs) + seconds * 1_000;
      // What is stuck by a failure is so at any time.
      const isByDeadline = stuckIn === "RUNNING" && failedStep(instance) < 0;
      return entries({ kind: "deadline", atMs }, ...(isByDeadline ? going(instance) : []));
    }
    default:
      return ofStep(instance, command);
  }
}

function compensate(instance: Instance, reason: string): Commanded {
  const { status, stuckIn } = instance;
  if (status === "COMPENSATING" || stuckIn === "COMPENSATING") {
    return refuse("It is being compensated already.");
  }
  if (!mayCompensate(instance)) {
    return refuse("Its pivot has run, or may have: from there on nothing is undone.");
  }
  return entries({ kind: "status", status: "COMPENSATING", reason });
}

function ofStep(instance: Instance, command: Command): Commanded {
  const at = instance.saga.steps.findIndex(({ name }) => name === command.step);
  const step = instance.saga.steps[at];
  const state = instance.steps[at];
  if (step === undefined || state === undefined) {
    const names = instance.saga.steps.map(({ name }) => `"${name}"`).join(", ");
    const detail =
      command.step === undefined
        ? "`step` says which step."
        : `There is no step "${command.step}".`;
    return malformed(`${detail} The steps are ${names}.`);
  }
  const isUndoing = instance.status === "COMPENSATING" || instance.stuckIn === "COMPENSATING";
  const direction: Direction = isUndoing ? "undo" : "action";
  const goOn = going(instance);
  switch (command.kind) {
    case "retry-step":
    case "rerun-step": {
      const isNewEffect = command.kind === "rerun-step";
      if (isNewEffect && isUndoing)
        return refuse("It is being compensated: no step has a new effect.");
      const isTriable = isFailed(state) || state.forward === "unknown" || state.undo === "unknown";
      const isHeld = state.held !== null && !isNewEffect;
      if (!isTriable && !isHeld) {
        return refuse(
          `"${step.name}" has not failed: its action is ${state.forward}, its undo ${state.undo}.`,
        );
      }
      return entries({ kind: "retry", step: at, isNewEffect }, ...goOn);
    }
    case "skip-step":
      if (isUndoing)
        return refuse("It is being compensated; skip-compensation leaves a step as it is.");
      if (isDone(state)) return refuse(`"${step.name}" is ${state.forward} already.`);
      return entries(
        { kind: "skip", step: at, direction, output: command.output ?? null },
        ...goOn,
      );
    case "override-step":
      if (command.output === undefined)
        return malformed("`output` says what the step is to have answered.");
      if (state.forward === "skipped") return refuse(`"${step.name}" is skipped.`);
      if (isUndoing && state.startOrder === null)
        return refuse(`"${step.name}" was never started.`);
      return entries({ kind: "override", step: at, output: command.output }, ...goOn);
    case "skip-compensation":
    case "mark-compensated":
      if (!isUndoing) return refuse("It is not being compensated.");
      if (state.startOrder === null)
        return refuse(`"${step.name}" was never started: there is nothing to undo.`);
      if (["done", "not-needed", "skipped"].includes(state.undo)) {
        return refuse(`The undo of "${step.name}" is ${state.undo} already.`);
      }
      return entries(
        command.kind === "mark-compensated"
          ? { kind: "undone", step: at }
          : { kind: "skip", step: at, direction: "undo", output: null },
        ...goOn,
      );
    default:
      return signal(instance, command, at);
  }
}

/** The decision of a person that a step waits for. */
function signal(
  { saga, steps }: Instance,
  { approved, output, reason }: Command,
  at: number,
): Commanded {
  const step = saga.steps[at];
  if (step?.kind !== "approve" && step?.kind !== "wait") {
    return refuse(`"${step?.name}" waits for no signal.`);
  }
  if (steps[at]?.forward !== "waiting") {
    return refuse(`"${step.name}" is not waiting now: it is ${steps[at]?.forward}.`);
  }
  if (step.kind === "approve" && approved === undefined) {
    return malformed("`approved` says whether it is approved.");
  }
  const outcome =
    approved === false
      ? ({ kind: "rejected", error: `not approved: ${reason}` } as const)
      : ({ kind: "succeeded", output: output ?? null } as const);
  return entries({ kind: "end-wait", step: at, outcome, event: null });
}

const isFailed = ({ forward, undo }: StepState): boolean =>
  forward === "rejected" || forward === "given-up" || undo === "given-up";

const isDone = ({ forward }: StepState): boolean =>
  forward === "succeeded" || forward === "skipped";

/** What a person has mended goes on where it was stuck. */
const going = ({ status, stuckIn }: Instance): Entry[] =>
  status === "STUCK" && stuckIn !== null ? [{ kind: "status", status: stuckIn, reason: null }] : [];
