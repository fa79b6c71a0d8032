/** How close an event comes to one alternative of a pattern: per field the value that counts. */
import type { JsonScalar } from "../json.ts";
import {
  type Claim,
  claimsInElement,
  elementsOf,
  groupBySharedArrays,
  needFurtherIn,
} from "./claims.ts";
import { type ElementInEvent, NOWHERE, type Occurrences } from "./path-tree.ts";
import type { Field } from "./pattern.ts";
import { fits } from "./test-value.ts";

export interface Finding {
  readonly field: Field;
  readonly ok: boolean;
  /** The value that fits alone; or where the field was looked for, and none does. */
  readonly found: Occurrences;
  /** The innermost element that was chosen. */
  readonly element: ElementInEvent | undefined;
}

interface Look {
  readonly findings: readonly Finding[];
  /** Whether some value was used, which is what selects an element. */
  readonly chosen: boolean;
}

/** As `matchesPattern` decides: all findings are ok exactly when the alternative matches. */
export function nearestFindings(claims: readonly Claim[]): readonly Finding[] {
  return look(claims, undefined).findings;
}

function look(claims: readonly Claim[], element: ElementInEvent | undefined): Look {
  const findings: Finding[] = [];
  const open: Claim[] = [];
  let chosen = false;
  for (const claim of claims) {
    const { field, found } = claim;
    const fitting = found.values.find((value) => fits(field, [value]));
    const need = needFurtherIn(claim, fitting !== undefined);
    if (fitting !== undefined) {
      chosen = true;
      if (claim.need !== "nothing")
        findings.push({ field, ok: true, found: only(fitting), element });
    }
    if (found.elements.size > 0) open.push({ ...claim, need });
    else if (need !== "nothing") {
      findings.push({ field, ok: need === "value-or-absence", found, element });
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
    if (!inElement.chosen) continue;
    if (!nearest || countOk(inElement) > countOk(nearest)) nearest = inElement;
  }
  if (nearest) return nearest;
  const findings = group
    .filter((claim) => claim.need !== "nothing")
    .map(({ field, found }) => ({ field, ok: false, found, element: outer }));
  return { findings, chosen: false };
}

function countOk(look: Look): number {
  return look.findings.filter((finding) => finding.ok).length;
}

function only(value: JsonScalar): Occurrences {
  return { ...NOWHERE, values: [value] };
}
