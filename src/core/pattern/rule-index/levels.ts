/** The elements of arrays, numbered by where they stand, and sets of them as bits. */

export type Bits = Int32Array;

export const NONE: Bits = new Int32Array(0);

/**
 * All elements of the arrays at one place of the event that stand in elements of one other level:
 * `list` of orders and `list.items` of their items are two. Only an object or an array in an array
 * is an element.
 */
export class Level {
  /** Undefined for the event itself, which counts as its only element. */
  readonly parent: Level | undefined;
  readonly depth: number;
  /** For each element, the one of the parent level that it stands in. */
  readonly parents: number[] = [];
  /** What `holdTogether` has found so far: where all holds; where it does by some value; … */
  holding = NONE;
  chosen = NONE;
  /** … where something stands that may be absent; and whether anything may not. */
  present = NONE;
  wantsValue = false;

  constructor(parent: Level | undefined) {
    this.parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
  }

  /** Of 32 elements each. */
  get words(): number {
    return (this.parents.length + 31) >>> 5;
  }

  /** The elements of the parent level in which some of these stand. */
  lift(bits: Bits): Bits {
    const lifted = new Int32Array(this.parent?.words ?? 1);
    for (let at = 0; at < this.parents.length; at += 1) {
      if (has(bits, at)) add(lifted, this.parents[at] ?? 0);
    }
    return lifted;
  }
}

export function add(bits: Bits, at: number): void {
  bits[at >>> 5] = (bits[at >>> 5] ?? 0) | (1 << (at & 31));
}

export function has(bits: Bits, at: number): boolean {
  return ((bits[at >>> 5] ?? 0) & (1 << (at & 31))) !== 0;
}

/** Whether some element is in both. */
export function meet(left: Bits, right: Bits): boolean {
  const words = Math.min(left.length, right.length);
  for (let word = 0; word < words; word += 1) {
    if (((left[word] ?? 0) & (right[word] ?? 0)) !== 0) return true;
  }
  return false;
}

export function intersection(left: Bits, right: Bits): Bits {
  return left.map((word, at) => word & (right[at] ?? 0));
}

export function unite(into: Bits, bits: Bits): void {
  for (let word = 0; word < bits.length; word += 1) {
    into[word] = (into[word] ?? 0) | (bits[word] ?? 0);
  }
}

/** The innermost level that both stand in, or are. */
export function commonLevel(left: Level, right: Level): Level {
  let [one, other] = [left, right];
  while (one !== other) {
    if (one.depth >= other.depth) one = one.parent ?? one;
    else other = other.parent ?? other;
  }
  return one;
}

/** The element of `outer` in which one of `inner` stands. */
export function elementIn(outer: Level, inner: Level, element: number): number {
  let [level, at] = [inner, element];
  while (level !== outer && level.parent !== undefined) {
    at = level.parents[at] ?? 0;
    level = level.parent;
  }
  return at;
}
