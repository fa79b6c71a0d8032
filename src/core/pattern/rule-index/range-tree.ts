/** Finds the numeric ranges that hold a number, in a balanced tree whose parts know their reach. */
import type { ExactNumber } from "../../json.ts";
import type { Bound, Test } from "../pattern.ts";
import type { Group, Search } from "./group.ts";

export type RangeTest = Extract<Test, { kind: "range" }>;

/**
 * A treap, ordered by lower and then upper bound. Bounds are doubles taken as inclusive: rounding
 * keeps the order, so that only at its very ends a range may be found that does not hold the value.
 */
interface RangeNode {
  readonly lower: number;
  readonly upper: number;
  readonly priority: number;
  groups: Group[];
  left: RangeNode | undefined;
  right: RangeNode | undefined;
  /** The greatest upper bound here and below. */
  reach: number;
}

type Root = RangeNode | undefined;

export class RangeTree {
  #root: Root;
  #random = 0x2545f491;

  add(test: RangeTest, group: Group): void {
    const [lower, upper] = boundsOf(test);
    const known = nodeAt(this.#root, lower, upper);
    if (known) known.groups.push(group);
    else this.#root = insert(this.#root, this.#leaf(lower, upper, group));
  }

  remove(test: RangeTest, group: Group): void {
    const [lower, upper] = boundsOf(test);
    const node = nodeAt(this.#root, lower, upper);
    if (!node) return;
    node.groups = node.groups.filter((other) => other !== group);
    if (node.groups.length === 0) this.#root = without(this.#root, node);
  }

  find(value: number | ExactNumber, search: Search): void {
    findIn(this.#root, asDouble(value), value, search);
  }

  /** Any even spread balances the tree; this one (xorshift) is the same in every run. */
  #leaf(lower: number, upper: number, group: Group): RangeNode {
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    const priority = this.#random;
    return {
      lower,
      upper,
      priority,
      groups: [group],
      left: undefined,
      right: undefined,
      reach: upper,
    };
  }
}

function findIn(root: Root, at: number, value: number | ExactNumber, search: Search): void {
  let node = root;
  while (node !== undefined && node.reach >= at) {
    findIn(node.left, at, value, search);
    if (node.lower > at) return;
    if (node.lower < at && at < node.upper) {
      for (const group of node.groups) search.pass(group);
    } else if (node.upper >= at) {
      for (const group of node.groups) search.reach(group, value);
    }
    node = node.right;
  }
}

function boundsOf({ lower, upper }: RangeTest): readonly [lower: number, upper: number] {
  return [
    lower ? asDouble(lower.value) : Number.NEGATIVE_INFINITY,
    upper ? asDouble(upper.value) : Number.POSITIVE_INFINITY,
  ];
}

function asDouble(value: Bound["value"]): number {
  return typeof value === "number" ? value : Number(value.text);
}

function nodeAt(root: Root, lower: number, upper: number): Root {
  let node = root;
  while (node !== undefined) {
    const order = orderOf(node, lower, upper);
    if (order === 0) return node;
    node = order < 0 ? node.left : node.right;
  }
  return undefined;
}

/** Negative when these bounds come before the node's. */
function orderOf(node: RangeNode, lower: number, upper: number): number {
  if (lower !== node.lower) return lower < node.lower ? -1 : 1;
  return upper === node.upper ? 0 : upper < node.upper ? -1 : 1;
}

function insert(root: Root, added: RangeNode): RangeNode {
  if (root === undefined) return added;
  if (added.priority > root.priority) {
    [added.left, added.right] = split(root, added);
    return measured(added);
  }
  if (orderOf(root, added.lower, added.upper) < 0) root.left = insert(root.left, added);
  else root.right = insert(root.right, added);
  return measured(root);
}

function split(root: Root, at: RangeNode): [before: Root, after: Root] {
  if (root === undefined) return [undefined, undefined];
  if (orderOf(root, at.lower, at.upper) < 0) {
    const [before, after] = split(root.left, at);
    root.left = after;
    return [before, measured(root)];
  }
  const [before, after] = split(root.right, at);
  root.right = before;
  return [measured(root), after];
}

function without(root: Root, removed: RangeNode): Root {
  if (root === undefined) return undefined;
  if (root === removed) return joined(root.left, root.right);
  if (orderOf(root, removed.lower, removed.upper) < 0) root.left = without(root.left, removed);
  else root.right = without(root.right, removed);
  return measured(root);
}

function joined(left: Root, right: Root): Root {
  if (left === undefined || right === undefined) return left ?? right;
  if (left.priority > right.priority) {
    left.right = joined(left.right, right);
    return measured(left);
  }
  right.left = joined(left, right.left);
  return measured(right);
}

function measured(node: RangeNode): RangeNode {
  node.reach = Math.max(
    node.upper,
    node.left?.reach ?? Number.NEGATIVE_INFINITY,
    node.right?.reach ?? Number.NEGATIVE_INFINITY,
  );
  return node;
}
