/** The index beside the plain reference: both say which rules of a set match an event. */
import fc from "fast-check";
import { type Json, parseNamedJson, stringifyJson } from "../../../../src/core/json.ts";
import { compileRules, type RuleSet } from "../../../../src/core/pattern/index.ts";
import { referenceMatches } from "../reference.ts";
import {
  crowd,
  deepCrowd,
  fullChoices,
  type LegalRule,
  legal,
  type RuleSets,
  ruleSets,
  twoSpellings,
} from "../rule-sets.ts";

/** Rule sets of one seed; each is tried on two to seven events. */
export const SETS_PER_SEED = 100;
/** Of the events that the generators make; more than any has. */
const DEPTH_MAX = 1_000;

const sets: fc.Arbitrary<RuleSets> = fc.oneof(
  { weight: 90, arbitrary: ruleSets(8, 30) },
  { weight: 2, arbitrary: crowd },
  { weight: 2, arbitrary: deepCrowd },
  { weight: 1, arbitrary: fullChoices },
  { weight: 2, arbitrary: twoSpellings },
);

export interface Difference {
  readonly seed: number;
  /** As few rules as show it still. */
  readonly rules: readonly string[];
  readonly event: string;
  readonly index: readonly string[];
  readonly reference: readonly string[];
}

export interface Compared {
  /** Rule sets with an event each. */
  readonly cases: number;
  readonly rules: number;
  readonly matches: number;
  readonly differences: readonly Difference[];
}

/** The same seed gives the same sets and events, on every machine. */
export function compareSeed(seed: number): Compared {
  const total = { cases: 0, rules: 0, matches: 0, differences: [] as Difference[] };
  const sampled = fc.sample(sets, { seed, numRuns: SETS_PER_SEED });
  for (const [at, { patterns, events }] of sampled.entries()) {
    const rules = legal(patterns);
    const make = at % 2 === 0 ? compileRules : stirred;
    const ruleSet = make(rules);
    for (const event of events) {
      const expected = byReference(rules, event);
      total.cases += 1;
      total.rules += rules.length;
      total.matches += expected.length;
      if (
        isSame(ruleSet.match(event), expected) &&
        isSame(ruleSet.match(named(event, ruleSet)), expected)
      )
        continue;
      total.differences.push(differenceOf(seed, make, fewest(make, rules, event), event));
    }
  }
  return total;
}

type Make = (rules: readonly LegalRule[]) => RuleSet;

/** The same rules in the same order, after each has come and gone. */
function stirred(rules: readonly LegalRule[]): RuleSet {
  const ruleSet = compileRules(rules);
  for (const { id } of rules.slice(Math.floor(rules.length / 2))) ruleSet.delete(id);
  for (const { id, pattern } of rules) {
    ruleSet.delete(id);
    ruleSet.set(id, pattern);
  }
  return ruleSet;
}

/** Of the event's text what the rules look at, as webhooks are read. */
function named(event: Json, { names }: RuleSet): Json {
  const parsed = parseNamedJson(stringifyJson(event), names, { depthMax: DEPTH_MAX });
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

const byReference = (rules: readonly LegalRule[], event: Json): string[] =>
  rules.filter(({ written }) => referenceMatches(written, event)).map(({ id }) => id);

/** Of the whole event; where that is right, of what is named. */
function byIndex(make: Make, rules: readonly LegalRule[], event: Json): readonly string[] {
  const ruleSet = make(rules);
  const found = ruleSet.match(event);
  return isSame(found, byReference(rules, event)) ? ruleSet.match(named(event, ruleSet)) : found;
}

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((id, at) => id === other[at]);

/** Leaves out every rule without which they still differ. */
function fewest(make: Make, rules: readonly LegalRule[], event: Json): readonly LegalRule[] {
  const differs = (some: readonly LegalRule[]): boolean =>
    !isSame(byIndex(make, some, event), byReference(some, event));
  let left = rules;
  for (const rule of rules) {
    const without = left.filter((each) => each !== rule);
    if (differs(without)) left = without;
  }
  return left;
}

const differenceOf = (
  seed: number,
  make: Make,
  rules: readonly LegalRule[],
  event: Json,
): Difference => ({
  seed,
  rules: rules.map(({ id, written }) => `${id} ${stringifyJson(written)}`),
  event: stringifyJson(event),
  index: byIndex(make, rules, event),
  reference: byReference(rules, event),
});
