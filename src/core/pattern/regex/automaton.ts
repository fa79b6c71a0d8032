/**
 * A deterministic automaton of a regular expression: one look at a table for each character of a value, whatever the
 * expression. It is made whole when the pattern is read, so what would be too large is refused then.
 */
import { REGEX_CELLS_MAX, REGEX_STATES_MAX, REGEX_STEPS_MAX } from "../limits.ts";
import type { Ranges } from "./ranges.ts";
import type { Node } from "./syntax.ts";

export interface Automaton {
  /** Where each class of characters begins, in order; the first at 0. */
  readonly starts: readonly number[];
  /** The state after a state and a class; 0 is the one from which nothing leads to a match. */
  readonly next: Uint16Array;
  readonly accepting: Uint8Array;
  /** Classes of ASCII, which most texts are made of. */
  readonly ascii: Uint8Array;
}

const FIRST = 1;

/** Undefined when it would be too large. */
export function automatonOf(node: Node): Automaton | undefined {
  const states = nondeterministic(node);
  if (states === undefined) return undefined;
  const starts = classesOf(states);
  const classes = starts.length;
  /** For each state the classes that it takes, by index. */
  const taken = states.map(({ ranges }) => (ranges === null ? [] : classesIn(ranges, starts)));
  const known = new Map<string, number>([["", 0]]);
  const sets: number[][] = [[]];
  const rows: number[][] = [];
  let steps = 0;

  function numberOf(set: number[]): number {
    const key = set.join();
    const before = known.get(key);
    if (before !== undefined) return before;
    known.set(key, sets.length);
    sets.push(set);
    return sets.length - 1;
  }

  const closed = (from: Iterable<number>): number[] => {
    const { visited, set } = closure(from, states);
    steps += visited;
    return set;
  };

  numberOf(closed([0]));
  for (let at = 0; at < sets.length; at += 1) {
    const set = sets[at] ?? [];
    const reached = Array.from({ length: classes }, () => new Set<number>());
    for (const state of set) {
      const after = states[state]?.out[0];
      for (const each of taken[state] ?? []) if (after !== undefined) reached[each]?.add(after);
    }
    const row: number[] = [];
    for (const targets of reached) {
      row.push(targets.size === 0 ? 0 : numberOf(closed(targets)));
      if (steps > REGEX_STEPS_MAX) return undefined;
    }
    rows.push(row);
    steps += set.length + classes;
    if (sets.length * classes > REGEX_CELLS_MAX || steps > REGEX_STEPS_MAX) return undefined;
  }
  const ends = states.length - 1;
  const ascii = new Uint8Array(128);
  for (let code = 0; code < 128; code += 1) ascii[code] = classOf(code, starts);
  return {
    starts,
    next: Uint16Array.from(rows.flat()),
    accepting: Uint8Array.from(sets.map((set) => (set.includes(ends) ? 1 : 0))),
    ascii,
  };
}

/** Whether all of `text` is in the language: one step for each of its characters. */
export function accepts({ starts, next, accepting, ascii }: Automaton, text: string): boolean {
  const classes = starts.length;
  let state = FIRST;
  for (let at = 0; at < text.length; at += 1) {
    let code = text.charCodeAt(at);
    if (code >= 0xd800 && code < 0xdc00) {
      code = text.codePointAt(at) ?? code;
      if (code > 0xffff) at += 1;
    }
    const each = code < 128 ? (ascii[code] ?? 0) : classOf(code, starts);
    state = next[state * classes + each] ?? 0;
    if (state === 0) return false;
  }
  return accepting[state] === 1;
}

/** The last class that begins at or before `code`. */
function classOf(code: number, starts: readonly number[]): number {
  let low = 0;
  for (let high = starts.length - 1; low < high; ) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= code) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** One of Thompson's: takes a character of `ranges`, or goes on without. */
interface State {
  readonly ranges: Ranges | null;
  readonly out: number[];
}

/** The last state is the one that accepts; undefined when there would be too many. */
function nondeterministic(root: Node): State[] | undefined {
  const states: State[] = [];
  const add = (ranges: Ranges | null, ...out: number[]): number => states.push({ ranges, out }) - 1;
  /** Builds the node between `from`, which goes on to it, and the state that it answers. */
  function build(node: Node, from: number): number {
    if (states.length > REGEX_STATES_MAX) return from;
    switch (node.kind) {
      case "set": {
        const taking = add(node.ranges);
        states[from]?.out.push(taking);
        const after = add(null);
        states[taking]?.out.push(after);
        return after;
      }
      case "all":
        return node.parts.reduce((last, part) => build(part, last), from);
      case "any": {
        const ends = node.parts.map((part) => {
          const begin = add(null);
          states[from]?.out.push(begin);
          return build(part, begin);
        });
        const after = add(null);
        for (const end of ends) states[end]?.out.push(after);
        return after;
      }
      case "repeat": {
        let last = from;
        for (let times = 0; times < node.min; times += 1) last = build(node.node, last);
        const after = add(null);
        if (node.max === Number.POSITIVE_INFINITY) {
          const loop = add(null, after);
          states[last]?.out.push(loop);
          states[build(node.node, loop)]?.out.push(loop);
          return after;
        }
        for (
          let times = node.min;
          times < node.max && states.length <= REGEX_STATES_MAX;
          times += 1
        ) {
          states[last]?.out.push(after);
          last = build(node.node, last);
        }
        states[last]?.out.push(after);
        return after;
      }
    }
  }
  const end = build(root, add(null));
  const accepting = add(null);
  states[end]?.out.push(accepting);
  return states.length > REGEX_STATES_MAX ? undefined : states;
}

/** All states that are reached without a character, those that take one or accept, in order. */
function closure(
  from: Iterable<number>,
  states: readonly State[],
): { readonly visited: number; readonly set: number[] } {
  const seen = new Set(from);
  for (const state of seen) {
    const { ranges = null, out = [] } = states[state] ?? {};
    if (ranges === null) for (const next of out) seen.add(next);
  }
  const ends = states.length - 1;
  const set = [...seen]
    .filter((state) => states[state]?.ranges !== null || state === ends)
    .sort((a, b) => a - b);
  return { visited: seen.size, set };
}

/** Characters that no state tells apart are of one class. */
function classesOf(states: readonly State[]): number[] {
  const starts = new Set([0]);
  for (const { ranges } of states) {
    for (const [from, to] of ranges ?? []) {
      starts.add(from);
      if (to < 0x10ffff) starts.add(to + 1);
    }
  }
  return [...starts].sort((a, b) => a - b);
}

function classesIn(ranges: Ranges, starts: readonly number[]): number[] {
  return starts.flatMap((start, at) =>
    ranges.some(([from, to]) => start >= from && start <= to) ? [at] : [],
  );
}
