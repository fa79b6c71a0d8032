/** Words for why a value does not fit, with the near misses that people search for longest. */
import {
  formatPointer,
  isJsonArray,
  isJsonNumber,
  isJsonObject,
  type Json,
  type JsonScalar,
  memberOf,
  parseJson,
  stringifyJson,
} from "../json.ts";
import { readAddress } from "./address.ts";
import {
  endsIgnoreCase,
  equalsIgnoreCase,
  readCaseUnits,
  startsIgnoreCase,
} from "./ignore-case.ts";
import { describe, show } from "./issues.ts";
import { type Candidate, stepsOf, type Test } from "./pattern.ts";
import { equalScalars, passes } from "./test-value.ts";
import { fitsWildcard, readWildcard } from "./wildcard.ts";

export interface Miss {
  /** A small change of the pattern or of the event would make it fit. */
  readonly near: boolean;
  readonly reason: string;
}

/** For a value that does not pass the candidate's test. */
export function explainMiss(candidate: Candidate, value: JsonScalar): Miss {
  const { operator, operand, test } = candidate;
  switch (test.kind) {
    case "equal":
      return isJsonArray(operand)
        ? missNumeric(test, operand, value)
        : missEqual(test.value, value);
    case "range":
      return missNumeric(test, operand, value);
    case "none-of":
      return far(`${show(value)} is what ${show({ [operator]: operand })} excludes`);
    case "cidr":
      return missCidr(operand, value);
    default:
      return missText(candidate, value);
  }
}

function missEqual(wanted: JsonScalar, value: JsonScalar): Miss {
  if (typeof wanted === "string" && typeof value === "string") return missString(wanted, value);
  if (kindOf(wanted) === kindOf(value)) return far(`${show(value)} is not ${show(wanted)}`);
  const reason = `${show(value)} is ${kindOf(value)}, the pattern wants ${describe(wanted)}`;
  return { near: equalScalars(wanted, rereadAs(wanted, value)), reason };
}

/** The value as it would be with quotes added or removed. */
function rereadAs(wanted: JsonScalar, value: JsonScalar): JsonScalar {
  if (typeof wanted === "string") return stringifyJson(value);
  const read = typeof value === "string" ? parseJson(value, { depthMax: 0 }) : undefined;
  return read?.ok && !isJsonArray(read.value) && !isJsonObject(read.value) ? read.value : value;
}

function missString(wanted: string, value: string): Miss {
  const pair = `${show(value)} differs from ${show(wanted)}`;
  if (equalsIgnoreCase(value, readCaseUnits(wanted))) {
    return near(`${pair} only in case; {"equals-ignore-case": ${show(wanted)}} would fit`);
  }
  if (value.trim() === wanted.trim()) return near(`${pair} only in the space around it`);
  if (value.normalize() === wanted.normalize()) {
    return near(`${pair} only in its Unicode normal form`);
  }
  const [left, right] = [readAddress(value), readAddress(wanted)];
  if (left && right && left.family === right.family && left.bits === right.bits) {
    return near(`${pair} only in how the address is written; "cidr" would fit`);
  }
  return far(`${show(value)} is not ${show(wanted)}`);
}

function missNumeric(test: Test, operand: Json, value: JsonScalar): Miss {
  if (isJsonNumber(value)) return far(`${show(value)} is not in the range ${show(operand)}`);
  const reason = `${show(value)} is ${kindOf(value)}, and "numeric" compares numbers only`;
  const read = typeof value === "string" ? parseJson(value, { depthMax: 0 }) : undefined;
  return {
    near: read?.ok === true && isJsonNumber(read.value) && passes(test, read.value),
    reason,
  };
}

function missCidr(range: Json, value: JsonScalar): Miss {
  const address = typeof value === "string" ? readAddress(value) : undefined;
  if (!address) return far(`${show(value)} is no IP address in a form that patterns read`);
  return far(`${show(value)} is an IPv${address.family} address outside ${show(range)}`);
}

const VERBS: Readonly<Record<string, string>> = {
  prefix: "does not start with",
  suffix: "does not end with",
  "equals-ignore-case": "does not equal, whatever the case,",
  wildcard: "does not fit the wildcard",
  regex: "does not match, from end to end, the expression",
};

function missText({ operator, operand, test }: Candidate, value: JsonScalar): Miss {
  if (typeof value !== "string") {
    const reason = `${show(value)} is ${kindOf(value)}, and "${operator}" compares strings only`;
    return { near: passes(test, stringifyJson(value)), reason };
  }
  if (typeof operand === "string" && fitsIgnoringCase(test, operand, value)) {
    const remedy = show({ [operator]: { "equals-ignore-case": operand } });
    return near(`${show(value)} differs from ${show(operand)} only in case; ${remedy} would fit`);
  }
  return far(`${show(value)} ${VERBS[operator] ?? "does not fit"} ${show(operand)}`);
}

function fitsIgnoringCase(test: Test, operand: string, value: string): boolean {
  if (test.kind === "prefix") return startsIgnoreCase(value, readCaseUnits(operand));
  if (test.kind === "suffix") return endsIgnoreCase(value, readCaseUnits(operand));
  const reading = test.kind === "wildcard" ? readWildcard(operand, true) : undefined;
  return reading?.ok === true && fitsWildcard(reading.wildcard, value);
}

/** Why no value stands at `path`: how far the way there goes, and what it meets. */
export function explainMissing(event: Json, path: string): string {
  let value = event;
  const walked: string[] = [];
  for (const step of stepsOf(path)) {
    while (isJsonArray(value)) value = value.find(holdsMore) ?? null;
    const here = formatPointer(walked) || "the event";
    if (!isJsonObject(value)) return `${here} holds no object, so nothing stands below it`;
    const next = memberOf(value, step);
    if (next === undefined) return `${here} has no ${show(step)}${hintOfName(value, step)}`;
    walked.push(step);
    value = next;
  }
  if (isJsonObject(value)) {
    return "an object stands here; patterns compare single values, so name a field inside it";
  }
  return "the array here holds no single value to compare";
}

function hintOfName(object: object, step: string): string {
  const similar = Object.keys(object).find((key) => key.toLowerCase() === step.toLowerCase());
  return similar === undefined ? "" : `, but ${show(similar)}: names are compared with their case`;
}

function holdsMore(value: Json): boolean {
  return isJsonArray(value) || isJsonObject(value);
}

function kindOf(value: JsonScalar): string {
  if (value === null) return "the literal null";
  if (isJsonNumber(value)) return "a number";
  return typeof value === "string" ? "a string" : "a boolean";
}

function near(reason: string): Miss {
  return { near: true, reason };
}

function far(reason: string): Miss {
  return { near: false, reason };
}
