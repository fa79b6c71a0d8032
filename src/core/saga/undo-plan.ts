/** What an instance that is being undone does next. */
import type { ActionStep } from "./definition.ts";
import { type Instance, isOpen } from "./instance.ts";
import { awaited, decide, type Plan, request, sleep, toStatus } from "./step-plan.ts";

/** One at a time, in the reverse of the order in which they were started. */
export function planUndo(instance: Instance, nowMs: number, live: ReadonlySet<number>): Plan {
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
