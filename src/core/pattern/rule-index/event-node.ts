/** A place that rules name, and what stands there in the event at hand. */
import { ExactNumber, type JsonScalar, type Names } from "../../json.ts";
import type { PathTree } from "../path-tree.ts";
import type { Field, Test } from "../pattern.ts";
import { passes } from "../test-value.ts";
import type { FieldIndex } from "./field-index.ts";
import { add, type Bits, commonLevel, elementIn, has, Level, meet, NONE, unite } from "./levels.ts";
import { Variety } from "./variety.ts";

/** Through so many values a search is quicker than a set of them is made. */
const SEARCHED_MAX = 8;

/** The event itself: what stands in no element. */
export const EVENT = new Level(undefined);
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
