/** Decides where rules wait, by how many wait there already, and takes them away again. */
import { alternatives } from "../alternatives.ts";
import { type AllOf, type Candidate, type Field, fieldsOf } from "../pattern.ts";
import { type Access, cheapestAccess, cheapestOf, isLoose } from "./access.ts";
import type { EventNode } from "./event-node.ts";
import type { EventTree } from "./event-tree.ts";
import { FieldIndex, keyOf } from "./field-index.ts";
import type { Alternative, Group, Shared } from "./group.ts";
import type { Guard } from "./guard.ts";
import { partsOf } from "./parts.ts";

/** As many rules are tried one by one before those that come later wait for a second value. */
const GROUP_RULES_MIN = 3;
/** Rules that agree in three values are few, or the same. */
const VALUES_AWAITED_MAX = 3;
/** Fewer say nothing about what events have. */
const RULES_BEFORE_POPULAR = 64;
/** A rule with long lists in several fields would else stand at each combination. */
const CANDIDATES_DEEPER_MAX = 8;

const NO_CHOICES: AllOf["choices"] = [];

export class Placement {
  readonly #tree: EventTree;
  /** Indexes with rules that wait for no value. */
  readonly absences = new Set<FieldIndex>();

  constructor(tree: EventTree) {
    this.#tree = tree;
  }

  /** The nodes have been claimed of the tree for all fields, one by one. */
  add(id: string, rank: number, root: AllOf, allNodes: readonly EventNode[]): Alternative[] {
    for (const field of fieldsOf(root)) {
      const variety = this.#node(field)?.variety;
      if (variety === undefined || variety.isFull) continue;
      for (const candidate of field.candidates) variety.add(keyOf(candidate));
    }
    const shared = root.choices.length === 0 ? undefined : this.#sharedBy(root);
    const made = (fields: readonly Field[], choices: AllOf["choices"]): Alternative => {
      const isWhole = fields === root.fields && root.choices.length === 0;
      const nodes = isWhole ? allNodes : this.#tree.nodesOf(fields);
      return { id, rank, fields, nodes, choices, shared, groups: undefined, turn: 0 };
    };
    const access = this.#accessOf(root);
    if (access !== undefined) {
      return access.waits.map(({ field, fields, choices }) => {
        const alternative = made(fields, choices);
        this.#addTo(this.#groupsAt(field), alternative, []);
        return alternative;
      });
    }
    // Some alternative may take no value, so each waits for its own.
    return [...alternatives(root, () => true)].map((fields) => {
      const alternative = made(fields, NO_CHOICES);
      this.#await(alternative);
      return alternative;
    });
  }

  #sharedBy(root: AllOf): Shared {
    return { parts: partsOf(root, this.#tree), matched: 0 };
  }

  #accessOf(all: AllOf): Access | undefined {
    return cheapestAccess(all, (field) => {
      const node = this.#node(field);
      return node && shareOf(field, node, node.index);
    });
  }

