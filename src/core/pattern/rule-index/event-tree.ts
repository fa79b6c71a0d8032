/** The places that rules name, and what stands there in the event at hand. */
import {
  ExactNumber,
  isJsonArray,
  type Json,
  type JsonObject,
  type JsonScalar,
  type Names,
  telltaleOf,
} from "../../json.ts";
import type { PathTree } from "../path-tree.ts";
import { type Field, stepsOf, type Test } from "../pattern.ts";
import { passes } from "../test-value.ts";
import type { FieldIndex } from "./field-index.ts";
import { add, type Bits, commonLevel, elementIn, has, Level, meet, NONE, unite } from "./levels.ts";
import { Variety } from "./variety.ts";

/** Through so many values a search is quicker than a set of them is made. */
const SEARCHED_MAX = 8;

/** Lists of nodes that are kept for the next rule that looks at the same places. */
const LISTS_MAX = 1_000;

/** The event itself: what stands in no element. */
const EVENT = new Level(undefined);
EVENT.parents.push(0);

/** Made once and filled anew by every event, so that reading one allocates next to nothing. */
export class EventNode implements PathTree, Names {
  readonly path: string;
  readonly step: string;
  readonly above: EventNode | undefined;
  readonly next = new Map<string, EventNode>();
  telltales = 0;
  /** Those of the event at hand, and by their positions the elements of `level` they stand in. */
  readonly values: JsonScalar[] = [];
  readonly places: number[] = [];
  /** The innermost one that all the values stand in. */
  level = EVENT;
  /** Whether some values stand further in, or in other arrays: `level` does not tell all then. */
  isMixed = false;
  /** Of the arrays that stand here. */
  readonly levels: Level[] = [];
  /** How many fields of rules look here. */
  uses = 0;
  /** Of the tests that rules have here, whether they wait for them or not. */
  readonly variety = new Variety();
  index: FieldIndex | undefined;
  /** By value, the elements it stands in; made once the values are many and something is looked up. */
  #known: Map<JsonScalar, Bits> | undefined;
  /** Of tests and fields for which they were asked before. */
  readonly #passing = new Map<Test | Field, Bits>();
  readonly #passed = new Map<Test, boolean>();
  #present: Bits | undefined;

  constructor(step: string, above: EventNode | undefined) {
    this.step = step;
    this.above = above;
    this.path = above?.above ? `${above.path}.${step}` : step;
  }

  get isField(): boolean {
    return this.uses > 0;
  }

  get isInElements(): boolean {
    return this.level !== EVENT;
  }

  /** Whether so many values stand here that nobody should go through them again and again. */
  get isCrowded(): boolean {
    return this.values.length > SEARCHED_MAX;
  }

  /** Whether some value passes the test. Of many values, what is equal to one is looked up. */
  somePasses(test: Test): boolean {
    if (!this.isCrowded) return this.#findPassing(test);
    if (isLookedUp(test)) {
      this.#known ??= this.#elementsByValue();
      return this.#known.has(test.value);
    }
    const known = this.#passed.get(test) ?? this.#findPassing(test);
    this.#passed.set(test, known);
    return known;
  }

  #findPassing(test: Test): boolean {
    for (const value of this.values) if (passes(test, value)) return true;
    return false;
  }

  /** The elements in which a value passes some candidate of the field. */
  elementsFitting(field: Field): Bits {
    const [only] = field.candidates;
    if (only !== undefined && field.candidates.length === 1) return this.elementsPassing(only.test);
    const known = this.#passing.get(field);
    if (known !== undefined) return known;
    const bits = new Int32Array(this.level.words);
    for (const { test } of field.candidates) unite(bits, this.elementsPassing(test));
    this.#passing.set(field, bits);
    return bits;
  }

  elementsPassing(test: Test): Bits {
    if (isLookedUp(test)) {
      this.#known ??= this.#elementsByValue();
      return this.#known.get(test.value) ?? NONE;
    }
    const known = this.#passing.get(test);
    if (known !== undefined) return known;
    const bits = new Int32Array(this.level.words);
    for (let at = 0; at < this.values.length; at += 1) {
      const value = this.values[at];
      if (value !== undefined && passes(test, value)) add(bits, this.places[at] ?? 0);
    }
    this.#passing.set(test, bits);
    return bits;
  }

  /** The same for few elements, of which one is enough. */
  somePassesIn(elements: Bits, test: Test): boolean {
    if (isLookedUp(test) || this.#passing.has(test)) {
      return meet(this.elementsPassing(test), elements);
    }
    for (let at = 0; at < this.values.length; at += 1) {
      if (!has(elements, this.places[at] ?? 0)) continue;
      const value = this.values[at];
      if (value !== undefined && passes(test, value)) return true;
    }
    return false;
  }

  /** The elements in which any value stands. */
  elementsPresent(): Bits {
    if (this.#present === undefined) {
      this.#present = new Int32Array(this.level.words);
      for (const place of this.places) add(this.#present, place);
    }
    return this.#present;
  }

  take(value: JsonScalar, level: Level, element: number): void {
    if (this.values.length === 0) this.level = level;
    else if (this.level !== level) this.#mix(level);
    this.values.push(value);
    // Of what stands in no element it need not be kept, and mostly that is all.
    if (this.isInElements) this.places.push(elementIn(this.level, level, element));
  }

  forget(): void {
    if (this.isCrowded) this.#passed.clear();
    this.values.length = 0;
    this.#known = undefined;
    if (!this.isInElements && !this.isMixed) return;
    this.places.length = 0;
    this.level = EVENT;
    this.isMixed = false;
    this.#passing.clear();
    this.#present = undefined;
  }

  #mix(level: Level): void {
    const common = commonLevel(this.level, level);
    for (let at = 0; at < this.places.length; at += 1) {
      this.places[at] = elementIn(common, this.level, this.places[at] ?? 0);
    }
    this.level = common;
    this.isMixed = true;
  }

  #elementsByValue(): Map<JsonScalar, Bits> {
    const byValue = new Map<JsonScalar, Bits>();
    for (let at = 0; at < this.values.length; at += 1) {
      const value = this.values[at] ?? null;
      const bits = byValue.get(value) ?? new Int32Array(this.level.words);
      byValue.set(value, bits);
      add(bits, this.places[at] ?? 0);
    }
    return byValue;
  }
}

