/** Reads one candidate of a leaf: a plain value, or an object with one operator. */
import { parseIpAddress } from "../ip.ts";
import { isJsonArray, isJsonObject, type Json, type JsonObject, type JsonScalar } from "../json.ts";
import { describe, inside, refuse, type Spot, show, warn } from "./issues.ts";
import { readAnythingBut } from "./parse-anything-but.ts";
import { readCidr, readNumeric } from "./parse-range.ts";
import { readTextOperand } from "./parse-text.ts";
import type { Candidate, Operator, Test } from "./pattern.ts";

/** `{"exists": false}` tests no value, so it is told apart from the candidates that do. */
export type CandidateReading = Candidate | "absence" | undefined;

type WrittenOperator = Exclude<Operator, "exact">;
type OperandReader = (operand: Json, spot: Spot) => Test | "absence" | undefined;

const OPERATORS: Readonly<Record<WrittenOperator, OperandReader>> = {
  exactly: (operand, spot) => readTextOperand("exactly", operand, spot),
  prefix: (operand, spot) => readTextOperand("prefix", operand, spot),
  suffix: (operand, spot) => readTextOperand("suffix", operand, spot),
  "equals-ignore-case": (operand, spot) => readTextOperand("equals-ignore-case", operand, spot),
  wildcard: (operand, spot) => readTextOperand("wildcard", operand, spot),
  regex: (operand, spot) => readTextOperand("regex", operand, spot),
  numeric: readNumeric,
  cidr: readCidr,
  exists: readExists,
  "anything-but": readAnythingBut,
};

/** For people who come from another language: what this one has instead. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ["equals", 'Write the plain value: ["abc"].'],
  ["contains", 'Write {"wildcard": "*abc*"}.'],
  ["regexp", 'Write {"regex": "a.*c"}.'],
  ["not", 'Write {"anything-but": "abc"}.'],
  ["in", 'List the values: ["a", "b"].'],
  [">", 'Write {"numeric": [">", 5]}.'],
  ["<", 'Write {"numeric": ["<", 5]}.'],
  ["$or", 'A choice stands among the fields, not among candidates: {"$or": [{…}, {…}]}.'],
]);

/** Undefined when the candidate is at fault; the spot's issues then say why. */
export function readCandidate(value: Json, spot: Spot): CandidateReading {
  if (isJsonObject(value)) return readOperator(value, spot);
  if (isJsonArray(value)) {
    return refuse(spot, "nested-array", "Candidates stand directly in the one array of the field.");
  }
  if (typeof value === "string" && value.includes(":") && parseIpAddress(value)) {
    const detail =
      "A plain string is compared as text; EventBridge would match this address in any " +
      `spelling, which {"cidr": "${value}/128"} does.`;
    warn(spot, "address-as-text", detail);
  }
  return exact(value);
}

const exact = (value: JsonScalar): Candidate => ({
  operator: "exact",
  operand: value,
  test: { kind: "equal", value },
});

/** A plain value of which there is nothing to say, as most are; undefined for all others. */
export function readPlain(value: Json): Candidate | undefined {
  if (isJsonObject(value) || isJsonArray(value)) return undefined;
  return typeof value === "string" && value.includes(":") ? undefined : exact(value);
}

function readOperator(object: JsonObject, spot: Spot): CandidateReading {
  const [operator, ...more] = Object.keys(object);
  if (operator === undefined) {
    return refuse(spot, "operator-missing", 'An operator was expected: {"prefix": "abc"}.');
  }
  if (more.length > 0) return refuse(spot, "operator-several", severalFault(object));
  if (operator === "all-of") {
    return refuse(spot, "all-of", '"all-of" is the one candidate of a field, or it is a mistake.');
  }
  if (!isOperator(operator)) return refuse(spot, "operator-unknown", unknownFault(operator));
  const operand = object[operator] ?? null;
  const test = OPERATORS[operator](operand, inside(spot, operator));
  return typeof test === "object" ? { operator, operand, test } : test;
}

function readExists(operand: Json, spot: Spot): Test | "absence" | undefined {
  if (operand === true) return { kind: "any" };
  if (operand === false) return "absence";
  const detail = `"exists" takes true or false; here stands ${describe(operand)}.`;
  return refuse(spot, "operand", detail);
}

function isOperator(name: string): name is WrittenOperator {
  return Object.hasOwn(OPERATORS, name);
}

function severalFault(object: JsonObject): string {
  const each = Object.entries(object).map(([key, operand]) => `{${show(key)}: ${show(operand)}}`);
  const [first, second] = each;
  return (
    `One operator stands in an object; here stand ${each.length}. For either of them write ` +
    `[${first}, ${second}], for both [{"all-of": [${first}, ${second}]}].`
  );
}

function unknownFault(name: string): string {
  const remedy = REMEDIES.get(name) ?? `Operators: ${Object.keys(OPERATORS).join(", ")}.`;
  return `${show(name)} is no operator. ${remedy}`;
}
