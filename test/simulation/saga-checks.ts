/** What must hold of a simulated saga when all is over. */
import { stringifyJson } from "../../src/core/json.ts";
import type { CommandKind } from "../../src/core/saga/commands.ts";
import {
  compileSaga,
  type NodeDoc,
  type SagaDoc,
  type StepDoc,
} from "../../src/core/saga/definition.ts";
import { fold } from "../../src/core/saga/fold.ts";
import { isEnded, startInstance } from "../../src/core/saga/instance.ts";
import type { JournalRow, SagaStart, SagaView, StepView } from "../../src/ports/saga.ts";

/** What a person decided of a step: it stands, whatever is heard of its requests afterwards. */
export interface Decision {
  readonly state?: StepView["state"] | undefined;
  readonly compensation?: StepView["compensation"] | undefined;
}

/** What is done once more is not decided any longer. */
export function decisionOf(kind: CommandKind): Decision {
  switch (kind) {
    case "override-step":
      return { state: "succeeded" };
    case "skip-step":
      return { state: "skipped" };
    case "mark-compensated":
      return { compensation: "done" };
    case "skip-compensation":
      return { compensation: "skipped" };
    case "retry-step":
    case "rerun-step":
      return { state: undefined, compensation: undefined };
    default:
      return {};
  }
}

export const stepsOf = (node: NodeDoc): readonly StepDoc[] =>
  "parallel" in node ? node.parallel.flat() : [node];

/** Each effect once; all that there are stand, or all that can be are undone. */
export function violationsOf(
  view: SagaView,
  doc: SagaDoc,
  effects: readonly string[],
  touched: ReadonlySet<string>,
  decided: ReadonlyMap<string, Decision>,
): string[] {
  const { status, id } = view;
  const seen = `${status}: ${effects.map((key) => key.slice(id.length + 5)).join(", ")}`;
  if (!isEnded(status)) return [`it ends ${status}, ${view.reason}`];
  if (new Set(effects).size < effects.length) return [`an effect came twice; ${seen}`];
  const found: string[] = [];
  for (const [name, { state, compensation }] of decided) {
    const step = view.steps.find((each) => each.name === name);
    const stands =
      step?.state === (state ?? step?.state) &&
      step?.compensation === (compensation ?? step?.compensation);
    if (!stands) found.push(`what a person decided of ${name} does not stand; ${seen}`);
  }
  if (status === "FAILED") return found;
  for (const step of doc.steps.flatMap(stepsOf)) {
    const state = view.steps.find(({ name }) => name === step.name);
    if (step.action === undefined || state === undefined || touched.has(step.name)) continue;
    const isDone = effects.includes(`sbx_${id}_${step.name}_a_0`);
    const isUndone = effects.includes(`sbx_${id}_${step.name}_c_0`);
    const mustBe = status === "COMPLETED" && state.state === "succeeded";
    if (mustBe && (!isDone || isUndone)) found.push(`${step.name} has no effect; ${seen}`);
    if (status === "COMPLETED" && isUndone) found.push(`${step.name} is undone; ${seen}`);
    const hasUndo = step.compensate !== undefined || step.action.saga !== undefined;
    if (status !== "COMPENSATED" || !hasUndo) continue;
    if (isDone !== isUndone) found.push(`${step.name} is out of balance; ${seen}`);
  }
  const undos = effects.filter((key) => key.includes("_c_"));
  const orders = undos.map((key) => view.steps.find(({ name }) => key.includes(`_${name}_`)));
  const isReversed = orders.every(
    (step, at) => at === 0 || (step?.startOrder ?? 0) < (orders[at - 1]?.startOrder ?? 0),
  );
  // A step that a person had done again was started when it was started first.
  if (!isReversed && touched.size === 0) found.push(`undone in another order; ${seen}`);
  return found;
}

/** What a new process makes of the journal is what the last one knew. */
export function journalViolations(
  start: SagaStart,
  rows: readonly JournalRow[],
  view: SagaView,
): string[] {
  const folded = rows.reduce(
    (instance, { entries, atMs }) => fold(instance, entries, atMs),
    startInstance(compileSaga(start.doc), start.input, start.startedAtMs),
  );
  const told = folded.steps.map(({ forward, undo, attempts }) => `${forward} ${undo} ${attempts}`);
  const known = view.steps.map(
    ({ state, compensation, attempts }) => `${state} ${compensation} ${attempts}`,
  );
  const isSame = stringifyJson(told) === stringifyJson(known) && folded.status === view.status;
  return isSame ? [] : ["its journal tells another story"];
}