/** Two spellings of a number that no double holds may be equal, and are two keys of a Map. */
function isLookedUp(test: Test): test is { kind: "equal"; value: JsonScalar } {
  return test.kind === "equal" && !(test.value instanceof ExactNumber);
}

export class EventTree {
  readonly root = new EventNode("", undefined);
  /** Every place that a rule names. */
  readonly fields = new Map<string, EventNode>();
  /** The places at which the event at hand has values. */
  readonly filled: EventNode[] = [];
  /** Those with arrays that have elements. */
  readonly #levelled: EventNode[] = [];

  /** By the places they are of: thousands of rules look at the same few. */
  readonly #lists = new Map<string, readonly EventNode[]>();

  /** A node for each field, to be given back by `release` one by one. */
  claimAll(fields: readonly Field[]): readonly EventNode[] {
    for (const { path } of fields) this.claim(path);
    return this.nodesOf(fields);
  }

  /** For fields that were claimed before. */
  nodesOf(fields: readonly Field[]): readonly EventNode[] {
    const nodes = fields.flatMap(({ path }) => this.fields.get(path) ?? []);
    const key = fields.map(({ path }) => path).join("\n");
    const known = this.#lists.get(key);
    // A place that nobody looked at for a while has another node since.
    if (known?.every((node, at) => node === nodes[at]) && known.length === nodes.length)
      return known;
    if (this.#lists.size >= LISTS_MAX) this.#lists.clear();
    this.#lists.set(key, nodes);
    return nodes;
  }

  /** To be given back by `release`, once for each time. */
  claim(path: string): EventNode {
    const known = this.fields.get(path);
    if (known !== undefined) {
      known.uses += 1;
      return known;
    }
    let node = this.root;
    for (const step of stepsOf(path)) {
      const child = node.next.get(step) ?? new EventNode(step, node);
      node.next.set(step, child);
      node.telltales |= telltaleOf(step);
      node = child;
    }
    node.uses += 1;
    this.fields.set(path, node);
    return node;
  }

  release(released: EventNode): void {
    released.uses -= 1;
    if (released.uses === 0) this.fields.delete(released.path);
    let node = released;
    while (node.above && node.uses === 0 && node.next.size === 0) {
      node.above.next.delete(node.step);
      node = node.above;
    }
  }

  read(event: JsonObject): void {
    this.#readMembers(this.root, event, EVENT, 0);
  }

  forget(): void {
    for (const node of this.filled) node.forget();
    this.filled.length = 0;
    for (const node of this.#levelled) node.levels.length = 0;
    this.#levelled.length = 0;
  }

  #read(node: EventNode, value: Json, level: Level, element: number): void {
    if (isScalar(value)) {
      if (node.uses === 0) return;
      if (node.values.length === 0) this.filled.push(node);
      node.take(value, level, element);
    } else if (isJsonArray(value)) {
      let within: Level | undefined;
      for (const inner of value) {
        if (isScalar(inner)) {
          this.#read(node, inner, level, element);
        } else {
          within ??= this.#levelAt(node, level, element);
          within.parents.push(element);
          this.#read(node, inner, within, within.parents.length - 1);
        }
      }
    } else if (node.next.size > 0) {
      this.#readMembers(node, value, level, element);
    }
  }

  #readMembers(node: EventNode, object: JsonObject, level: Level, element: number): void {
    // Unlike Object.keys it allocates nothing; what it would inherit, no event of JSON has.
    for (const key in object) {
      const child = node.next.get(key) ?? (key.includes(".") ? follow(node, key) : undefined);
      if (child === undefined) continue;
      const member = object[key];
      if (member !== undefined) this.#read(child, member, level, element);
    }
  }

  /** When an event spells one path twice, the second array there has a level of its own. */
  #levelAt(node: EventNode, parent: Level, element: number): Level {
    for (const level of node.levels) {
      if (level.parent === parent && level.parents.at(-1) !== element) return level;
    }
    const level = new Level(parent);
    if (node.levels.length === 0) this.#levelled.push(node);
    node.levels.push(level);
    return level;
  }
}

function isScalar(value: Json): value is JsonScalar {
  return typeof value !== "object" || value === null || value instanceof ExactNumber;
}

function follow(node: EventNode, key: string): EventNode | undefined {
  let child: EventNode | undefined = node;
  for (const step of stepsOf(key)) child = child?.next.get(step);
  return child;
}
