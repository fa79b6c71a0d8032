/** An instance as people see it, and as the index has it. */
import { type Instance, isEnded } from "../core/saga/instance.ts";
import type { JournalRow, SagaStart, SagaView, StepView } from "../ports/saga.ts";
import type { SagaSummary } from "../ports/saga-index.ts";

export function viewOf(
  start: SagaStart,
  instance: Instance,
  rows: readonly JournalRow[],
  inFlight: number,
): SagaView {
  const { id, tenant, saga, version, key, correlationId, startedAtMs, input } = start;
  const { status, reason, deadlineAtMs, pausedAtMs } = instance;
  return {
    ...{ id, tenant, saga, version, key, correlationId, status, inFlight, reason, input },
    ...{ paused: pausedAtMs !== null, rev: rows.length, startedAtMs, deadlineAtMs },
    updatedAtMs: rows.at(-1)?.atMs ?? startedAtMs,
    ...(start.parent === undefined ? {} : { parent: start.parent }),
    steps: instance.saga.steps.map(({ name, kind }, at) => stepView(name, kind, instance, at)),
    journal: rows,
  };
}

function stepView(name: string, kind: string, { steps }: Instance, at: number): StepView {
  const state = steps[at];
  if (state === undefined) throw new Error("a step without a state");
  const { forward, undo, attempts, undoAttempts, startOrder, dueAtMs, held, output, error } = state;
  return {
    ...{
      name,
      kind,
      state: forward,
      compensation: undo,
      attempts,
      startOrder,
      dueAtMs,
      held: held?.reason ?? null,
      output,
      error,
    },
    compensationAttempts: undoAttempts,
  };
}

const UNDER_WAY = new Set(["started", "unknown", "waiting", "rejected", "given-up"]);

export function summaryOf(
  start: SagaStart,
  instance: Instance,
  rows: readonly JournalRow[],
  untilMs: number | null,
): SagaSummary {
  const { id, tenant, saga, version, key, correlationId, startedAtMs } = start;
  const { status, pausedAtMs, reason, steps } = instance;
  const at = steps.findIndex(({ forward, held }) => held !== null || UNDER_WAY.has(forward));
  return {
    ...{ id, tenant, saga, version, key, correlationId, status, startedAtMs },
    reason: reason ?? steps[at]?.held?.reason ?? null,
    paused: pausedAtMs !== null,
    step: isEnded(status) ? null : (instance.saga.steps[at]?.name ?? null),
    rev: rows.length,
    dueAtMs: untilMs,
    updatedAtMs: rows.at(-1)?.atMs ?? startedAtMs,
  };
}
