/** A test that a rule demands besides that of its group: most rules tried in vain end at it. */
import type { JsonScalar } from "../../json.ts";
import type { Test } from "../pattern.ts";
import { passes } from "../test-value.ts";
import type { EventNode } from "./event-node.ts";
import type { Reached } from "./reached.ts";

export interface Guard {
  readonly node: EventNode;
  readonly test: Test;
}

/** No unit is certain. */
const ANY_UNIT = -1;
/** Added to the unit that a text must end with; what is less, it must start with. */
const AT_END = 0x10000;

/**
 * The guards of the rules of a group, by position. Among many rules the time goes into fetching
 * what was not looked at lately, so that what refuses most of them stands in arrays of its own.
 */
export class Guards {
  readonly #nodes: (EventNode | undefined)[];
  readonly #tests: (Test | undefined)[];
  readonly #units: number[];

  /** Of the first rule that has one; `before` it came so many that have none. */
  constructor(before: number, { node, test }: Guard) {
    // Most groups have one rule, and an array that grows by push has room for many.
    this.#nodes = Array<EventNode | undefined>(before).fill(undefined).concat([node]);
    this.#tests = Array<Test | undefined>(before).fill(undefined).concat([test]);
    this.#units = Array<number>(before)
      .fill(ANY_UNIT)
      .concat([telltaleUnit(test)]);
  }

  push(guard: Guard | undefined): void {
    this.#nodes.push(guard?.node);
    this.#tests.push(guard?.test);
    this.#units.push(guard ? telltaleUnit(guard.test) : ANY_UNIT);
  }

  replaceByLast(at: number): void {
    replaceByLast(this.#nodes, at);
    replaceByLast(this.#tests, at);
    replaceByLast(this.#units, at);
  }

  /** For the event at hand, by a value that stands in the same elements as those that led here. */
  pass(at: number, reached: Reached): boolean {
    const node = this.#nodes[at];
    if (node === undefined) return true;
    if (node.isCrowded || node.isInElements) {
      const test = this.#tests[at];
      if (test === undefined) return true;
      const elements = reached.elementsFor(node);
      return elements ? node.somePassesIn(elements, test) : node.somePasses(test);
    }
    const unit = this.#units[at] ?? ANY_UNIT;
    for (const value of node.values) {
      if (unit !== ANY_UNIT && !hasUnit(value, unit)) continue;
      const test = this.#tests[at];
      if (test === undefined || passes(test, value)) return true;
    }
    return false;
  }
}

/** The order of rules in a group means nothing. */
export function replaceByLast(items: unknown[], at: number): void {
  const last = items.length - 1;
  items.copyWithin(at, last);
  items.length = last;
}

function hasUnit(value: JsonScalar, unit: number): boolean {
  if (typeof value !== "string") return false;
  return unit < AT_END
    ? value.charCodeAt(0) === unit
    : value.charCodeAt(value.length - 1) === unit - AT_END;
}

/** One unit that every text which passes starts or ends with, and that nothing but text passes. */
function telltaleUnit(test: Test): number {
  switch (test.kind) {
    case "equal":
      return typeof test.value === "string" ? endOf(test.value) : ANY_UNIT;
    case "suffix":
      return endOf(test.text);
    case "prefix":
      return startOf(test.text);
    case "wildcard": {
      const { literals, ignoreCase } = test.wildcard;
      if (ignoreCase) return ANY_UNIT;
      const end = endOf(literals.at(-1) ?? "");
      return end === ANY_UNIT ? startOf(literals[0] ?? "") : end;
    }
    default:
      return ANY_UNIT;
  }
}

function startOf(text: string): number {
  return text === "" ? ANY_UNIT : text.charCodeAt(0);
}

function endOf(text: string): number {
  return text === "" ? ANY_UNIT : text.charCodeAt(text.length - 1) + AT_END;
}
