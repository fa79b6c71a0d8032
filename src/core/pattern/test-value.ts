/** Whether one scalar of an event passes one test of a pattern. */
import { cidrContains } from "../ip.ts";
import { compareNumbers, isJsonNumber, type JsonScalar } from "../json.ts";
import { readAddress } from "./address.ts";
import { endsIgnoreCase, equalsIgnoreCase, startsIgnoreCase } from "./ignore-case.ts";
import type { Bound, Field, Test } from "./pattern.ts";
import { fitsRegex } from "./regex/regex.ts";
import { fitsWildcard } from "./wildcard.ts";

/** Whether some value passes some candidate of the field. */
export function fits(field: Field, values: readonly JsonScalar[]): boolean {
  return values.some((value) => field.candidates.some(({ test }) => passes(test, value)));
}

export function passes(test: Test, value: JsonScalar): boolean {
  switch (test.kind) {
    case "any":
      return true;
    case "equal":
      return equalScalars(test.value, value);
    case "none-of":
      return !test.tests.some((one) => passes(one, value));
    case "range":
      return isJsonNumber(value) && isAbove(test.lower, value) && isBelow(test.upper, value);
    default:
      return typeof value === "string" && passesText(test, value);
  }
}

type TextTest = Extract<
  Test,
  { kind: "prefix" | "suffix" | "ignore-case" | "wildcard" | "regex" | "cidr" }
>;

function passesText(test: TextTest, text: string): boolean {
  switch (test.kind) {
    case "prefix":
      return text.startsWith(test.text);
    case "suffix":
      return text.endsWith(test.text);
    case "wildcard":
      return fitsWildcard(test.wildcard, text);
    case "regex":
      return fitsRegex(test.regex, text);
    case "cidr": {
      const address = readAddress(text);
      return address !== undefined && cidrContains(test.cidr, address);
    }
    case "ignore-case":
      if (test.part === "prefix") return startsIgnoreCase(text, test.units);
      if (test.part === "suffix") return endsIgnoreCase(text, test.units);
      return equalsIgnoreCase(text, test.units);
  }
}

/** Numbers by exact decimal value (0 equals -0), strings by code units, never across kinds. */
export function equalScalars(left: JsonScalar, right: JsonScalar): boolean {
  if (left === right) return true;
  return isJsonNumber(left) && isJsonNumber(right) && compareNumbers(left, right) === 0;
}

function isAbove(bound: Bound | undefined, value: Bound["value"]): boolean {
  if (bound === undefined) return true;
  const order = compareNumbers(value, bound.value);
  return order > 0 || (order === 0 && bound.inclusive);
}

function isBelow(bound: Bound | undefined, value: Bound["value"]): boolean {
  if (bound === undefined) return true;
  const order = compareNumbers(value, bound.value);
  return order < 0 || (order === 0 && bound.inclusive);
}
