/** All rules beside one event: those that match, then those that nearly did. */
import type { Json } from "../json.ts";
import { explainPattern, type LeafVerdict } from "./explain.ts";
import type { Pattern } from "./pattern.ts";

export interface ExplainedRule {
  readonly id: string;
  readonly matched: boolean;
  readonly explanation: readonly LeafVerdict[];
}

interface Ranked extends ExplainedRule {
  readonly faults: number;
}

/**
 * At most `count` rules: those that match in the order given, then those with the fewest fields at fault, of
 * several such the ones with most fields met.
 */
export function explainRules(
  rules: Iterable<{ readonly id: string; readonly pattern: Pattern }>,
  event: Json,
  count: number,
): readonly ExplainedRule[] {
  const ranked: Ranked[] = [];
  for (const { id, pattern } of rules) {
    const explanation = explainPattern(pattern, event);
    const faults = explanation.filter(({ ok }) => !ok).length;
    ranked.push({ id, matched: faults === 0, explanation, faults });
  }
  return ranked
    .sort((a, b) => a.faults - b.faults || fieldsMet(a, b))
    .slice(0, count)
    .map(({ faults, ...rule }) => rule);
}

/** Of those that match none comes before another. */
const fieldsMet = (a: Ranked, b: Ranked): number =>
  a.matched ? 0 : b.explanation.length - a.explanation.length;
