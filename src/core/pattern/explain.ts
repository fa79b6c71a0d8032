/** Says for every field of a pattern whether an event satisfies it, with which value, and why (not). */
import { formatPointer, isJsonObject, type Json, type JsonScalar } from "../json.ts";
import { alternatives, fitsAnywhere } from "./alternatives.ts";
import { claimsOf } from "./claims.ts";
import { describe } from "./issues.ts";
import { type Finding, nearestFindings } from "./nearest.ts";
import { type EventValues, NOWHERE, readEventValues } from "./path-tree.ts";
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
  const values = readEventValues(pattern.paths, isJsonObject(event) ? event : {});
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

function explainFit(finding: Finding): Explanation {
  for (const value of finding.values) {
    const candidate = finding.field.candidates.find(({ test }) => passes(test, value));
    if (!candidate) continue;
    const { operator, operand } = candidate;
    const reason = `${describe(value)} fits${placeOf(finding)}`;
    return { operator, expected: operand, actual: value, reason };
  }
  return { ...ABSENCE, reason: `no value stands here${placeOf(finding)}, and none is needed` };
}

function explainFault(finding: Finding, values: EventValues, event: Json): Explanation {
  const { field } = finding;
  const nearest = nearestMiss(field, finding.values);
  const elsewhere = fitsAnywhere(field, values.get(field.path) ?? NOWHERE);
  const hint = elsewhere
    ? "; a value that fits stands in an array element that the other fields do not fit"
    : "";
  if (nearest) {
    const { candidate, value, miss } = nearest;
    const count = field.candidates.length;
    const start = count > 1 ? `none of ${count} candidates fits; nearest: ` : "";
    const reason = `${start}${miss.reason}${placeOf(finding)}${hint}`;
    return { operator: candidate.operator, expected: candidate.operand, actual: value, reason };
  }
  for (const value of finding.values) {
    const reason = `${describe(value)} stands here${placeOf(finding)}, but none may`;
    return { ...ABSENCE, actual: value, reason };
  }
  const [candidate] = field.candidates;
  const reason = elsewhere
    ? `no value${placeOf(finding)}${hint}`
    : explainMissing(event, field.path);
  const { operator, operand } = candidate ?? { operator: ABSENCE.operator, operand: false };
  return { operator, expected: operand, reason };
}

interface NearestMiss {
  readonly candidate: Candidate;
  readonly value: JsonScalar;
  readonly miss: Miss;
}

/** The first near miss; without any, the first value against the first candidate. */
function nearestMiss(field: Field, values: Iterable<JsonScalar>): NearestMiss | undefined {
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
