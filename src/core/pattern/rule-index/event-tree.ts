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
import { NOWHERE, type Occurrences, type PathTree } from "../path-tree.ts";
import { stepsOf, type Test } from "../pattern.ts";
import { passes } from "../test-value.ts";
import type { FieldIndex } from "./field-index.ts";
import { Variety } from "./variety.ts";

/** Through so many values a search is quicker than a set of them is made. */
const SEARCHED_MAX = 8;

/** Made once and filled anew by every event, so that reading one allocates next to nothing. */
export class EventNode implements PathTree, Occurrences, Names {
  readonly path: string;
  readonly step: string;
  readonly above: EventNode | undefined;
  readonly next = new Map<string, EventNode>();
  telltales = 0;
  /** Those of the event at hand; where `inElement` is true, in which elements is not kept. */
  readonly values: JsonScalar[] = [];
  readonly elements = NOWHERE.elements;
  inElement = false;
  /** How many fields of rules look here. */
  uses = 0;
  /** Of the tests that rules have here, whether they wait for them or not. */
  readonly variety = new Variety();
  index: FieldIndex | undefined;
  /** The values, once they are many and something is looked up. */
  #known: Set<JsonScalar> | undefined;

  constructor(step: string, above: EventNode | undefined) {
    this.step = step;
    this.above = above;
    this.path = above?.above ? `${above.path}.${step}` : step;
  }

  get isField(): boolean {
    return this.uses > 0;
  }

  /** Whether some value passes the test. Of many values, what is equal to one is looked up. */
  somePasses(test: Test): boolean {
    const { values } = this;
    // Two spellings of a number that no double holds may be equal.
    if (
      test.kind === "equal" &&
      values.length > SEARCHED_MAX &&
      !(test.value instanceof ExactNumber)
    ) {
      this.#known ??= new Set(values);
      return this.#known.has(test.value);
    }
    for (const value of values) if (passes(test, value)) return true;
    return false;
  }

  forget(): void {
    this.values.length = 0;
    this.inElement = false;
    this.#known = undefined;
  }
}

export class EventTree {
  readonly root = new EventNode("", undefined);
  /** Every place that a rule names; correct as long as none of the values stands in an element. */
  readonly fields = new Map<string, EventNode>();
  /** The places at which the event at hand has values. */
  readonly filled: EventNode[] = [];

  /** To be given back by `release`, once for each time. */
  claim(path: string): EventNode {
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
    this.#readMembers(this.root, event, false);
  }

  forget(): void {
    for (const node of this.filled) node.forget();
    this.filled.length = 0;
  }

  #read(node: EventNode, value: Json, inElement: boolean): void {
    if (typeof value !== "object" || value === null || value instanceof ExactNumber) {
      if (node.uses > 0) this.#take(node, value, inElement);
    } else if (isJsonArray(value)) {
      for (const inner of value) {
        // An ExactNumber counts as an element here, which costs time and changes no result.
        this.#read(node, inner, inElement || (typeof inner === "object" && inner !== null));
      }
    } else if (node.next.size > 0) {
      this.#readMembers(node, value, inElement);
    }
  }

  #readMembers(node: EventNode, object: JsonObject, inElement: boolean): void {
    // Unlike Object.keys it allocates nothing; what it would inherit, no event of JSON has.
    for (const key in object) {
      const child = node.next.get(key) ?? (key.includes(".") ? follow(node, key) : undefined);
      if (child === undefined) continue;
      const member = object[key];
      if (member !== undefined) this.#read(child, member, inElement);
    }
  }

  #take(node: EventNode, value: JsonScalar, inElement: boolean): void {
    if (node.values.length === 0) this.filled.push(node);
    node.values.push(value);
    if (inElement) node.inElement = true;
  }
}

function follow(node: EventNode, key: string): EventNode | undefined {
  let child: EventNode | undefined = node;
  for (const step of stepsOf(key)) child = child?.next.get(step);
  return child;
}
