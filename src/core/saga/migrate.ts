/**
 * Whether an instance may go on by another definition of its saga, and what is different there. What has been
 * reached stays as it is: what was asked of others was asked by it, and is undone by it.
 */
import { type Json, patchBetween } from "../json.ts";
import type { Fault } from "../problem.ts";
import { compileSaga, type SagaDoc, type Sequence, type StepDoc } from "./definition.ts";
import type { Instance, StepState } from "./instance.ts";

export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly { readonly step: string; readonly members: readonly string[] }[];
  /** The steps that both have stand in another order, or side by side otherwise. */
  readonly reordered: boolean;
  /** Members of the saga beside its steps. Key, correlation id and deadline of an instance stay. */
  readonly members: readonly string[];
}

export interface Migration {
  readonly difference: Difference;
  /** None: it may. Pointers are into the new definition; "" for a step that it does not have. */
  readonly faults: readonly Fault[];
}

/** `from` is what the instance runs by; `to` has been checked when it was saved. */
export function migration(instance: Instance, from: SagaDoc, to: SagaDoc): Migration {
  const before = placesOf(from);
  const after = placesOf(to);
  const isIn = (places: Places) => (name: string) => places.has(name);
  const changed = [...before].flatMap(([step, place]) => {
    const other = after.get(step);
    const members = other === undefined ? [] : differing(place.step, other.step);
    return members.length === 0 ? [] : [{ step, members }];
  });
  const difference: Difference = {
    added: [...after.keys()].filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed,
    reordered: shapeOf(from, isIn(after)) !== shapeOf(to, isIn(before)),
    members: differing({ ...from, steps: [] }, { ...to, steps: [] }),
  };
  return { difference, faults: faultsOf(instance, to, after, difference) };
}

function faultsOf(
  { saga, steps }: Instance,
  to: SagaDoc,
  after: Places,
  { changed }: Difference,
): Fault[] {
  const faults: Fault[] = [];
  const next = compileSaga(to);
  const numbers = new Map(next.steps.map(({ name }, at) => [name, at]));
  const stateOf = new Map(saga.steps.map(({ name }, at) => [name, steps[at]]));
  const preceding = { before: predecessors(saga.sequence), after: predecessors(next.sequence) };
  let last = { name: "", at: -1 };
  for (const [at, { name }] of saga.steps.entries()) {
    const state = steps[at];
    if (state === undefined || !isReached(state)) continue;
    const place = after.get(name);
    const number = numbers.get(name);
    const fail = (code: string, detail: string, pointer = place?.pointer ?? ""): void => {
      faults.push({ pointer, code, detail });
    };
    if (place === undefined || number === undefined) {
      fail("reached-removed", `"${name}" has been reached: it cannot be taken out.`);
      continue;
    }
    const members = changed.find(({ step }) => step === name)?.members ?? [];
    const fixed = members.filter((member) => member !== "compensate" || !isUndoOpen(state));
    if (fixed.length > 0) {
      fail("reached-changed", `"${name}" has been reached: its ${fixed.join(", ")} must stay.`);
    }
    if (number < last.at)
      fail("reached-moved", `"${name}" was reached after "${last.name}", and stands before it.`);
    else last = { name, at: number };
    const old = new Set(preceding.before.get(at)?.map((each) => saga.steps[each]?.name));
    for (const each of preceding.after.get(number) ?? []) {
      const step = next.steps[each];
      if (step === undefined || old.has(step.name)) continue;
      if (isFinished(stateOf.get(step.name), step.isOptional)) continue;
      const pointer = after.get(step.name)?.pointer;
      const detail = `"${step.name}" would run before "${name}", which has been reached.`;
      fail("before-reached", detail, pointer);
    }
  }
  return faults;
}

const isReached = ({ forward, startOrder }: StepState): boolean =>
  forward !== "pending" || startOrder !== null;

/** No undo has been asked for: another may still be. */
const isUndoOpen = ({ undo, requests }: StepState): boolean =>
  undo === "none" && requests.undo === null;

const isFinished = (state: StepState | undefined, isOptional: boolean): boolean =>
  state?.forward === "succeeded" ||
  state?.forward === "skipped" ||
  (isOptional && (state?.forward === "rejected" || state?.forward === "given-up"));

type Places = ReadonlyMap<string, { readonly step: StepDoc; readonly pointer: string }>;

const placesOf = ({ steps }: SagaDoc): Places =>
  new Map(
    steps.flatMap((node, at) =>
      "parallel" in node
        ? node.parallel.flatMap((branch, branchAt) =>
            branch.map((step, stepAt) => {
              const pointer = `/steps/${at}/parallel/${branchAt}/${stepAt}`;
              return [step.name, { step, pointer }] as const;
            }),
          )
        : [[node.name, { step: node, pointer: `/steps/${at}` }] as const],
    ),
  );

/** The names of members whose values differ; one that is left out is like one that is null. */
function differing(before: object, after: object): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const memberAt = (doc: object, name: string): Json =>
    (doc as Readonly<Record<string, Json | undefined>>)[name] ?? null;
  return [...names].filter(
    (name) => patchBetween(memberAt(before, name), memberAt(after, name)).length > 0,
  );
}

/** The names of the steps as they stand after and beside each other, of those that `isCommon`. */
const shapeOf = ({ steps }: SagaDoc, isCommon: (name: string) => boolean): string => {
  const names = (branch: readonly StepDoc[]) =>
    branch.map(({ name }) => name).filter((name) => isCommon(name));
  return JSON.stringify(
    steps.flatMap((node): readonly unknown[] => {
      if (!("parallel" in node)) return names([node]);
      const branches = node.parallel.map(names).filter(({ length }) => length > 0);
      return branches.length > 1 ? [branches] : branches.flat();
    }),
  );
};

/** For each step those that must have ended before it. */
function predecessors(sequence: Sequence): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, readonly number[]>();
  function walk(branch: Sequence, start: readonly number[]): readonly number[] {
    let before = start;
    for (const item of branch) {
      if (typeof item === "number") {
        found.set(item, before);
        before = [...before, item];
      } else {
        const ends = item.map((each) => walk(each, before));
        before = [...new Set([...before, ...ends.flat()])];
      }
    }
    return before;
  }
  walk(sequence, []);
  return found;
}
