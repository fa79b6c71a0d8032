/** Sets of characters, as ranges of code points. */

/** Code points, both ends included, in order and apart from each other. */
export type Ranges = readonly (readonly [from: number, to: number])[];

/** The last code point of Unicode. */
export const LAST = 0x10ffff;
const DIGITS: Ranges = [[0x30, 0x39]];
const WORDS: Ranges = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
/** ECMAScript's WhiteSpace and LineTerminator. */
const SPACES: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
export const CLASSES: Readonly<Record<string, Ranges>> = { d: DIGITS, w: WORDS, s: SPACES };
/** Line ends as well, unlike in ECMAScript without the flag s: a value is not made of lines. */
export const EVERYTHING: Ranges = [[0, LAST]];
/** Sorted, and what touches joined. */
export function ordered(ranges: Ranges): Ranges {
  const joined: [number, number][] = [];
  for (const [from, to] of ranges.toSorted(([left], [right]) => left - right)) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

export function negated(ranges: Ranges): Ranges {
  const gaps: [number, number][] = [];
  let from = 0;
  for (const [start, end] of ordered(ranges)) {
    if (start > from) gaps.push([from, start - 1]);
    from = end + 1;
  }
  if (from <= LAST) gaps.push([from, LAST]);
  return gaps;
}

/** The letters A to Z in both cases, where one of them is there. */
export function bothCases(ranges: Ranges): Ranges {
  const more = ranges.flatMap(([from, to]): [number, number][] =>
    [
      { first: 0x41, last: 0x5a, shift: 32 },
      { first: 0x61, last: 0x7a, shift: -32 },
    ].flatMap(({ first, last, shift }): [number, number][] => {
      const [low, high] = [Math.max(from, first), Math.min(to, last)];
      return low > high ? [] : [[low + shift, high + shift]];
    }),
  );
  return [...ranges, ...more];
}
