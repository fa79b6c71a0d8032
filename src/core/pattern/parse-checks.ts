/** Checks of a pattern as a whole: paths named twice, caps, surprises for users of EventBridge. */
import { refuse, type Spot, warn } from "./issues.ts";
import { PATTERN_ALTERNATIVES_MAX, PATTERN_FIELDS_MAX } from "./limits.ts";
import { type AllOf, type Field, fieldsOf, stepsOf } from "./pattern.ts";

/**
 * Refuses two fields on one path that would have to hold together. EventBridge lets the later one
 * overwrite the earlier, so that half of what was written counts for nothing.
 */
export function checkPaths(all: AllOf, spot: Spot): void {
  const { fields, choices } = all;
  // Of few paths a look at each pair is quicker than a Map of them.
  const isPlain = choices.length === 0 && fields.length <= COMPARED_MAX;
  if (!isPlain || !areDifferent(fields)) claimPaths(all, spot);
}

const COMPARED_MAX = 8;

function areDifferent(fields: readonly Field[]): boolean {
  for (let at = 1; at < fields.length; at += 1) {
    for (let before = 0; before < at; before += 1) {
      if (fields[at]?.path === fields[before]?.path) return false;
    }
  }
  return true;
}

/** Returns the pointer that claims each path. */
function claimPaths(all: AllOf, spot: Spot): ReadonlyMap<string, string> {
  const claimed = new Map<string, string>();
  for (const { path, pointer } of all.fields) {
    const other = claimed.get(path);
    if (other !== undefined && other !== pointer) {
      const remedy = 'list all candidates in one array, or write "all-of"';
      refuse({ ...spot, pointer }, "duplicate-path", `${other} names the same place; ${remedy}.`);
    }
    claimed.set(path, pointer);
  }
  for (const choice of all.choices) {
    const inChoice = new Map(choice.flatMap((branch) => [...claimPaths(branch, spot)]));
    for (const [path, pointer] of inChoice) {
      const other = claimed.get(path);
      if (other !== undefined) {
        const fault = `${other}, beside this "$or", names the same place`;
        refuse({ ...spot, pointer }, "or-same-path", `${fault}; move it into every branch.`);
      }
      claimed.set(path, pointer);
    }
  }
  return claimed;
}

export function checkCaps(root: AllOf, spot: Spot): void {
  const fields = countFields(root);
  if (fields > PATTERN_FIELDS_MAX) {
    const cap = `At most ${PATTERN_FIELDS_MAX} fields may have to hold at once`;
    refuse(spot, "too-many-fields", `${cap}; here are ${fields}.`);
  }
  const alternatives = countAlternatives(root);
  if (alternatives > PATTERN_ALTERNATIVES_MAX) {
    const cap = `All "$or" together may spell out ${PATTERN_ALTERNATIVES_MAX} alternatives`;
    const remedy = "List the values of one field as its candidates, or write several rules.";
    refuse(spot, "too-many-alternatives", `${cap}; these spell out ${alternatives}. ${remedy}`);
  }
}

/** Of the alternative that has most. */
function countFields(all: AllOf): number {
  if (all.choices.length === 0) return all.fields.length;
  const largest = all.choices.map((choice) => Math.max(0, ...choice.map(countFields)));
  return largest.reduce((sum, fields) => sum + fields, all.fields.length);
}

function countAlternatives(all: AllOf): number {
  if (all.choices.length === 0) return 1;
  return all.choices.reduce((product, choice) => {
    return product * choice.reduce((sum, branch) => sum + countAlternatives(branch), 0);
  }, 1);
}

/**
 * EventBridge takes fields in the order of their paths and decides an absence against the array
 * element chosen so far; here it is decided against the element that all other fields choose.
 */
export function warnOfAbsence(root: AllOf, spot: Spot): void {
  const fields = fieldsOf(root);
  if (!fields.some(({ absence }) => absence)) return;
  for (const field of fields) {
    const later = field.absence && fields.find((other) => couldChooseAfter(other, field));
    if (!later) continue;
    const detail =
      "If this stands in an array of objects, the absence is decided for the element that " +
      `${later.pointer} chooses; EventBridge would decide it for the whole array.`;
    warn({ ...spot, pointer: field.pointer }, "absence-in-array", detail);
  }
}

/** Both can lie in one array only below a common first step. */
function couldChooseAfter(other: Field, field: Field): boolean {
  return other.path > field.path && stepsOf(other.path)[0] === stepsOf(field.path)[0];
}
