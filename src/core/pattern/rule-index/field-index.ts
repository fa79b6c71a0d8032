/** The tests that rules wait for at one place, found by a value that stands there. */
import { ExactNumber, type JsonScalar, stringifyJson } from "../../json.ts";
import type { Candidate, Test } from "../pattern.ts";
import { CidrIndex } from "./cidr-index.ts";
import type { EventNode } from "./event-node.ts";
import { Group, type Search } from "./group.ts";
import { type Bits, has, meet } from "./levels.ts";
import { RangeTree } from "./range-tree.ts";
import { ignoresCase, TextIndex } from "./text-index.ts";

/** Where it is asked: at the top for every event, or once the test of a group is passed. */
export interface Place {
  readonly node: EventNode;
  readonly within: Group | undefined;
}

/**
 * Equal tests share a group, so that what many rules wait for is tested once. An index may find too
 * much, never too little: what it cannot prove, the group tests.
 */
export class FieldIndex {
  readonly place: Place;
  /** How many rules wait here, or deeper. */
  load = 0;
  readonly #equal = new Map<JsonScalar, Group>();
  /** All other groups, by what they test. */
  readonly #others = new Map<string, Group>();
  #texts: TextIndex | undefined;
  #folded: TextIndex | undefined;
  #ranges: RangeTree | undefined;
  #cidrs: CidrIndex | undefined;
  /** Tests that most values pass. */
  #loose: Set<Group> | undefined;
  #absence: Group | undefined;

  constructor(place: Place) {
    this.place = place;
  }

  get(candidate: Candidate): Group | undefined {
    return isPlain(candidate.test)
      ? this.#equal.get(candidate.test.value)
      : this.#others.get(keyOf(candidate));
  }

  groupFor(candidate: Candidate): Group {
    const known = this.get(candidate);
    if (known) return known;
    const { test } = candidate;
    const group = new Group(this, candidate, isProvenByIndex(test) ? undefined : test);
    if (isPlain(test)) {
      this.#equal.set(test.value, group);
    } else {
      this.#others.set(keyOf(candidate), group);
      this.#add(test, group);
    }
    return group;
  }

  /** The group of the rules that can only match while no value stands here. */
  get absence(): Group | undefined {
    return this.#absence;
  }

  groupForAbsence(): Group {
    this.#absence ??= new Group(this, undefined, undefined);
    return this.#absence;
  }

  remove({ candidate }: Group): void {
    if (candidate === undefined) {
      this.#absence = undefined;
      return;
    }
    const { test } = candidate;
    const group = this.get(candidate);
    if (group === undefined) return;
    if (isPlain(test)) {
      this.#equal.delete(test.value);
    } else {
      this.#others.delete(keyOf(candidate));
      this.#remove(test, group);
    }
  }

  isEmpty(): boolean {
    return this.load === 0;
  }

  /** Reaches every group whose test the value passes, and maybe others. */
  find(value: JsonScalar, search: Search): void {
    if (value instanceof ExactNumber) {
      const group = this.#others.get(decimalKey(value));
      if (group !== undefined) search.reach(group, value);
      this.#ranges?.find(value, search);
    } else {
      const group = this.#equal.get(value);
      if (group !== undefined) search.reach(group, value);
      if (typeof value === "number") this.#ranges?.find(value, search);
      if (typeof value === "string") this.#findText(value, search);
    }
    if (this.#loose !== undefined) {
      for (const group of this.#loose) search.reach(group, value);
    }
  }

  /** The same for all that stands at a place, or for what stands there in one of the elements. */
  findAll(node: EventNode, elements: Bits | undefined, search: Search): void {
    const { values, places } = node;
    if (this.#others.size === 0 && this.#equal.size < values.length) {
      for (const group of this.#equal.values()) {
        const test = group.candidate?.test;
        if (test === undefined) continue;
        const passes = elements
          ? meet(node.elementsPassing(test), elements)
          : node.somePasses(test);
        if (passes) search.pass(group);
      }
      return;
    }
    for (let at = 0; at < values.length; at += 1) {
      const value = values[at];
      if (elements !== undefined && !has(elements, places[at] ?? 0)) continue;
      if (value !== undefined) this.find(value, search);
    }
  }

  #findText(text: string, search: Search): void {
    this.#texts?.find(text, search);
    this.#folded?.find(text, search);
    this.#cidrs?.find(text, search);
  }

  #add(test: Test, group: Group): void {
    switch (test.kind) {
      case "range":
        this.#ranges ??= new RangeTree();
        this.#ranges.add(test, group);
        break;
      case "cidr":
        this.#cidrs ??= new CidrIndex();
        this.#cidrs.add(test.cidr, group);
        break;
      case "equal":
        break;
      case "any":
      case "none-of":
        this.#loose ??= new Set();
        this.#loose.add(group);
        break;
      default:
        if (ignoresCase(test)) this.#folded ??= new TextIndex(true);
        else this.#texts ??= new TextIndex(false);
        (ignoresCase(test) ? this.#folded : this.#texts)?.add(test, group);
    }
  }

  #remove(test: Test, group: Group): void {
    switch (test.kind) {
      case "range":
        this.#ranges?.remove(test, group);
        break;
      case "cidr":
        this.#cidrs?.remove(test.cidr);
        if (this.#cidrs?.size === 0) this.#cidrs = undefined;
        break;
      case "equal":
        break;
      case "any":
      case "none-of":
        this.#loose?.delete(group);
        break;
      default:
        (ignoresCase(test) ? this.#folded : this.#texts)?.remove(test, group);
        if (this.#folded?.size === 0) this.#folded = undefined;
        if (this.#texts?.size === 0) this.#texts = undefined;
    }
  }
}

function isProvenByIndex({ kind }: Test): boolean {
  return ["equal", "prefix", "suffix", "cidr", "any"].includes(kind);
}

/** Equal for tests that are written alike; for addresses and numbers also for those that are. */
export function keyOf({ operator, operand, test }: Candidate): string {
  if (test.kind === "cidr") {
    return `${operator} ${test.cidr.family} ${test.cidr.prefixBits} ${test.cidr.prefix}`;
  }
  if (test.kind === "equal" && test.value instanceof ExactNumber) return decimalKey(test.value);
  // Texts are by far the most frequent, and building their JSON takes time.
  return typeof operand === "string"
    ? `${operator}:${operand}`
    : `${operator} ${stringifyJson(operand)}`;
}

/** No two spellings of one number differ in it, and no double equals an ExactNumber. */
function decimalKey({ decimal }: ExactNumber): string {
  return `= ${decimal.negative ? "-" : ""}${decimal.digits}e${decimal.exponent}`;
}

/** Whether a Map tells values as the test does. */
function isPlain(test: Test): test is { kind: "equal"; value: Exclude<JsonScalar, ExactNumber> } {
  return test.kind === "equal" && !(test.value instanceof ExactNumber);
}