  #await(alternative: Alternative): void {
    const { fields } = alternative;
    const [wait] = this.#accessOf({ fields, choices: NO_CHOICES })?.waits ?? [];
    if (wait !== undefined) {
      this.#addTo(this.#groupsAt(wait.field), alternative, []);
      return;
    }
    // It takes no value, or one of any of its fields; of the absences, one is enough to wait for.
    this.#addTo(
      fields.flatMap((field) => this.#groupsAt(field)),
      alternative,
      [],
    );
    const index = fields[0] && this.#indexAt(fields[0]);
    if (index === undefined) return;
    this.absences.add(index);
    this.#addTo([index.groupForAbsence()], alternative, []);
  }

  /** Where it would wait had it come last: with few rules there was little to choose by. */
  placeAgain(rule: Alternative): void {
    this.remove(rule);
    this.#await(rule);
  }

  remove(rule: Alternative): void {
    const groups = rule.groups ?? [];
    rule.groups = undefined;
    for (const group of Array.isArray(groups) ? groups : [groups]) {
      group.remove(rule);
      this.#prune(group);
    }
  }

  #addTo(groups: Iterable<Group>, rule: Alternative, passed: readonly EventNode[]): void {
    for (const group of groups) {
      const awaited = [...passed, group.home.place.node];
      const second = this.#secondField(group, rule, awaited);
      if (second) this.#addTo(this.#groupsWithin(group, second), rule, awaited);
      // A candidate that is written twice leads to the same group again.
      else if (group.rules.at(-1) !== rule) this.#join(group, rule, awaited);
    }
  }

  #secondField(group: Group, rule: Alternative, passed: readonly EventNode[]): Field | undefined {
    if (group.rules.length < GROUP_RULES_MIN) return undefined;
    if (passed.length >= VALUES_AWAITED_MAX) return undefined;
    const second = cheapestOf(rule.fields, (field) => {
      const node = this.#node(field);
      if (node === undefined || passed.includes(node)) return undefined;
      if (field.candidates.some(isLoose)) return undefined;
      return shareOf(field, node, group.deeper?.get(node));
    });
    if (second === undefined) return undefined;
    return second.field.candidates.length <= CANDIDATES_DEEPER_MAX ? second.field : undefined;
  }

  #join(group: Group, rule: Alternative, passed: readonly EventNode[]): void {
    if (rule.groups === undefined) rule.groups = group;
    else if (Array.isArray(rule.groups)) rule.groups.push(group);
    else rule.groups = [rule.groups, group];
    group.add(rule, (each) => guardOf(each, passed));
  }

  #groupsAt(field: Field): readonly Group[] {
    const index = this.#indexAt(field);
    return index === undefined ? [] : field.candidates.map((each) => index.groupFor(each));
  }

  #groupsWithin(group: Group, field: Field): Group[] {
    const node = this.#node(field);
    if (node === undefined) return [];
    group.deeper ??= new Map();
    const index = group.deeper.get(node) ?? new FieldIndex({ node, within: group });
    group.deeper.set(node, index);
    return field.candidates.map((candidate) => index.groupFor(candidate));
  }

  #indexAt(field: Field): FieldIndex | undefined {
    const node = this.#node(field);
    if (node) node.index ??= new FieldIndex({ node, within: undefined });
    return node?.index;
  }

  #node({ path }: Field): EventNode | undefined {
    return this.#tree.fields.get(path);
  }

  /** What is empty goes, and what was held by it alone. */
  #prune(group: Group): void {
    if (!group.isEmpty()) return;
    const index = group.home;
    const { node, within } = index.place;
    index.remove(group);
    if (index.absence === undefined) this.absences.delete(index);
    if (!index.isEmpty()) return;
    if (within === undefined) {
      node.index = undefined;
      return;
    }
    within.deeper?.delete(node);
    if (within.deeper?.size === 0) within.deeper = undefined;
    this.#prune(within);
  }
}

/** Of the fields with one candidate, the one that will most often refuse the rule. */
function guardOf({ fields, nodes }: Alternative, passed: readonly EventNode[]): Guard | undefined {
  let guard: Guard | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (let at = 0; at < fields.length; at += 1) {
    const [field, node] = [fields[at], nodes[at]];
    const candidate = field?.candidates[0];
    if (!field || !candidate || !node || field.candidates.length > 1) continue;
    if (field.absence || passed.includes(node)) continue;
    const share = shareOf(field, node, node.index);
    if (share >= lowest) continue;
    lowest = share;
    guard = { node, test: candidate.test };
  }
  return guard;
}

/** Of all events about the share that has, at the node, what the field wants. */
function shareOf(field: Field, node: EventNode, index: FieldIndex | undefined): number {
  let sum = 0;
  for (const candidate of field.candidates) sum += shareOfOne(candidate, node, index);
  return sum;
}

function shareOfOne(candidate: Candidate, node: EventNode, index: FieldIndex | undefined): number {
  if (isLoose(candidate)) return 1;
  const { kind } = candidate.test;
  const looseness = kind === "equal" ? 1 : kind === "range" ? 8 : 3;
  // What many rules ask for is what many events have.
  const waiting = index?.get(candidate)?.load ?? 0;
  const popularity = (1 + waiting) / (RULES_BEFORE_POPULAR + (index?.load ?? 0));
  return Math.min(1, Math.max(popularity, looseness / (1 + node.variety.count)));
}
