/** Rules beside one event: those that match, then those that nearly did. */
import type { Json } from "../json.ts";
import { explainPattern, type LeafVerdict } from "./explain.ts";
import type { Pattern } from "./pattern.ts";

export interface ExplainedRule {
  readonly id: string;
  /** How many fields are at fault; none exactly when the rule matches. */
  readonly faults: number;
  readonly explanation: readonly LeafVerdict[];
}

export function explainRule(id: string, pattern: Pattern, event: Json): ExplainedRule {
  const explanation = explainPattern(pattern, event);
  return { id, faults: explanation.filter(({ ok }) => !ok).length, explanation };
}

/**
 * At most `count` of them: those that match in the order given, then those with the fewest fields at fault,
 * of several such the ones with most fields met. What is left out of a part would be left out of the whole.
 */
export const nearestFirst = <Rule extends ExplainedRule>(
  rules: readonly Rule[],
  count: number,
): Rule[] => rules.toSorted((a, b) => a.faults - b.faults || fieldsMet(a, b)).slice(0, count);

/** Of those that match none comes before another. */
const fieldsMet = (a: ExplainedRule, b: ExplainedRule): number =>
  a.faults === 0 ? 0 : b.explanation.length - a.explanation.length;
