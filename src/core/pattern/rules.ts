/** Matches one event against all rules of a tenant, without trying those that cannot match. */
import { isJsonObject, type Json, type Names } from "../json.ts";
import type { Pattern } from "./pattern.ts";
import { RuleIndex } from "./rule-index/rule-index.ts";

export interface RuleSet {
  /** Where the rules look in events: one that `parseNamedJson` reads by them matches as if it were whole. */
  readonly names: Names;
  /** The ids of the rules that match, in the order in which the rules were given. */
  match(event: Json): readonly string[];
}

/** Changes as a Map does: a rule set again keeps its place, one set after a delete comes last. */
export interface ChangingRuleSet extends RuleSet {
  set(id: string, pattern: Pattern): void;
  /** Whether there was one. */
  delete(id: string): boolean;
}

/** The later of two rules with one id counts. An event that is no object matches no rule. */
export function compileRules(
  rules: Iterable<{ readonly id: string; readonly pattern: Pattern }>,
): ChangingRuleSet {
  const index = new RuleIndex();
  for (const { id, pattern } of rules) index.set(id, pattern);
  return {
    names: index.names,
    match: (event) => (isJsonObject(event) ? index.match(event) : []),
    set: (id, pattern) => index.set(id, pattern),
    delete: (id) => index.delete(id),
  };
}
