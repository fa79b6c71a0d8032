/** The faults a pattern can have, and how they are collected: all at once, each at its place. */
import {
  formatPointer,
  isJsonArray,
  isJsonNumber,
  isJsonObject,
  type Json,
  stringifyJson,
} from "../json.ts";

export type PatternIssueCode =
  | "not-an-object" // the pattern itself
  | "empty-object" // {} would match everything, and is rather a mistake
  | "bare-value" // "x" where ["x"] belongs
  | "empty-array" // no candidate could ever fit
  | "nested-array" // an array among the candidates
  | "operator-missing" // {} among the candidates
  | "operator-unknown"
  | "operator-several" // two operators in one object
  | "operand" // the operator does not take what stands behind it
  | "numeric"
  | "cidr"
  | "wildcard"
  | "regex"
  | "all-of"
  | "or" // a $or that is neither a choice nor a field
  | "or-reserved-name" // an operator's name as a field in a branch
  | "or-same-path" // a path both in a $or and beside it
  | "duplicate-key"
  | "duplicate-path" // {"a.b": …} beside {"a": {"b": …}}
  | "too-long"
  | "too-deep"
  | "too-many-fields"
  | "too-many-alternatives"
  // warnings
  | "or-as-field" // read as an ordinary key, as EventBridge does
  | "absence-in-array" // EventBridge may decide otherwise
  | "address-as-text"; // EventBridge would match other spellings too

export interface PatternIssue {
  /** JSON Pointer into the pattern. */
  readonly pointer: string;
  readonly code: PatternIssueCode;
  /** What stands there, what was expected and, where it helps, a corrected example. */
  readonly detail: string;
}

/** A place in a pattern and the list that takes its faults. */
export interface Spot {
  readonly pointer: string;
  readonly issues: PatternIssue[];
  readonly warnings: PatternIssue[];
}

/** Notes a fault; returns undefined, which is what the readers of a faulty part return. */
export function refuse(spot: Spot, code: PatternIssueCode, detail: string): undefined {
  spot.issues.push({ pointer: spot.pointer, code, detail });
}

/** The place one or more steps further in. */
export function inside<S extends Spot>(spot: S, ...steps: readonly (string | number)[]): S {
  return { ...spot, pointer: spot.pointer + formatPointer(steps) };
}

export function warn(spot: Spot, code: PatternIssueCode, detail: string): void {
  spot.warnings.push({ pointer: spot.pointer, code, detail });
}

const SHOWN_CHARACTERS_MAX = 60;

/** `the string "abc"`, `the number 5`, `an array`: a value in the middle of a sentence. */
export function describe(value: Json): string {
  if (isJsonArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (isJsonObject(value)) return Object.keys(value).length === 0 ? "{}" : "an object";
  if (typeof value === "string") return `the string ${show(value)}`;
  if (isJsonNumber(value)) return `the number ${show(value)}`;
  return show(value);
}

/** A value as JSON, cut where it grows too long for a sentence. */
export function show(value: Json): string {
  const text = stringifyJson(value);
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text;
}
