/** Reads a pattern: all faults at once, each with its JSON Pointer, or one safe to evaluate. */
import { isJsonObject, type Json, type JsonObject, stringifyJson } from "../json.ts";
import { describe, type PatternIssue, type PatternIssueCode, type Spot } from "./issues.ts";
import { PATTERN_CHARACTERS_MAX } from "./limits.ts";
import { checkCaps, checkPaths, warnOfAbsence } from "./parse-checks.ts";
import { readAllOf } from "./parse-structure.ts";
import type { Pattern } from "./pattern.ts";

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
  const characters = stringifyJson(value).length;
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
  const start = { path: undefined, depth: 0, inBranch: false, orMeans };
  const root = readAllOf(value, { ...spot, ...start });
  checkPaths(root, spot);
  checkCaps(root, spot);
  if (issues.length > 0) return { ok: false, issues };
  warnOfAbsence(root, spot);
  return { ok: true, pattern: { root }, warnings: spot.warnings };
}
