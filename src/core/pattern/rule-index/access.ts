/** Chooses what a rule waits for: few values that every event which matches it must have. */
import type { AllOf, Candidate, Field } from "../pattern.ts";

/** An event that matches has, for one of the fields, a value that passes one of its candidates. */
export interface Access {
  readonly fields: readonly Field[];
  /** About the share of all events that have such a value. */
  readonly share: number;
}

/**
 * Of fields that hold together the cheapest is enough; of a choice, each branch needs its own.
 * Undefined when the pattern can hold without any value.
 */
export function cheapestAccess(
  all: AllOf,
  shareOf: (field: Field) => number | undefined,
): Access | undefined {
  let best: Access | undefined;
  for (const field of all.fields) {
    const share = field.absence ? undefined : shareOf(field);
    if (share !== undefined && (best === undefined || share < best.share)) {
      best = { fields: [field], share };
    }
  }
  for (const choice of all.choices) {
    const branches = choice.map((branch) => cheapestAccess(branch, shareOf));
    if (!branches.every((branch) => branch !== undefined)) continue;
    const share = branches.reduce((sum, branch) => sum + branch.share, 0);
    if (best === undefined || share < best.share) {
      best = { fields: branches.flatMap(({ fields }) => fields), share };
    }
  }
  return best;
}

/**
 * An alternative that takes no value at all needs its absences everywhere in the event; one of
 * them is enough to wait for. Empty when every alternative has a field that needs a value.
 */
export function absencesToAwait(all: AllOf): readonly Field[] {
  const [first] = all.fields;
  if (!all.fields.every(({ absence }) => absence)) return [];
  return first ? [first] : (all.choices[0] ?? []).flatMap(absencesToAwait);
}

/** What most values pass tells rules apart no better than trying them. */
export function isLoose({ test }: Candidate): boolean {
  return test.kind === "any" || test.kind === "none-of";
}
