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
import { describe, refuse, type Spot, show } from "./issues.ts";
import type { Test } from "./pattern.ts";

type Comparison = "=" | "<" | "<=" | ">" | ">=";

interface Term {
  readonly comparison: Comparison;
  readonly value: number | ExactNumber;
}

const COMPARISONS: ReadonlySet<Json | undefined> = new Set(["=", "<", "<=", ">", ">="]);
const NUMERIC_FORMS = 'Write {"numeric": [">", 5]} or a range, {"numeric": [">=", 1, "<", 5]}.';

/** One comparison, or a lower and then an upper one. */
export function readNumeric(operand: Json, spot: Spot): Test | undefined {
  if (!isJsonArray(operand)) {
    return refuse(
      spot,
      "operand",
      `"numeric" takes an array; here stands ${describe(operand)}. ${NUMERIC_FORMS}`,
    );
  }
  const fault = findNumericFault(operand);
  if (fault) return refuse(spot, "numeric", `${fault} ${NUMERIC_FORMS}`);
  const [first, second] = termsOf(operand);
  if (first === undefined) return refuse(spot, "numeric", NUMERIC_FORMS);
  return second ? readBetween(first, second, spot) : readOneSided(first);
}

function findNumericFault(operand: JsonArray): string | undefined {
  if (operand.length !== 2 && operand.length !== 4) {
    return `"numeric" takes a comparison and a number, or two of each; here stand ${operand.length} elements.`;
  }
  for (const [index, element] of operand.entries()) {
    if (index % 2 === 0 && !COMPARISONS.has(element)) {
      return `One of = < <= > >= was expected; here stands ${describe(element)}.`;
    }
    if (index % 2 === 1 && !isJsonNumber(element)) {
      return `A number was expected behind ${show(operand[index - 1] ?? null)}; here stands ${describe(element)}.`;
    }
  }
  return undefined;
}

function termsOf(operand: JsonArray): readonly Term[] {
  const terms: Term[] = [];
  for (let index = 0; index < operand.length; index += 2) {
    const comparison = operand[index];
    const value = operand[index + 1];
    if (isComparison(comparison) && isJsonNumber(value)) terms.push({ comparison, value });
  }
  return terms;
}

function isComparison(value: Json | undefined): value is Comparison {
  return COMPARISONS.has(value);
}

function readOneSided({ comparison, value }: Term): Test {
  if (comparison === "=") return { kind: "equal", value };
  const bound = { value, inclusive: comparison.endsWith("=") };
  return comparison.startsWith(">")
    ? { kind: "range", lower: bound }
    : { kind: "range", upper: bound };
}

function readBetween(first: Term, second: Term, spot: Spot): Test | undefined {
  if (!first.comparison.startsWith(">") || !second.comparison.startsWith("<")) {
    return refuse(
      spot,
      "numeric",
      `A range has its lower bound first (> or >=) and its upper bound second (< or <=). ${NUMERIC_FORMS}`,
    );
  }
  const lower = { value: first.value, inclusive: first.comparison === ">=" };
  const upper = { value: second.value, inclusive: second.comparison === "<=" };
  const order = compareNumbers(lower.value, upper.value);
  if (order > 0 || (order === 0 && !(lower.inclusive && upper.inclusive))) {
    return refuse(
      spot,
      "numeric",
      "No number lies in this range: its bounds leave nothing between.",
    );
  }
  return { kind: "range", lower, upper };
}

/** `/32` and `/128`, a single address, are taken; event-ruler refuses them. */
export function readCidr(operand: Json, spot: Spot): Test | undefined {
  const cidr = typeof operand === "string" ? readAddressRange(operand) : undefined;
  if (cidr) return { kind: "cidr", cidr };
  const single = typeof operand === "string" ? readAddress(operand) : undefined;
  const example = single ? `${operand}/${single.family === 4 ? 32 : 128}` : "10.0.0.0/8";
  return refuse(
    spot,
    "cidr",
    `An IPv4 range (prefix 0 to 32) or IPv6 range (0 to 128) was expected; here stands ${describe(operand)}. Write {"cidr": "${example}"}.`,
  );
}
