/** Says for every field of a pattern whether an event satisfies it, with which value, and why. */

import { formatPointer, isJsonObject, type Json, type JsonScalar } from "../json.ts";
import { alternatives, fitsAnywhere } from "./alternatives.ts";
import { claimsOf } from "./claims.ts";
import { describe } from "./issues.ts";
import { pathsOf } from "./match.ts";
import { type Finding, nearestFindings } from "./nearest.ts";
import { type EventValues, NOWHERE, readEventValues, valuesIn } from "./path-tree.ts";
import { type Candidate, type Field, type Operator, type Pattern, stepsOf } from "./pattern.ts";
import { explainMiss, explainMissing, type Miss } from "./reasons.ts";
import { passes } from "./test-value.ts";

export interface LeafVerdict {
  /** JSON Pointer of the field in events; array indexes are no part of it. */
  readonly path: string;
  /** Of the candidate that fits, or else of the one that comes nearest. */
  readonly operator: Operator;
  /** What stands behind that operator in the pattern, or the plain value. */
  readonly expected: Json;
  /** The value that was compared; the key is missing when there is none. */
  readonly actual?: Json;
  readonly ok: boolean;
  readonly reason: string;
}

/**
 * One verdict for each field of the alternative that comes nearest: fewest fields at fault, of
 * several such the one with most fields. All are ok exactly when `matchesPattern` is true; an event
 * that is no object is explained as an empty one.
 */
export function explainPattern(pattern: Pattern, event: Json): readonly LeafVerdict[] {
  const values = readEventValues(pathsOf(pattern), isJsonObject(event) ? event : {});
  return nearestAlternative(pattern, values).map((finding) => {
    const { field } = finding;
    const verdict = finding.ok ? explainFit(finding) : explainFault(finding, values, event);
    return { path: formatPointer(stepsOf(field.path)), ...verdict, ok: finding.ok };
  });
}

function nearestAlternative(pattern: Pattern, values: EventValues): readonly Finding[] {
  let nearest: readonly Finding[] = [];
  let fewestFaults = Number.POSITIVE_INFINITY;
  for (const fields of alternatives(pattern.root, () => true)) {
    const findings = nearestFindings(claimsOf(fields, values));
    const faults = findings.filter((finding) => !finding.ok).length;
    const isLonger = faults === fewestFaults && findings.length > nearest.length;
    if (faults < fewestFaults || isLonger) {
      nearest = findings;
      fewestFaults = faults;
    }
    if (faults === 0) break;
  }
  return nearest;
}

type Explanation = Omit<LeafVerdict, "path" | "ok">;

const ABSENCE = { operator: "exists", expected: false } as const;
const ELSEWHERE = "; a value that fits stands in an array element that the other fields do not fit";

function explainFit(finding: Finding): Explanation {
  const [value] = finding.found.values;
  if (value === undefined) {
    return { ...ABSENCE, reason: `no value stands here${placeOf(finding)}, and none is needed` };
  }
  const candidate = finding.field.candidates.find(({ test }) => passes(test, value));
  const reason = `${describe(value)} fits${placeOf(finding)}`;
  return { ...writtenAs(candidate), actual: value, reason };
}

function explainFault(finding: Finding, values: EventValues, event: Json): Explanation {
  const { field } = finding;
  const place = placeOf(finding);
  const isElsewhere = fitsAnywhere(field, values.get(field.path) ?? NOWHERE);
  const hint = isElsewhere ? ELSEWHERE : "";
  const standing = valuesIn(finding.found);
  const nearest = nearestMiss(field, standing);
  if (nearest) {
    const { candidate, value, miss } = nearest;
    const count = field.candidates.length;
    const start = count > 1 ? `none of ${count} candidates fits; nearest: ` : "";
    const reason = `${start}${miss.reason}${place}${hint}`;
    return { ...writtenAs(candidate), actual: value, reason };
  }
  const [value] = standing;
  if (value !== undefined) {
    return {
      ...ABSENCE,
      actual: value,
      reason: `${describe(value)} stands here${place}, but none may`,
    };
  }
  const reason = isElsewhere
    ? `no value stands here${place}${hint}`
    : explainMissing(event, field.path);
  return { ...writtenAs(field.candidates[0]), reason };
}

function writtenAs(candidate: Candidate | undefined): Pick<LeafVerdict, "operator" | "expected"> {
  return candidate ? { operator: candidate.operator, expected: candidate.operand } : ABSENCE;
}

interface NearestMiss {
  readonly candidate: Candidate;
  readonly value: JsonScalar;
  readonly miss: Miss;
}

/** The first near miss; without any, the first value against the first candidate. */
function nearestMiss(field: Field, values: readonly JsonScalar[]): NearestMiss | undefined {
  let first: NearestMiss | undefined;
  for (const value of values) {
    for (const candidate of field.candidates) {
      const found = { candidate, value, miss: explainMiss(candidate, value) };
      if (found.miss.near) return found;
      first ??= found;
    }
  }
  return first;
}

function placeOf({ element }: Finding): string {
  if (!element) return "";
  return ` in element ${element.index} of ${formatPointer(stepsOf(element.array.path))}`;
}
