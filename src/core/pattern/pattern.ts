/** A pattern after parsing: what the matcher, the rule set and the explanation all work on. */
import type { Cidr } from "../ip.ts";
import type { ExactNumber, Json, JsonScalar } from "../json.ts";
import type { CaseUnits } from "./ignore-case.ts";
import type { Regex } from "./regex/regex.ts";
import type { Wildcard } from "./wildcard.ts";

export interface Pattern {
  readonly root: AllOf;
}

/** Holds when every field holds and, of every choice (a `$or`), at least one branch. */
export interface AllOf {
  readonly fields: readonly Field[];
  readonly choices: readonly (readonly AllOf[])[];
}

/** One leaf of a pattern: a place in events, and candidates of which one must fit a value there. */
export interface Field {
  /** Keys joined with dots, so that `{"a.b": …}` and `{"a": {"b": …}}` are the same place. */
  readonly path: string;
  readonly candidates: readonly Candidate[];
  /** Whether `{"exists": false}` is among the candidates: then no value at all fits too. */
  readonly absence: boolean;
  /** JSON Pointer of the leaf in the pattern. */
  readonly pointer: string;
}

export type Operator =
  | "exact"
  | "exactly"
  | "prefix"
  | "suffix"
  | "equals-ignore-case"
  | "wildcard"
  | "regex"
  | "numeric"
  | "cidr"
  | "exists"
  | "anything-but";

export interface Candidate {
  readonly operator: Operator;
  /** What the pattern says behind the operator, or the plain value itself. */
  readonly operand: Json;
  readonly test: Test;
}

export interface Bound {
  readonly value: number | ExactNumber;
  readonly inclusive: boolean;
}

/** What one scalar of an event must be like. */
export type Test =
  | { readonly kind: "any" }
  | { readonly kind: "equal"; readonly value: JsonScalar }
  | { readonly kind: "prefix" | "suffix"; readonly text: string }
  | {
      readonly kind: "ignore-case";
      readonly part: "whole" | "prefix" | "suffix";
      readonly units: CaseUnits;
    }
  | { readonly kind: "wildcard"; readonly wildcard: Wildcard }
  | { readonly kind: "regex"; readonly regex: Regex }
  | { readonly kind: "range"; readonly lower?: Bound; readonly upper?: Bound }
  | { readonly kind: "cidr"; readonly cidr: Cidr }
  | { readonly kind: "none-of"; readonly tests: readonly Test[] };

/** Every field, whichever branch it stands in. */
export function fieldsOf(all: AllOf): readonly Field[] {
  if (all.choices.length === 0) return all.fields;
  return [...all.fields, ...all.choices.flat().flatMap(fieldsOf)];
}

/** The steps of a path. A dot in a key cannot be told from a level, as in EventBridge. */
export function stepsOf(path: string): readonly string[] {
  return path.split(".");
}
