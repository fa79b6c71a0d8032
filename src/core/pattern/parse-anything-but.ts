/** Reads the operator anything-but: values, or texts behind one operator, of which none may fit. */
import { isJsonArray, isJsonNumber, isJsonObject, type Json, type JsonObject } from "../json.ts";
import { describe, inside, refuse, type Spot, show } from "./issues.ts";
import { readText, type TextOperator } from "./parse-text.ts";
import type { Test } from "./pattern.ts";

const OPERATORS_INSIDE = ["prefix", "suffix", "equals-ignore-case", "wildcard", "regex"] as const;

export function readAnythingBut(operand: Json, spot: Spot): Test | undefined {
  if (isJsonObject(operand)) return readOperatorInside(operand, spot);
  const values = isJsonArray(operand) ? operand : [operand];
  const strings = values.filter(isString);
  const numbers = values.filter(isJsonNumber);
  // Of one kind only, as in EventBridge: a mixed list is refused there.
  for (const excluded of [strings, numbers]) {
    if (excluded.length > 0 && excluded.length === values.length) {
      return { kind: "none-of", tests: excluded.map((value) => ({ kind: "equal", value })) };
    }
  }
  return refuse(
    spot,
    "operand",
    `"anything-but" takes strings only or numbers only, one or a list; here stands ` +
      `${listed(operand)}. Write {"anything-but": ["a", "b"]}.`,
  );
}

function readOperatorInside(object: JsonObject, spot: Spot): Test | undefined {
  const [operator, ...more] = Object.keys(object);
  const known = OPERATORS_INSIDE.find((name) => name === operator);
  const operand = known && object[known];
  if (known === undefined || operand === undefined || more.length > 0) {
    return refuse(
      spot,
      "operand",
      `Inside "anything-but" one of ${OPERATORS_INSIDE.join(", ")} was expected; here stands ` +
        `${show(object)}. Write {"anything-but": {"prefix": "abc"}}.`,
    );
  }
  return readTexts(known, operand, inside(spot, known));
}

function readTexts(operator: TextOperator, operand: Json, spot: Spot): Test | undefined {
  // An empty prefix or suffix fits every text, so that nothing would be left.
  const mayBeEmpty = operator !== "prefix" && operator !== "suffix";
  const values = isJsonArray(operand) ? operand : [operand];
  const texts = values.filter(isString).filter((text) => mayBeEmpty || text !== "");
  if (texts.length === 0 || texts.length < values.length) {
    return refuse(
      spot,
      "operand",
      `A${mayBeEmpty ? "" : " non-empty"} string or a list of them was expected; here stands ` +
        `${listed(operand)}. Write {"anything-but": {"${operator}": ["a", "b"]}}.`,
    );
  }
  const tests = texts.map((text) => readText(operator, text, spot));
  return tests.every((test) => test !== undefined) ? { kind: "none-of", tests } : undefined;
}

function isString(value: Json): value is string {
  return typeof value === "string";
}

function listed(operand: Json): string {
  return isJsonArray(operand) && operand.length > 0 ? show(operand) : describe(operand);
}
