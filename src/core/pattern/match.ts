/** Decides whether a pattern matches an event, array-consistent, never combining sibling arrays. */
import { isJsonObject, type Json } from "../json.ts";
import { viableAlternatives } from "./alternatives.ts";
import {
  type Claim,
  claimsInElement,
  claimsOf,
  elementsWorthTrying,
  groupBySharedArrays,
  needFurtherIn,
} from "./claims.ts";
import { type EventValues, growPathTree, type PathTree, readEventValues } from "./path-tree.ts";
import { type Field, fieldsOf, type Pattern } from "./pattern.ts";
import { fits } from "./test-value.ts";

/**
 * "absent": no value was used, so no element is selected, and fields that must not exist have to
 * be missing everywhere. "chosen": at least one value was used.
 */
type Verdict = "fails" | "absent" | "chosen";

/** False for an event that is no object. Cost: the named part of the event times its nesting. */
export function matchesPattern(pattern: Pattern, event: Json): boolean {
  return isJsonObject(event) && matchesValues(pattern, readEventValues(pathsOf(pattern), event));
}

const trees = new WeakMap<Pattern, PathTree>();

/** Every path that some field names: made when a pattern is tried alone, for a rule set has its own. */
export function pathsOf(pattern: Pattern): PathTree {
  const known = trees.get(pattern);
  if (known !== undefined) return known;
  const grown = growPathTree(fieldsOf(pattern.root).map(({ path }) => path));
  trees.set(pattern, grown);
  return grown;
}

function matchesValues(pattern: Pattern, values: EventValues): boolean {
  for (const fields of viableAlternatives(pattern.root, values)) {
    if (fieldsHold(fields, values)) return true;
  }
  return false;
}

/** Whether the fields of one alternative hold together. */
export function fieldsHold(fields: readonly Field[], values: EventValues): boolean {
  return settle(claimsOf(fields, values)) !== "fails";
}

/** Whether all claims hold together in one scope: the event, or one element of an array. */
function settle(claims: readonly Claim[]): Verdict {
  let verdict: Verdict = "absent";
  const open: Claim[] = [];
  for (const claim of claims) {
    const fitsHere = fits(claim.field, claim.found.values);
    if (fitsHere) verdict = "chosen";
    const need = needFurtherIn(claim, fitsHere);
    if (claim.found.elements.size > 0) open.push({ ...claim, need });
    else if (need === "value") return "fails";
  }
  for (const group of groupBySharedArrays(open)) {
    const inGroup = settleInElement(group);
    if (inGroup === "fails") return "fails";
    if (inGroup === "chosen") verdict = "chosen";
  }
  return verdict;
}

/** One element must satisfy all claims of a group; elements of one array never add up. */
function settleInElement(group: readonly Claim[]): Verdict {
  for (const element of elementsWorthTrying(group)) {
    if (settle(claimsInElement(group, element)) === "chosen") return "chosen";
  }
  // No element is selected, so whatever stands in any of them counts as present.
  return group.every((claim) => claim.need === "nothing") ? "absent" : "fails";
}
