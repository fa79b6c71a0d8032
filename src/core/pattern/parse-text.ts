/** Reads the operators that compare text: exactly, prefix, suffix, equals-ignore-case, wildcard. */
import { isJsonArray, isJsonObject, type Json, memberOf } from "../json.ts";
import { readCaseUnits } from "./ignore-case.ts";
import { describe, refuse, type Spot, show } from "./issues.ts";
import { WILDCARD_STARS_MAX } from "./limits.ts";
import type { Test } from "./pattern.ts";
import { readRegexTest } from "./regex/regex.ts";
import { readWildcard, type WildcardFault } from "./wildcard.ts";

export type TextOperator =
  | "exactly"
  | "prefix"
  | "suffix"
  | "equals-ignore-case"
  | "wildcard"
  | "regex";

/** For a wildcard this form is ours; prefix and suffix have it from EventBridge. */
const CASE_MAY_BE_IGNORED: ReadonlySet<TextOperator> = new Set(["prefix", "suffix", "wildcard"]);

const WILDCARD_FAULTS: Readonly<Record<WildcardFault, string>> = {
  "double-star": '"**" says no more than "*", which already is any run of characters: write one.',
  "bad-escape":
    'A backslash stands only before "*" or another backslash; in JSON it is written twice: ' +
    '{"wildcard": "a\\\\*b"} is the text a*b.',
  "too-many-stars": `A wildcard has at most ${WILDCARD_STARS_MAX} stars.`,
};

/** The operand as it may stand behind the operator: a string, or `{"equals-ignore-case": "x"}`. */
export function readTextOperand(
  operator: TextOperator,
  operand: Json,
  spot: Spot,
): Test | undefined {
  if (typeof operand === "string") return readText(operator, operand, spot);
  if (CASE_MAY_BE_IGNORED.has(operator) && isJsonObject(operand)) {
    const text = memberOf(operand, "equals-ignore-case");
    if (typeof text === "string" && Object.keys(operand).length === 1) {
      return readTextIgnoringCase(operator, text, spot);
    }
  }
  return refuse(spot, "operand", faultOf(operator, operand));
}

export function readText(operator: TextOperator, text: string, spot: Spot): Test | undefined {
  switch (operator) {
    case "exactly":
      return { kind: "equal", value: text };
    case "prefix":
    case "suffix":
      return { kind: operator, text };
    case "equals-ignore-case":
      return { kind: "ignore-case", part: "whole", units: readCaseUnits(text) };
    case "wildcard":
      return readWildcardTest(text, false, spot);
    case "regex": {
      const reading = readRegexTest(text);
      return reading.ok
        ? { kind: "regex", regex: reading.regex }
        : refuse(spot, "regex", reading.detail);
    }
  }
}

function readTextIgnoringCase(operator: TextOperator, text: string, spot: Spot): Test | undefined {
  if (operator === "wildcard") return readWildcardTest(text, true, spot);
  const part = operator === "prefix" ? "prefix" : "suffix";
  return { kind: "ignore-case", part, units: readCaseUnits(text) };
}

function readWildcardTest(text: string, ignoreCase: boolean, spot: Spot): Test | undefined {
  const reading = readWildcard(text, ignoreCase);
  if (!reading.ok) return refuse(spot, "wildcard", WILDCARD_FAULTS[reading.fault]);
  return { kind: "wildcard", wildcard: reading.wildcard };
}

function faultOf(operator: TextOperator, operand: Json): string {
  const start = `"${operator}" takes a string; here stands ${describe(operand)}.`;
  if (isJsonArray(operand) && operand.length > 0) {
    const candidates = operand.map((text) => `{"${operator}": ${show(text)}}`).slice(0, 3);
    return `${start} Give each its own candidate: [${candidates.join(", ")}].`;
  }
  if (isJsonObject(operand) && CASE_MAY_BE_IGNORED.has(operator)) {
    return `${start} Inside it only {"equals-ignore-case": "abc"} may stand.`;
  }
  return `${start} Write {"${operator}": "abc"}.`;
}
