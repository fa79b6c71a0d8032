/** Reads the shape of a pattern: objects of fields, leaves with their candidates, choices. */
import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonArray,
  type JsonObject,
  memberOf,
  stringifyJson,
} from "../json.ts";
import { describe, inside, type PatternIssue, refuse, type Spot, show, warn } from "./issues.ts";
import { PATTERN_DEPTH_MAX } from "./limits.ts";
import { type CandidateReading, readCandidate, readPlain } from "./parse-candidate.ts";
import type { AllOf, Candidate, Field } from "./pattern.ts";
import { KNOWN_CHARACTERS_MAX, knownField, type Place, rememberField } from "./place.ts";

const OR = "$or";
const ALL_OF = "all-of";

/**
 * Fields that a branch of a `$or` may not have: an array of such objects is a list of candidates
 * for a field that is really called `$or`
 * (event-ruler 2.0.1, Constants.RESERVED_FIELD_NAMES_IN_OR_RELATIONSHIP).
 */
const RESERVED_IN_BRANCHES: ReadonlySet<string> = new Set(
  (
    "exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr " +
    "= < <= > >= regex not-wildcard not-equals-ignore-case date-after date-on-or-after " +
    "date-before date-on-or-before in-date-range ip-address-in-range ip-address-not-in-range"
  ).split(" "),
);

/** How a pattern is read, and what has been found at fault. */
export interface Reading {
  readonly issues: PatternIssue[];
  readonly warnings: PatternIssue[];
  /** "field": an ordinary key, the reading when the pattern makes no sense with choices. */
  readonly orMeans: "choice" | "field";
}

/** One object of the pattern, or a branch, with all below it; what is at fault is left out. */
export function readAllOf(
  object: JsonObject,
  place: Place,
  reading: Reading,
  inBranch: boolean,
): AllOf {
  const fields: Field[] = [];
  const choices: (readonly AllOf[])[] = [];
  const collect = (inner: JsonObject, at: Place): void => {
    const keys = Object.keys(inner);
    if (keys.length === 0) {
      const detail = 'At least one field was expected: {"type": ["push"]}.';
      refuse(spotAt(at, reading), "empty-object", detail);
    }
    if (at.depth >= PATTERN_DEPTH_MAX) {
      const detail = `A pattern nests at most ${PATTERN_DEPTH_MAX} levels.`;
      refuse(spotAt(at, reading), "too-deep", detail);
      return;
    }
    for (const key of keys) {
      const value = memberOf(inner, key) ?? null;
      if (key === OR && reading.orMeans === "choice") {
        choices.push(readChoice(value, at.within(key), reading));
        continue;
      }
      const below = at.field(key);
      checkName(key, below, reading, inBranch);
      if (isJsonObject(value)) collect(value, below);
      else readLeaf(key, value, below, reading, fields);
    }
  };
  collect(object, place);
  // No list has room for more than it holds: rules are many.
  return { fields: fields.slice(), choices: choices.length === 0 ? NO_CHOICES : choices };
}

const NO_CHOICES: AllOf["choices"] = [];

function spotAt({ pointer }: Place, { issues, warnings }: Reading): Spot {
  return { pointer, issues, warnings };
}

function checkName(key: string, place: Place, reading: Reading, inBranch: boolean): void {
  if (key === OR) {
    const detail = "Read as the name of a field: here stands no list of branches.";
    warn(spotAt(place, reading), "or-as-field", detail);
  }
  if (inBranch && RESERVED_IN_BRANCHES.has(key)) {
    const detail = `${show(key)} cannot name a field in a branch of "$or".`;
    refuse(spotAt(place, reading), "or-reserved-name", detail);
  }
}

function readChoice(value: Json, place: Place, reading: Reading): readonly AllOf[] {
  const branches = isJsonArray(value) ? value : [];
  if (branches.length < 2) {
    const detail = `"$or" takes an array of at least two objects; here stands ${show(value)}.`;
    refuse(spotAt(place, reading), "or", detail);
  }
  return branches.map((branch, index) => {
    const at = place.within(index);
    if (isJsonObject(branch)) return readAllOf(branch, at, reading, true);
    const detail = `A branch is an object of fields; here stands ${describe(branch)}.`;
    refuse(spotAt(at, reading), "or", detail);
    return { fields: [], choices: [] };
  });
}

/** Most often one field; several on one path for `all-of`. */
function readLeaf(key: string, value: Json, place: Place, reading: Reading, into: Field[]): void {
  if (!isJsonArray(value)) {
    const example = `${show(key)}: [${show(value)}]`;
    const detail = `A field takes an array of candidates; here stands ${describe(value)}.`;
    refuse(spotAt(place, reading), "bare-value", `${detail} Write ${example}.`);
    return;
  }
  if (value.length === 0) {
    const detail = 'No value can fit an empty list; for any value write [{"exists": true}].';
    refuse(spotAt(place, reading), "empty-array", detail);
    return;
  }
  const [only] = value;
  if (value.length === 1 && isJsonObject(only) && isAllOf(only)) {
    into.push(...readAllOfField(memberOf(only, ALL_OF), place, spotAt(place, reading)));
  } else {
    into.push(readField(value, place, reading));
  }
}

function isAllOf(object: JsonObject): boolean {
  const keys = Object.keys(object);
  return keys.length === 1 && keys[0] === ALL_OF;
}

/** Rules that say the same share what was read, and with it what a match finds out about it. */
function readField(elements: JsonArray, place: Place, reading: Reading): Field {
  const key = `${place.id}${textOf(elements)}`;
  const known = knownField(key);
  if (known !== undefined) return known;
  const said = reading.issues.length + reading.warnings.length;
  const field = readCandidates(elements, place, spotAt(place, reading));
  // What there is to say of it has to be said each time.
  const isSilent = said === reading.issues.length + reading.warnings.length;
  if (isSilent && key.length <= KNOWN_CHARACTERS_MAX) rememberField(key, field);
  return field;
}

/** Like no other's: a list begins with a bracket, and most often there is one text, which is quicker so. */
function textOf(elements: JsonArray): string {
  const [first] = elements;
  return elements.length === 1 && typeof first === "string" ? `"${first}` : stringifyJson(elements);
}

function readCandidates(elements: JsonArray, place: Place, at: Spot): Field {
  const readings = elements.map(
    (element, index) => readPlain(element) ?? readCandidate(element, inside(at, index)),
  );
  // What `filter` makes has room for many, and rules are many; here it seldom has something to do.
  const candidates = readings.every(isCandidate) ? readings : readings.filter(isCandidate);
  return fieldOf(place, candidates, readings.includes("absence"));
}

function isCandidate(reading: CandidateReading): reading is Candidate {
  return typeof reading === "object";
}

function fieldOf(
  { path, pointer }: Place,
  candidates: readonly Candidate[],
  absence: boolean,
): Field {
  return { path: path ?? "", candidates, absence, pointer };
}

/** Each listed candidate is a field of its own: all of them have to find a value. */
function readAllOfField(operand: Json | undefined, place: Place, at: Spot): readonly Field[] {
  const within = inside(at, 0, ALL_OF);
  const listed = isJsonArray(operand) ? operand : [];
  if (listed.length === 0) {
    refuse(within, "all-of", '"all-of" takes a list of candidates: [{"all-of": ["a", "b"]}].');
  }
  return listed.flatMap((element, index) => {
    const spot = inside(within, index);
    const reading = readCandidate(element, spot);
    if (reading === undefined) return [];
    if (reading !== "absence") return [fieldOf(place, [reading], false)];
    refuse(spot, "all-of", "Every candidate wants a value, so none can be absent.");
    return [];
  });
}
