/** A child saga and its parent: what its end means to the step that started it, and what a wish to undo means to it. */
import type { Json } from "../json.ts";
import type { Entry, Instance, Outcome, SagaStatus } from "./instance.ts";
import { mayCompensate } from "./plan.ts";

export interface ChildState {
  readonly id: string;
  readonly saga: string;
  readonly status: SagaStatus;
  readonly reason: string | null;
  readonly steps: readonly { readonly name: string; readonly output: Json }[];
}

/** Of a child that has ended its step's outcome; one that is stuck, or undoes itself, is waited for. */
export function outcomeOfChild({
  id,
  saga,
  status,
  reason,
  steps,
}: ChildState): Outcome | "running" {
  switch (status) {
    case "COMPLETED": {
      const outputs = steps.map(({ name, output }) => [name, { output }] as const);
      return { kind: "succeeded", output: { instance: id, steps: Object.fromEntries(outputs) } };
    }
    case "COMPENSATED":
      return { kind: "rejected", error: `${saga} is compensated: ${reason}` };
    case "FAILED":
      return { kind: "rejected", error: `${saga} was abandoned: ${reason}` };
    default:
      return "running";
  }
}

export interface UndoWish {
  /** What is to be noted; null if nothing is. */
  readonly entry: Entry | null;
  readonly answer:
    | { readonly kind: "undoing" | "undone" }
    | { readonly kind: "refused"; readonly detail: string };
}

/** What it means to an instance, also to one that has completed, that its parent wants it undone. */
export function undoWished(instance: Instance | null, reason: string): UndoWish {
  const refused = (detail: string): UndoWish => ({
    entry: null,
    answer: { kind: "refused", detail },
  });
  if (instance === null) return refused("there is no such instance");
  const { status, stuckIn } = instance;
  if (status === "COMPENSATED") return { entry: null, answer: { kind: "undone" } };
  if (status === "FAILED") return refused("it was abandoned");
  if (status === "COMPENSATING" || stuckIn === "COMPENSATING") {
    return { entry: null, answer: { kind: "undoing" } };
  }
  if (!mayCompensate(instance)) return refused("its pivot has run, or may have");
  const entry: Entry = { kind: "status", status: "COMPENSATING", reason };
  return { entry, answer: { kind: "undoing" } };
}
