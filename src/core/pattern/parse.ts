/** Reads a pattern: all faults at once, each with its JSON Pointer, or one safe to evaluate. */
import {
  ExactNumber,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  stringifyJson,
} from "../json.ts";
import { describe, type PatternIssue, type PatternIssueCode, type Spot } from "./issues.ts";
import { PATTERN_CHARACTERS_MAX } from "./limits.ts";
import { checkCaps, checkPaths, warnOfAbsence } from "./parse-checks.ts";
import { readAllOf } from "./parse-structure.ts";
import type { Pattern } from "./pattern.ts";
import { topPlace } from "./place.ts";

export type ParsedPattern =
  | {
      readonly ok: true;
      readonly pattern: Pattern;
      /** What is legal but may surprise, above all where EventBridge decides otherwise. */
      readonly warnings: readonly PatternIssue[];
    }
  | { readonly ok: false; readonly issues: readonly PatternIssue[] };

/**
 * The language of Amazon EventBridge (event-ruler 2.0.1), described in this folder's README with
 * what is added and what is decided differently. `duplicateKeyPointers` comes from
 * `parseJsonDocument`: of two equal keys one would be lost silently, so they are refused. All
 * pointers, there and in the issues, start at the pattern itself.
 *
 * A `$or` that is no choice makes the whole pattern read it as an ordinary key, as the original
 * does; when that fails too, the faults of the first reading are the ones to tell.
 */
export function parsePattern(
  value: Json,
  duplicateKeyPointers: readonly string[] = [],
): ParsedPattern {
  if (!isJsonObject(value)) {
    const fault = `A pattern is an object of fields; here stands ${describe(value)}.`;
    return refuseWhole("not-an-object", `${fault} Write {"type": ["push"]}.`);
  }
  const characters = charactersOf(value);
  if (characters > PATTERN_CHARACTERS_MAX) {
    const cap = `A pattern has at most ${PATTERN_CHARACTERS_MAX} characters`;
    return refuseWhole("too-long", `${cap}; this one has ${characters}.`);
  }
  const reading = readPattern(value, "choice", duplicateKeyPointers);
  if (reading.ok) return reading;
  const literal = readPattern(value, "field", duplicateKeyPointers);
  return literal.ok ? literal : reading;
}

function refuseWhole(code: PatternIssueCode, detail: string): ParsedPattern {
  return { ok: false, issues: [{ pointer: "", code, detail }] };
}

function readPattern(
  value: JsonObject,
  orMeans: "choice" | "field",
  duplicateKeyPointers: readonly string[],
): ParsedPattern {
  const detail = "This key stands twice in its object, so one of the two would count for nothing.";
  const issues = duplicateKeyPointers.map(
    (pointer): PatternIssue => ({ pointer, code: "duplicate-key", detail }),
  );
  const spot: Spot = { pointer: "", issues, warnings: [] };
  const root = readAllOf(value, topPlace(), { issues, warnings: spot.warnings, orMeans }, false);
  checkPaths(root, spot);
  checkCaps(root, spot);
  if (issues.length > 0) return { ok: false, issues };
  warnOfAbsence(root, spot);
  return { ok: true, pattern: { root }, warnings: spot.warnings };
}

/** Written compactly; of a pattern that is far below the cap, no fewer than it has. */
function charactersOf(value: JsonObject): number {
  const most = charactersAtMost(value);
  return most <= PATTERN_CHARACTERS_MAX ? most : stringifyJson(value).length;
}

/** What it takes to write a null, a boolean or a double, with the comma behind it. */
const SCALAR_CHARACTERS_MAX = 26;
/** A control character is written as a backslash, a "u" and four digits. */
const ESCAPE_CHARACTERS_MAX = 6;

function charactersAtMost(value: Json): number {
  if (typeof value === "string") return 3 + ESCAPE_CHARACTERS_MAX * value.length;
  let sum = SCALAR_CHARACTERS_MAX;
  if (value instanceof ExactNumber) return sum + value.text.length;
  if (isJsonArray(value)) {
    for (const element of value) sum += charactersAtMost(element);
  } else if (isJsonObject(value)) {
    for (const key of Object.keys(value)) {
      sum += charactersAtMost(key) + charactersAtMost(value[key] ?? null);
    }
  }
  return sum;
}
