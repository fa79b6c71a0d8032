/** Finds, in one walk along a text, all keys that the text starts with, or all it ends with. */
import type { JsonScalar } from "../../json.ts";
import type { Group, Search } from "./group.ts";

interface TrieNode {
  /** The code units that lead here from the node above, in the order of reading. */
  readonly label: string;
  /** By the first unit of their labels. */
  next: Map<number, TrieNode> | undefined;
  entries: Entries | undefined;
}

/** The keys that end at a node, in two arrays: most groups are refused without a look at them. */
interface Entries {
  readonly groups: Group[];
  /** The unit at the far end of the text, or ANY_UNIT. */
  readonly farUnits: number[];
}

const ANY_UNIT = -1;

export class TextTrie {
  readonly #backward: boolean;
  readonly #root: TrieNode = { label: "", next: undefined, entries: undefined };

  constructor(direction: "forward" | "backward") {
    this.#backward = direction === "backward";
  }

  /** `farEnd`: what the text must have at its other end; its outermost unit is looked at. */
  add(key: string, group: Group, farEnd = ""): void {
    let node = this.#root;
    let rest = this.#inReadingOrder(key);
    while (rest !== "") {
      node = step(node, rest);
      rest = rest.slice(node.label.length);
    }
    const at = this.#backward ? 0 : farEnd.length - 1;
    const farUnit = farEnd === "" ? ANY_UNIT : farEnd.charCodeAt(at);
    // Most keys have one group, and an array that grows by push has room for many.
    if (node.entries === undefined) {
      node.entries = { groups: [group], farUnits: [farUnit] };
    } else {
      node.entries.groups.push(group);
      node.entries.farUnits.push(farUnit);
    }
  }

  remove(key: string, group: Group): void {
    removeBelow(this.#root, this.#inReadingOrder(key), group);
  }

  find(text: string, value: JsonScalar, search: Search): void {
    let node = this.#root;
    let at = 0;
    const farUnit = text.charCodeAt(this.#backward ? 0 : text.length - 1);
    for (;;) {
      if (node.entries !== undefined) reachAll(node.entries, farUnit, value, search);
      if (node.next === undefined) return;
      const child = node.next.get(this.#unit(text, at));
      if (child === undefined) return;
      for (let index = 1; index < child.label.length; index += 1) {
        if (child.label.charCodeAt(index) !== this.#unit(text, at + index)) return;
      }
      at += child.label.length;
      node = child;
    }
  }

  /** NaN, which no key has, where the text is over. */
  #unit(text: string, at: number): number {
    return text.charCodeAt(this.#backward ? text.length - 1 - at : at);
  }

  #inReadingOrder(key: string): string {
    return this.#backward ? key.split("").reverse().join("") : key;
  }
}

function reachAll(entries: Entries, farUnit: number, value: JsonScalar, search: Search): void {
  for (let index = 0; index < entries.groups.length; index += 1) {
    const wanted = entries.farUnits[index];
    const group = entries.groups[index];
    if ((wanted === farUnit || wanted === ANY_UNIT) && group) search.reach(group, value);
  }
}

/** The child towards `rest`, made or cut where none ends at a shared part. */
function step(node: TrieNode, rest: string): TrieNode {
  node.next ??= new Map();
  const unit = rest.charCodeAt(0);
  const child = node.next.get(unit);
  if (child === undefined) {
    const leaf: TrieNode = { label: rest, next: undefined, entries: undefined };
    node.next.set(unit, leaf);
    return leaf;
  }
  let shared = 1;
  while (shared < child.label.length && child.label[shared] === rest[shared]) shared += 1;
  if (shared === child.label.length) return child;
  const lower: TrieNode = { ...child, label: child.label.slice(shared) };
  const next = new Map([[lower.label.charCodeAt(0), lower]]);
  const upper: TrieNode = { label: child.label.slice(0, shared), next, entries: undefined };
  node.next.set(unit, upper);
  return upper;
}

/** Whether nothing is left in the node, so that the one above can let go of it. */
function removeBelow(node: TrieNode, rest: string, group: Group): boolean {
  if (rest === "") {
    const at = node.entries?.groups.indexOf(group) ?? -1;
    if (at !== -1) {
      node.entries?.groups.splice(at, 1);
      node.entries?.farUnits.splice(at, 1);
    }
    if (node.entries?.groups.length === 0) node.entries = undefined;
  } else {
    const unit = rest.charCodeAt(0);
    const child = node.next?.get(unit);
    if (child && removeBelow(child, rest.slice(child.label.length), group)) {
      node.next?.delete(unit);
      if (node.next?.size === 0) node.next = undefined;
    }
  }
  return node.entries === undefined && node.next === undefined;
}
