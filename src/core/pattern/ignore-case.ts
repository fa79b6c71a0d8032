/** EventBridge's "ignore case": the pattern's letters have variants, the event is not folded. */

/**
 * Per UTF-16 unit of the pattern the spellings that may stand for it, the unit itself first. A
 * variant may be longer: `ß` also reads `SS`, but not `ss`. No variant contains another one of its
 * unit, so at every position at most one fits and matching never has to go back.
 */
export type CaseUnits = readonly (readonly string[])[];

export function readCaseUnits(text: string): CaseUnits {
  return text.split("").map((unit) => [...new Set([unit, unit.toLowerCase(), unit.toUpperCase()])]);
}

export function equalsIgnoreCase(text: string, units: CaseUnits): boolean {
  return prefixEnd(text, units) === text.length;
}

export function startsIgnoreCase(text: string, units: CaseUnits): boolean {
  return prefixEnd(text, units) !== undefined;
}

export function endsIgnoreCase(text: string, units: CaseUnits): boolean {
  let end = text.length;
  for (const variants of units.toReversed()) {
    const fitting = variants.find((variant) => text.endsWith(variant, end));
    if (fitting === undefined) return false;
    end -= fitting.length;
  }
  return true;
}

function prefixEnd(text: string, units: CaseUnits): number | undefined {
  let at = 0;
  for (const variants of units) {
    const fitting = variants.find((variant) => text.startsWith(variant, at));
    if (fitting === undefined) return undefined;
    at += fitting.length;
  }
  return at;
}
