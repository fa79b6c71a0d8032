/** Where the fields of patterns stand: thousands of rules name the same few places, each spelled out once. */
import { formatPointer } from "../json.ts";
import type { Field } from "./pattern.ts";

/** Of places, and of each generation of fields. What comes again among as many others is still known. */
const KNOWN_MAX = 16_384;
/** Of a place, or of a field with its place. What is longer stands in few rules, and would be kept after them. */
export const KNOWN_CHARACTERS_MAX = 200;

export class Place {
  /** Keys joined with dots; undefined at the top, where none has been named yet. */
  readonly path: string | undefined;
  /** JSON Pointer into the pattern. */
  readonly pointer: string;
  readonly depth: number;
  /** No other place has it. */
  readonly id: number;
  readonly #below = new Map<string, Place>();

  constructor(path: string | undefined, pointer: string, depth: number) {
    this.path = path;
    this.pointer = pointer;
    this.depth = depth;
    this.id = made;
    made += 1;
  }

  /** The field with that name. */
  field(key: string): Place {
    const known = this.#below.get(key);
    if (known !== undefined) return known;
    const path = this.path === undefined ? key : `${this.path}.${key}`;
    const place = new Place(path, this.pointer + formatPointer([key]), this.depth + 1);
    if (place.pointer.length <= KNOWN_CHARACTERS_MAX) this.#below.set(key, place);
    return place;
  }

  /** A choice that stands here, or the branch of one: on the same path. */
  within(step: string | number): Place {
    return new Place(this.path, this.pointer + formatPointer([step]), this.depth + 1);
  }
}

let made = 0;
let top = new Place(undefined, "", 0);

/** The pattern itself. What is below it is known from other patterns, until it is too much. */
export function topPlace(): Place {
  if (made - top.id > KNOWN_MAX) top = new Place(undefined, "", 0);
  return top;
}

let young = new Map<string, Field>();
/** Forgotten when the young ones are as many. */
let old = new Map<string, Field>();

/** One field for all that are equal: with it, rules share what a match finds out about it. */
export function knownField(key: string): Field | undefined {
  const field = young.get(key);
  if (field !== undefined) return field;
  const older = old.get(key);
  if (older !== undefined) rememberField(key, older);
  return older;
}

export function rememberField(key: string, field: Field): void {
  if (young.size >= KNOWN_MAX) {
    old = young;
    young = new Map();
  }
  young.set(key, field);
}
