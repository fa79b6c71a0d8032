/** Finds the values of an event that patterns ask for, and the array elements they stand in. */
import { isJsonArray, isJsonObject, type Json, type JsonObject, type JsonScalar } from "../json.ts";
import { stepsOf } from "./pattern.ts";

/** The paths that patterns name, as a tree of their steps; what is not in it is skipped. */
export interface PathTree {
  /** The steps down to here, joined. */
  readonly path: string;
  /** Whether a pattern asks for values right here. */
  readonly isField: boolean;
  readonly next: ReadonlyMap<string, PathTree>;
}

/**
 * The values at one path, by where they stand. A scalar directly in an array belongs to no element
 * of it: only an object or an array in an array is an element that fields may have to share.
 */
export interface Occurrences {
  readonly values: readonly JsonScalar[];
  readonly elements: ReadonlyMap<ElementInEvent, Occurrences>;
}

/** An object or array inside an array, both known by identity; path and index are for people. */
export interface ElementInEvent {
  readonly array: { readonly path: string };
  readonly index: number;
}

export type EventValues = ReadonlyMap<string, Occurrences>;

export const NOWHERE: Occurrences = { values: [], elements: new Map() };

/** All values, whatever elements they stand in. */
export function valuesIn(found: Occurrences, values: JsonScalar[] = []): readonly JsonScalar[] {
  for (const value of found.values) values.push(value);
  for (const inner of found.elements.values()) valuesIn(inner, values);
  return values;
}

interface GrowingTree extends PathTree {
  isField: boolean;
  readonly next: Map<string, GrowingTree>;
}

interface GrowingOccurrences {
  readonly values: JsonScalar[];
  readonly elements: Map<ElementInEvent, GrowingOccurrences>;
}

/** The event, or one element of it, while values are found in it. */
interface Place {
  readonly found: Map<string, GrowingOccurrences>;
  /** Undefined for the event itself. */
  readonly within: { readonly outer: Place; readonly element: ElementInEvent } | undefined;
}

export function growPathTree(paths: Iterable<string>): PathTree {
  const root: GrowingTree = { path: "", isField: false, next: new Map() };
  for (const path of paths) {
    let node = root;
    for (const [index, step] of stepsOf(path).entries()) {
      const grown = node.next.get(step) ?? {
        path: index === 0 ? step : `${node.path}.${step}`,
        isField: false,
        next: new Map(),
      };
      node.next.set(step, grown);
      node = grown;
    }
    node.isField = true;
  }
  return root;
}

function pathsIn(tree: PathTree): readonly string[] {
  const below = [...tree.next.values()].flatMap(pathsIn);
  return tree.isField ? [tree.path, ...below] : below;
}

/** One walk over the parts of the event that the tree names, whatever the number of patterns. */
export function readEventValues(tree: PathTree, event: JsonObject): EventValues {
  const whole: Place = { found: new Map(), within: undefined };
  visit(tree, event, whole);
  return whole.found;
}

function visit(node: PathTree, value: Json, place: Place): void {
  if (isJsonArray(value)) {
    const array = { path: node.path };
    for (const [index, element] of value.entries()) {
      const isElement = isJsonArray(element) || isJsonObject(element);
      visit(node, element, isElement ? placeWithin(place, { array, index }) : place);
    }
  } else if (!isJsonObject(value)) {
    if (node.isField) occurrencesAt(place, node.path).values.push(value);
  } else if (node.next.size > 0) {
    for (const key of Object.keys(value)) {
      const child = follow(node, key);
      const member = value[key];
      if (child && member !== undefined) visit(child, member, place);
    }
  }
}

function placeWithin(outer: Place, element: ElementInEvent): Place {
  return { found: new Map(), within: { outer, element } };
}

/** A key with dots is several steps. */
function follow(node: PathTree, key: string): PathTree | undefined {
  if (!key.includes(".")) return node.next.get(key);
  let child: PathTree | undefined = node;
  for (const step of stepsOf(key)) child = child?.next.get(step);
  return child;
}

function occurrencesAt(place: Place, path: string): GrowingOccurrences {
  const known = place.found.get(path);
  if (known) return known;
  const occurrences: GrowingOccurrences = { values: [], elements: new Map() };
  place.found.set(path, occurrences);
  const { within } = place;
  if (within) occurrencesAt(within.outer, path).elements.set(within.element, occurrences);
  return occurrences;
}
