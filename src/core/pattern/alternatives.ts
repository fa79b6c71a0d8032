/** Spells out the choices of a pattern: each alternative is a list of fields that hold together. */
import type { EventValues, Occurrences } from "./path-tree.ts";
import type { AllOf, Field } from "./pattern.ts";
import { fits } from "./test-value.ts";

type Filter = (branch: AllOf) => boolean;

/** Only alternatives in which every field, looked at alone, can hold: most branches end there. */
export function* viableAlternatives(
  root: AllOf,
  values: EventValues,
): Generator<readonly Field[], void> {
  const known = new Map<Field, boolean>();
  const holdsAlone = (field: Field): boolean => {
    const viable = known.get(field) ?? isViable(field, values.get(field.path));
    known.set(field, viable);
    return viable;
  };
  const keep = ({ fields }: AllOf): boolean => fields.every(holdsAlone);
  if (keep(root)) yield* alternatives(root, keep);
}

/** At most PATTERN_ALTERNATIVES_MAX; a branch that the filter refuses is left out. */
export function* alternatives(all: AllOf, keep: Filter): Generator<readonly Field[], void> {
  yield* withChoices(all.fields, all.choices, keep);
}

function* withChoices(
  fields: readonly Field[],
  choices: AllOf["choices"],
  keep: Filter,
): Generator<readonly Field[], void> {
  const [choice, ...others] = choices;
  if (choice === undefined) {
    yield fields;
    return;
  }
  for (const branch of choice) {
    if (!keep(branch)) continue;
    for (const chosen of alternatives(branch, keep)) {
      yield* withChoices([...fields, ...chosen], others, keep);
    }
  }
}

function isViable(field: Field, found: Occurrences | undefined): boolean {
  if (found === undefined) return field.absence;
  return fitsAnywhere(field, found) || (field.absence && found.values.length === 0);
}

export function fitsAnywhere(field: Field, found: Occurrences): boolean {
  if (fits(field, found.values)) return true;
  for (const inner of found.elements.values()) {
    if (fitsAnywhere(field, inner)) return true;
  }
  return false;
}
