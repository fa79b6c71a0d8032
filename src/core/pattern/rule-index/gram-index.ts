/** Finds the texts' parts that stand anywhere, by one short run of units out of each. */
import type { JsonScalar } from "../../json.ts";
import type { Group, Search } from "./group.ts";

const GRAM_LENGTH_MAX = 3;
/** How far a unit moves the number of its slot: what came before a run of three is moved out of it. */
const SHIFT = 5;
/** Several runs may share a slot: the candidate is tested anyway. */
const SLOTS = 1 << (SHIFT * GRAM_LENGTH_MAX);
const FREE = 0;
const USED = 1;
const SEEN = 2;

/** One pass over a text, whatever stands in it: a slot that comes again costs a look at a byte. */
export class GramIndex {
  readonly #slots = new Map<number, Group[]>();
  readonly #state = new Uint8Array(SLOTS);
  /** How many keys are indexed by a run of each length. */
  readonly #lengths = [0, 0, 0, 0];
  readonly #seen: number[] = [];

  get size(): number {
    return this.#lengths.reduce((sum, count) => sum + count, 0);
  }

  /** Under the run of the key that fewest others use. `key` is not empty. */
  add(key: string, group: Group): void {
    let [best = 0, ...others] = slotsOf(key);
    for (const slot of others) {
      if (this.#load(slot) < this.#load(best)) best = slot;
    }
    const groups = this.#slots.get(best);
    if (groups) groups.push(group);
    else this.#slots.set(best, [group]);
    this.#state[best] = USED;
    this.#count(key, 1);
  }

  remove(key: string, group: Group): void {
    for (const slot of slotsOf(key)) {
      const groups = this.#slots.get(slot);
      if (!groups?.includes(group)) continue;
      const left = groups.filter((other) => other !== group);
      if (left.length > 0) {
        this.#slots.set(slot, left);
      } else {
        this.#slots.delete(slot);
        this.#state[slot] = FREE;
      }
    }
    this.#count(key, -1);
  }

  find(text: string, value: JsonScalar, search: Search): void {
    const [, ones = 0, twos = 0, threes = 0] = this.#lengths;
    if (ones > 0) this.#seeRuns(text, 1);
    if (twos > 0) this.#seeRuns(text, 2);
    if (threes > 0) this.#seeRuns(text, GRAM_LENGTH_MAX);
    for (const slot of this.#seen) {
      this.#state[slot] = USED;
      for (const group of this.#slots.get(slot) ?? []) search.reach(group, value);
    }
    this.#seen.length = 0;
  }

  /** Nothing but this in the loop: texts may be long. */
  #seeRuns(text: string, length: number): void {
    const state = this.#state;
    const bits = (1 << (SHIFT * length)) - 1;
    const spread = spreadOf(length);
    let slot = 0;
    for (let at = 0; at < text.length; at += 1) {
      slot = ((slot << SHIFT) ^ text.charCodeAt(at)) & bits;
      if (state[slot ^ spread] === USED) this.#see(slot ^ spread);
    }
  }

  #see(slot: number): void {
    this.#state[slot] = SEEN;
    this.#seen.push(slot);
  }

  #load(slot: number): number {
    return this.#slots.get(slot)?.length ?? 0;
  }

  #count(key: string, change: number): void {
    const length = Math.min(key.length, GRAM_LENGTH_MAX);
    this.#lengths[length] = (this.#lengths[length] ?? 0) + change;
  }
}

function slotsOf(key: string): number[] {
  const length = Math.min(key.length, GRAM_LENGTH_MAX);
  return Array.from({ length: key.length - length + 1 }, (_, at) =>
    slotOf(key.slice(at, at + length)),
  );
}

function slotOf(run: string): number {
  const bits = (1 << (SHIFT * run.length)) - 1;
  let slot = 0;
  for (let at = 0; at < run.length; at += 1) slot = ((slot << SHIFT) ^ run.charCodeAt(at)) & bits;
  return slot ^ spreadOf(run.length);
}

/** Shorter runs have fewer numbers, and slots of their own as far as that goes. */
function spreadOf(length: number): number {
  return (SLOTS >>> length) & (SLOTS - 1);
}
