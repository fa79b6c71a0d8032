/**
 * Regular expressions as they are written: the part of ECMAScript's that describes a language, so that an automaton can
 * tell it. What looks back, looks around or counts beyond a bound is refused, with a way to say it otherwise.
 */

import { bothCases, CLASSES, EVERYTHING, LAST, negated, ordered, type Ranges } from "./ranges.ts";

export type Node =
  | { readonly kind: "set"; readonly ranges: Ranges }
  | { readonly kind: "all"; readonly parts: readonly Node[] }
  | { readonly kind: "any"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly node: Node; readonly min: number; readonly max: number };

export type Syntax =
  | { readonly ok: true; readonly node: Node }
  | { readonly ok: false; readonly detail: string };

const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };
/** Of one counted repetition; the automaton has a bound of its own. */
const COUNT_MAX = 1_000;

class Fault extends Error {}

/** `(?i)` at the start ignores the case of the letters A to Z. `^` and `$` may stand at the ends. */
export function readRegex(source: string): Syntax {
  const ignoreCase = source.startsWith("(?i)");
  const inner = source
    .slice(ignoreCase ? 4 : 0)
    .replace(/^\^/, "")
    .replace(/(?<=(?:^|[^\\])(?:\\\\)*)\$$/, "");
  const reader = createReader([...inner], ignoreCase);
  try {
    return { ok: true, node: reader.read() };
  } catch (error) {
    if (error instanceof Fault) return { ok: false, detail: error.message };
    throw error;
  }
}

