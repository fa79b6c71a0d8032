/** Chooses what a rule waits for: few values of which every event that matches it must have one. */
import type { AllOf, Candidate, Field } from "../pattern.ts";

/** A field whose value is awaited, and the branches that such an event then has to satisfy. */
export interface Wait {
  readonly field: Field;
  readonly fields: readonly Field[];
  /** Of those branches, the choices that are open still. */
  readonly choices: AllOf["choices"];
}

export interface Access {
  /** One is enough. */
  readonly waits: readonly Wait[];
  /** About the share of all events that have such a value. */
  readonly share: number;
}

type ShareOf = (field: Field) => number | undefined;

/**
 * Of fields that hold together the cheapest is enough; of a choice, each branch needs its own.
 * Undefined when the pattern can hold without any value.
 */
export function cheapestAccess(all: AllOf, shareOf: ShareOf): Access | undefined {
  const { fields, choices } = all;
  const cheapest = cheapestOf(fields, shareOf);
  let best: Access | undefined = cheapest && {
    waits: [{ field: cheapest.field, fields, choices }],
    share: cheapest.share,
  };
  for (const choice of choices) {
    const branches = choice.map((branch) => cheapestAccess(branch, shareOf));
    if (!branches.every((branch) => branch !== undefined)) continue;
    const none = branches.reduce((left, branch) => left * (1 - Math.min(1, branch.share)), 1);
    const share = 1 - none;
    if (best !== undefined && share >= best.share) continue;
    const others = choices.filter((other) => other !== choice);
    const waits = branches.flatMap((branch) =>
      branch.waits.map((wait) => ({
        field: wait.field,
        fields: [...fields, ...wait.fields],
        choices: [...others, ...wait.choices],
      })),
    );
    best = { waits, share };
  }
  return best;
}

/** Of fields that hold together the one whose values the fewest events have. */
export function cheapestOf(
  fields: readonly Field[],
  shareOf: ShareOf,
): { readonly field: Field; readonly share: number } | undefined {
  let cheapest: Field | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (const field of fields) {
    const share = field.absence ? undefined : shareOf(field);
    if (share === undefined || share >= lowest) continue;
    cheapest = field;
    lowest = share;
  }
  return cheapest && { field: cheapest, share: lowest };
}

/** What most values pass tells rules apart no better than trying them. */
export function isLoose({ test }: Candidate): boolean {
  return test.kind === "any" || test.kind === "none-of";
}
