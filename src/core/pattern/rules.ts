/** Matches one event against all rules of a tenant. */
import { isJsonObject, type Json } from "../json.ts";
import { matchesValues } from "./match.ts";
import { growPathTree, pathsIn, readEventValues } from "./path-tree.ts";
import type { Pattern } from "./pattern.ts";

export interface RuleSet {
  /** The ids of the rules that match, in the order in which the rules were given. */
  match(event: Json): readonly string[];
}

/** The event is read once for all rules, then each is tried. What is no object matches none. */
export function compileRules(
  rules: readonly { readonly id: string; readonly pattern: Pattern }[],
): RuleSet {
  const paths = growPathTree(rules.flatMap(({ pattern }) => pathsIn(pattern.paths)));
  return {
    match(event) {
      if (!isJsonObject(event)) return [];
      const values = readEventValues(paths, event);
      return rules.filter(({ pattern }) => matchesValues(pattern, values)).map(({ id }) => id);
    },
  };
}