function createReader(characters: readonly string[], ignoreCase: boolean) {
  let at = 0;
  const peek = (ahead = 0): string | undefined => characters[at + ahead];
  const fail = (detail: string): never => {
    throw new Fault(detail);
  };
  const set = (ranges: Ranges): Node => ({
    kind: "set",
    ranges: ordered(ignoreCase ? bothCases(ranges) : ranges),
  });

  function readAny(): Node {
    const parts = [readAll()];
    while (peek() === "|") {
      at += 1;
      parts.push(readAll());
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: "any", parts };
  }

  function readAll(): Node {
    const parts: Node[] = [];
    for (let next = peek(); next !== undefined && next !== "|" && next !== ")"; next = peek()) {
      parts.push(readRepeats(readOne(next)));
    }
    return { kind: "all", parts };
  }

  function readRepeats(node: Node): Node {
    const bounds = readBounds();
    if (bounds === undefined) return node;
    if (peek() === "?") at += 1; // lazy or not, the language is the same
    if (peek() === "+") fail('"++" and the like take no part back: write one "+".');
    if (readBounds() !== undefined)
      fail("Two repetitions stand behind each other; put a group around the first.");
    return { kind: "repeat", node, ...bounds };
  }

  function readBounds(): { min: number; max: number } | undefined {
    const sign = peek();
    if (sign === "*" || sign === "+" || sign === "?") {
      at += 1;
      return { min: sign === "+" ? 1 : 0, max: sign === "?" ? 1 : Number.POSITIVE_INFINITY };
    }
    if (sign !== "{") return undefined;
    const [text, from, comma, to] =
      /^\{(\d+)(,?)(\d*)\}/.exec(characters.slice(at, at + 20).join("")) ?? [];
    if (text === undefined || from === undefined) {
      return fail(
        'A brace opens a count such as {2,5}; the brace itself is written "\\\\{" in JSON.',
      );
    }
    at += text.length;
    const min = Number(from);
    const max = comma === "" ? min : to === "" ? Number.POSITIVE_INFINITY : Number(to);
    if (max < min) fail(`The count ${text} ends below its start; write {${max},${min}}.`);
    if (min > COUNT_MAX || (max !== Number.POSITIVE_INFINITY && max > COUNT_MAX)) {
      fail(`The count ${text} is above ${COUNT_MAX}.`);
    }
    return { min, max };
  }

  function readOne(first: string): Node {
    at += 1;
    switch (first) {
      case "(":
        return readGroup();
      case "[":
        return set(readClass());
      case ".":
        return { kind: "set", ranges: EVERYTHING };
      case "\\":
        return set(readEscape(false));
      case "*":
      case "+":
      case "?":
        return fail(
          `Nothing stands before "${first}" that could be repeated; the sign itself is "\\\\${first}" in JSON.`,
        );
      case "{":
        return fail('A count stands behind nothing; the brace itself is "\\\\{" in JSON.');
      case "^":
      case "$":
        return fail(
          `"${first}" has a meaning at the ends only: all of the value must match. For a part write ".*part.*".`,
        );
      case "]":
      case "}":
        return fail(`"${first}" closes nothing; the sign itself is "\\\\${first}" in JSON.`);
      default:
        return set([[codeOf(first), codeOf(first)]]);
    }
  }

  function readGroup(): Node {
    if (peek() === "?") {
      const rest = characters.slice(at, at + 3).join("");
      if (rest.startsWith("?:")) at += 2;
      else if (/^\?<?[=!]/.test(rest)) {
        fail(
          'Looking ahead or behind is not possible without going back; use several fields, "anything-but" or "$or".',
        );
      } else if (rest.startsWith("?<")) fail('Groups have no names here: write "(…)".');
      else fail('Of flags there is "(?i)", at the very start.');
    }
    const node = readAny();
    if (peek() !== ")") fail('A "(" is never closed.');
    at += 1;
    return node;
  }

  function readEscape(inClass: boolean): Ranges {
    const sign = peek();
    if (sign === undefined)
      return fail("A backslash stands at the end; in JSON a backslash is written twice.");
    at += 1;
    const known = CLASSES[sign.toLowerCase()];
    if (known !== undefined) return sign === sign.toLowerCase() ? known : negated(known);
    const control = CONTROLS[sign];
    if (control !== undefined && !(sign === "0" && /\d/.test(peek() ?? "")))
      return [[control, control]];
    if (/[1-9]/.test(sign))
      fail(`"\\${sign}" asks for what a group matched before, which no automaton knows.`);
    if ((sign === "b" || sign === "B") && !inClass) {
      fail(
        'There are no word boundaries: write what stands there, such as "(.*\\\\W)?word(\\\\W.*)?" in JSON.',
      );
    }
    if (sign === "x" || sign === "u") {
      const code = readHex(sign);
      return [[code, code]];
    }
    if (/[A-Za-z0-9]/.test(sign))
      fail(`"\\${sign}" is no escape; there are \\d \\w \\s \\t \\n \\r \\f \\v \\xHH \\uHHHH.`);
    return [[codeOf(sign), codeOf(sign)]];
  }

  function readHex(sign: string): number {
    const rest = characters.slice(at, at + 12).join("");
    const found = (
      sign === "x" ? /^([0-9a-fA-F]{2})/ : /^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4}))/
    ).exec(rest);
    const digits = found?.[1] ?? found?.[2];
    if (found === null || digits === undefined || Number.parseInt(digits, 16) > LAST) {
      return fail(`"\\${sign}" is followed by its digits: \\x41, \\u0041 or \\u{1F600}.`);
    }
    at += found[0].length;
    return Number.parseInt(digits, 16);
  }

  function readClass(): Ranges {
    const isNegated = peek() === "^";
    if (isNegated) at += 1;
    const ranges: (readonly [number, number])[] = [];
    while (peek() !== "]") {
      if (peek() === undefined) fail('A "[" is never closed.');
      if (peek() === "[" && peek(1) === ":")
        fail('"[:name:]" is not known; write \\d, \\w or \\s.');
      const from = readMember();
      if (peek() !== "-" || peek(1) === "]" || peek(1) === undefined) {
        ranges.push(...from);
        continue;
      }
      at += 1;
      const to = readMember();
      const [[low, end] = [0, 0]] = from;
      const [[high, last] = [0, 0]] = to;
      if (from.length !== 1 || to.length !== 1 || low !== end || high !== last) {
        fail("A range goes from one character to another; a class such as \\d stands by itself.");
      }
      if (high < low)
        fail(
          `The range ends before its start; write [${String.fromCodePoint(high)}-${String.fromCodePoint(low)}].`,
        );
      ranges.push([low, high]);
    }
    at += 1;
    if (ranges.length === 0) fail(isNegated ? '"[^]" is ".".' : '"[]" matches nothing.');
    const all = ignoreCase ? bothCases(ranges) : ranges;
    return isNegated ? negated(all) : all;
  }

  function readMember(): Ranges {
    const sign = peek() ?? "";
    at += 1;
    return sign === "\\" ? readEscape(true) : [[codeOf(sign), codeOf(sign)]];
  }

  return {
    read(): Node {
      const node = readAny();
      if (peek() === ")") fail('A ")" closes nothing; the sign itself is "\\\\)" in JSON.');
      return node;
    },
  };
}

const codeOf = (character: string): number => character.codePointAt(0) ?? 0;
