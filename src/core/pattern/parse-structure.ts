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
import { Interned, intern } from "./intern.ts";
import { describe, inside, refuse, type Spot, show, warn } from "./issues.ts";
import { PATTERN_DEPTH_MAX } from "./limits.ts";
import { readCandidate } from "./parse-candidate.ts";
import type { AllOf, Candidate, Field } from "./pattern.ts";

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

/** Where the reader stands: the place of faults, and what the way there means. */
export interface Position extends Spot {
  /** Undefined at the top, where no field has been named yet. */
  readonly path: string | undefined;
  readonly depth: number;
  readonly inBranch: boolean;
  /** "field": an ordinary key, the reading when the pattern makes no sense with choices. */
  readonly orMeans: "choice" | "field";
}

/** One object of the pattern with all below it; what is at fault is left out. */
export function readAllOf(object: JsonObject, position: Position): AllOf {
  const fields: Field[] = [];
  const choices: (readonly AllOf[])[] = [];
  const members = Object.entries(object);
  if (members.length === 0) {
    refuse(position, "empty-object", 'At least one field was expected: {"type": ["push"]}.');
  }
  if (position.depth >= PATTERN_DEPTH_MAX) {
    refuse(position, "too-deep", `A pattern nests at most ${PATTERN_DEPTH_MAX} levels.`);
    return { fields, choices };
  }
  for (const [key, value] of members) {
    const at = { ...inside(position, key), depth: position.depth + 1 };
    if (key === OR && position.orMeans === "choice") {
      choices.push(readChoice(value, at));
      continue;
    }
    if (key === OR) {
      warn(at, "or-as-field", "Read as the name of a field: here stands no list of branches.");
    }
    if (position.inBranch && RESERVED_IN_BRANCHES.has(key)) {
      refuse(at, "or-reserved-name", `${show(key)} cannot name a field in a branch of "$or".`);
    }
    const path = position.path === undefined ? key : `${position.path}.${key}`;
    if (isJsonObject(value)) {
      const inner = readAllOf(value, { ...at, path });
      fields.push(...inner.fields);
      choices.push(...inner.choices);
    } else {
      fields.push(...readLeaf(key, value, path, at));
    }
  }
  return { fields: fields.slice(), choices: choices.length === 0 ? NO_CHOICES : choices };
}

const NO_CHOICES: AllOf["choices"] = [];

function readChoice(value: Json, at: Position): readonly AllOf[] {
  const branches = isJsonArray(value) ? value : [];
  if (branches.length < 2) {
    refuse(at, "or", `"$or" takes an array of at least two objects; here stands ${show(value)}.`);
  }
  return branches.map((branch, index) => {
    const inBranch = { ...inside(at, index), depth: at.depth + 1, inBranch: true };
    if (isJsonObject(branch)) return readAllOf(branch, inBranch);
    refuse(inBranch, "or", `A branch is an object of fields; here stands ${describe(branch)}.`);
    return { fields: [], choices: [] };
  });
}

/** Most often one field; several on one path for `all-of`. */
function readLeaf(key: string, value: Json, path: string, at: Spot): readonly Field[] {
  if (!isJsonArray(value)) {
    const example = `${show(key)}: [${show(value)}]`;
    const detail = `A field takes an array of candidates; here stands ${describe(value)}.`;
    refuse(at, "bare-value", `${detail} Write ${example}.`);
    return [];
  }
  if (value.length === 0) {
    refuse(
      at,
      "empty-array",
      'No value can fit an empty list; for any value write [{"exists": true}].',
    );
  }
  const [only] = value;
  if (value.length === 1 && isJsonObject(only) && Object.keys(only).join() === ALL_OF) {
    return readAllOfField(memberOf(only, ALL_OF), path, at);
  }
  return [readField(value, path, at)];
}

/** Of a field with its place, to be looked for among others. */
const SHARED_CHARACTERS_MAX = 200;
const fields = new Interned<Field>();

/** Rules that say the same share what was read, and with it what a match finds out about it. */
function readField(elements: JsonArray, path: string, at: Spot): Field {
  // With both lengths in it, no two fields have one key, whatever stands in their names.
  const { pointer } = at;
  const key = `${path.length} ${pointer.length} ${path}${pointer}${textOf(elements)}`;
  const known = fields.get(key);
  if (known !== undefined) return known;
  const before = at.issues.length + at.warnings.length;
  const field = readCandidates(elements, path, at);
  // What there is to say of it has to be said each time; and a long one stands in few rules.
  const isSilent = at.issues.length + at.warnings.length === before;
  if (isSilent && key.length <= SHARED_CHARACTERS_MAX) fields.set(key, field);
  return field;
}

/** Like no other's: a list begins with a bracket, and most often there is one text, which is quicker so. */
function textOf(elements: JsonArray): string {
  const [first] = elements;
  return elements.length === 1 && typeof first === "string" ? `"${first}` : stringifyJson(elements);
}

function readCandidates(elements: JsonArray, path: string, at: Spot): Field {
  const candidates: Candidate[] = [];
  let absence = false;
  for (const [index, element] of elements.entries()) {
    const reading = readCandidate(element, inside(at, index));
    if (reading === "absence") absence = true;
    else if (reading) candidates.push(reading);
  }
  return fieldOf(path, candidates, absence, at);
}

/** Rules are many: what they have alike is kept once, and no list has room for more than it holds. */
const fieldOf = (
  path: string,
  candidates: readonly Candidate[],
  absence: boolean,
  { pointer }: Spot,
): Field => ({
  path: intern(path),
  candidates: candidates.slice(),
  absence,
  pointer: intern(pointer),
});

/** Each listed candidate is a field of its own: all of them have to find a value. */
function readAllOfField(operand: Json | undefined, path: string, at: Spot): readonly Field[] {
  const within = inside(at, 0, ALL_OF);
  const listed = isJsonArray(operand) ? operand : [];
  if (listed.length === 0) {
    refuse(within, "all-of", '"all-of" takes a list of candidates: [{"all-of": ["a", "b"]}].');
  }
  return listed.flatMap((element, index) => {
    const reading = readCandidate(element, inside(within, index));
    if (reading === undefined) return [];
    if (reading !== "absence") {
      return [fieldOf(path, [reading], false, at)];
    }
    refuse(
      inside(within, index),
      "all-of",
      "Every candidate wants a value, so none can be absent.",
    );
    return [];
  });
}
