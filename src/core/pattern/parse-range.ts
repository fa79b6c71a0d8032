/** Reads the operators that mean a range: numeric and cidr. */
import {
  compareNumbers,
  type ExactNumber,
  isJsonArray,
  isJsonNumber,
  type Json,
  type JsonArray,
} from "../json.ts";
import { readAddress, readAddressRange } from "./address.ts";
import { describe, refuse, type Spot } from "./issues.ts";
import type { Test } from "./pattern.ts";

type Comparison = "=" | "<" | "<=" | ">" | ">=";

interface Term {
  readonly comparison: Comparison;
  readonly value: number | ExactNumber;
}

const COMPARISONS: ReadonlySet<Json> = new Set(["=", "<", "<=", ">", ">="]);
const NUMERIC_FORMS = 'Write {"numeric": [">", 5]} or a range, {"numeric": [">=", 1, "<", 5]}.';

/** One comparison, or a lower and then an upper one. */
export function readNumeric(operand: Json, spot: Spot): Test | undefined {
  if (!isJsonArray(operand)) {
    const detail = `"numeric" takes an array; here stands ${describe(operand)}. ${NUMERIC_FORMS}`;
    return refuse(spot, "operand", detail);
  }
  const terms = readTerms(operand);
  const test = typeof terms === "string" ? terms : readRange(terms);
  return typeof test === "string" ? refuse(spot, "numeric", `${test} ${NUMERIC_FORMS}`) : test;
}

/** The terms, or what is wrong with them. */
function readTerms(operand: JsonArray): readonly Term[] | string {
  const terms: Term[] = [];
  for (let index = 0; index < operand.length; index += 2) {
    const [comparison = null, value] = operand.slice(index);
    if (!isComparison(comparison)) {
      return `One of = < <= > >= was expected; here stands ${describe(comparison)}.`;
    }
    if (!isJsonNumber(value)) {
      const found = value === undefined ? "nothing" : describe(value);
      return `A number was expected behind ${comparison}; here stands ${found}.`;
    }
    terms.push({ comparison, value });
  }
  return terms;
}

function isComparison(value: Json): value is Comparison {
  return COMPARISONS.has(value);
}

function readRange([first, second, ...more]: readonly Term[]): Test | string {
  if (first === undefined || more.length > 0) return "One or two comparisons were expected.";
  if (second === undefined) return readOneSided(first);
  if (!first.comparison.startsWith(">") || !second.comparison.startsWith("<")) {
    return "A range has its lower bound first (> or >=) and its upper bound second (< or <=).";
  }
  const lower = { value: first.value, inclusive: first.comparison === ">=" };
  const upper = { value: second.value, inclusive: second.comparison === "<=" };
  const order = compareNumbers(lower.value, upper.value);
  const isEmpty = order > 0 || (order === 0 && !(lower.inclusive && upper.inclusive));
  return isEmpty ? "No number lies between these bounds." : { kind: "range", lower, upper };
}

function readOneSided({ comparison, value }: Term): Test {
  if (comparison === "=") return { kind: "equal", value };
  const bound = { value, inclusive: comparison.endsWith("=") };
  return comparison.startsWith(">")
    ? { kind: "range", lower: bound }
    : { kind: "range", upper: bound };
}

/** `/32` and `/128`, a single address, are taken; event-ruler refuses them. */
export function readCidr(operand: Json, spot: Spot): Test | undefined {
  const cidr = typeof operand === "string" ? readAddressRange(operand) : undefined;
  if (cidr) return { kind: "cidr", cidr };
  const single = typeof operand === "string" ? readAddress(operand) : undefined;
  const example = single ? `${operand}/${single.family === 4 ? 32 : 128}` : "10.0.0.0/8";
  const detail =
    "An IPv4 range (prefix 0 to 32) or IPv6 range (0 to 128) was expected; here stands " +
    `${describe(operand)}. Write {"cidr": "${example}"}.`;
  return refuse(spot, "cidr", detail);
}
