/** The branches of a rule's choices, each of which is looked at once for an event. */
import type { AllOf, Field } from "../pattern.ts";
import type { EventNode } from "./event-node.ts";
import type { EventTree } from "./event-tree.ts";

/** A branch as far as it is fields that want a value: an event without these satisfies it in no way. */
export interface Part {
  readonly fields: readonly Field[];
  readonly nodes: readonly EventNode[];
  /** The last event that was looked at, and whether it may satisfy the branch. */
  turn: number;
  holds: boolean;
}

export type Parts = ReadonlyMap<AllOf, Part>;

export function partsOf(root: AllOf, tree: EventTree): Parts {
  const parts = new Map<AllOf, Part>();
  const collect = ({ choices }: AllOf): void => {
    for (const branch of choices.flat()) {
      const fields = branch.fields.filter((field) => !field.absence);
      parts.set(branch, { fields, nodes: tree.nodesOf(fields), turn: 0, holds: false });
      collect(branch);
    }
  };
  collect(root);
  return parts;
}

/** Whether each choice has a branch, and each of that branch's, that the test lets pass. */
export function everyChoiceHas(
  choices: AllOf["choices"],
  test: (branch: AllOf) => boolean,
): boolean {
  return choices.every((choice) =>
    choice.some((branch) => test(branch) && everyChoiceHas(branch.choices, test)),
  );
}
