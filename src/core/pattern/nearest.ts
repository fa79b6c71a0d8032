/** Finds how close an event comes to one alternative of a pattern: per field the value that counts. */
import type { JsonScalar } from "../json.ts";
import {
  type Claim,
  claimsInElement,
  elementsOf,
  groupBySharedArrays,
  needFurtherIn,
} from "./claims.ts";
import type { ElementInEvent, Occurrences } from "./path-tree.ts";
import type { Field } from "./pattern.ts";
import { fits } from "./test-value.ts";

export interface Finding {
  readonly field: Field;
  readonly ok: boolean;
  /** The value that fits; else those that do not, where the field was looked for. */
  readonly values: Iterable<JsonScalar>;
  /** The innermost element that was chosen. */
  readonly element: ElementInEvent | undefined;
}

interface Look {
  readonly findings: readonly Finding[];
  /** Whether some value was used, which is what selects an element. */
  readonly chosen: boolean;
}

/** The same decisions as `matchesPattern`: all findings are ok exactly when the alternative matches. */
export function nearestFindings(claims: readonly Claim[]): readonly Finding[] {
  return look(claims, undefined).findings;
}

function look(claims: readonly Claim[], element: ElementInEvent | undefined): Look {
  const findings: Finding[] = [];
  const open: Claim[] = [];
  let chosen = false;
  for (const claim of claims) {
    const { field, found } = claim;
    const fitting = found.values.filter((value) => fits(field, [value])).slice(0, 1);
    const need = needFurtherIn(claim, fitting.length > 0);
    if (fitting.length > 0) chosen = true;
    if (fitting.length > 0 && claim.need !== "nothing") {
      findings.push({ field, ok: true, values: fitting, element });
    }
    if (found.elements.size > 0) open.push({ ...claim, need });
    else if (need !== "nothing") {
      findings.push({ field, ok: need === "value-or-absence", values: found.values, element });
    }
  }
  for (const group of groupBySharedArrays(open)) {
    const inGroup = lookIntoElements(group, element);
    findings.push(...inGroup.findings);
    chosen ||= inGroup.chosen;
  }
  return { findings, chosen };
}

/** The element in which most fields hold; without any, what stands in all of them. */
function lookIntoElements(group: readonly Claim[], outer: ElementInEvent | undefined): Look {
  let nearest: Look | undefined;
  for (const element of elementsOf(group)) {
    const inElement = look(claimsInElement(group, element), element);
    const isNearer = inElement.chosen && countOk(inElement) > (nearest ? countOk(nearest) : -1);
    if (isNearer) nearest = inElement;
  }
  if (nearest) return nearest;
  const findings = group
    .filter((claim) => claim.need !== "nothing")
    .map(({ field, found }) => ({ field, ok: false, values: valuesIn(found), element: outer }));
  return { findings, chosen: false };
}

function countOk(look: Look): number {
  return look.findings.filter((finding) => finding.ok).length;
}

function* valuesIn(found: Occurrences): Generator<JsonScalar, void> {
  yield* found.values;
  for (const inner of found.elements.values()) yield* valuesIn(inner);
}
