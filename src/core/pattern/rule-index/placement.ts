/** Decides where rules wait, by how many wait there already, and takes them away again. */
import { type Field, fieldsOf } from "../pattern.ts";
import { type Access, absencesToAwait, cheapestAccess, isLoose } from "./access.ts";
import type { EventNode, EventTree } from "./event-tree.ts";
import { FieldIndex, keyOf } from "./field-index.ts";
import type { Group, Rule } from "./group.ts";
import type { Guard } from "./guard.ts";

/** As many rules are tried one by one before those that come later wait for a second value. */
const GROUP_RULES_MIN = 3;
/** Rules that agree in three values are few, or the same. */
const VALUES_AWAITED_MAX = 3;
/** Fewer say nothing about what events have. */
const RULES_BEFORE_POPULAR = 64;
/** A rule with long lists in several fields would else stand at each combination. */
const CANDIDATES_DEEPER_MAX = 8;

export class Placement {
  readonly #tree: EventTree;
  /** Indexes with rules that wait for no value. */
  readonly absences = new Set<FieldIndex>();

  constructor(tree: EventTree) {
    this.#tree = tree;
  }

  add(rule: Rule): void {
    const { root } = rule.pattern;
    for (const field of fieldsOf(root)) {
      for (const candidate of field.candidates) this.#node(field)?.variety.add(keyOf(candidate));
    }
    const access = cheapestAccess(root, (field) => {
      const node = this.#node(field);
      return node && shareOf(field, node, node.index);
    });
    if (access) {
      this.#addTo(this.#groupsAt(access.fields), rule, []);
      return;
    }
    // Some alternative may take no value; the others take one of some field.
    this.#addTo(this.#groupsAt(fieldsOf(root)), rule, []);
    for (const field of absencesToAwait(root)) {
      const index = this.#indexAt(field);
      if (index === undefined) continue;
      this.absences.add(index);
      this.#addTo([index.groupForAbsence()], rule, []);
    }
  }

  remove(rule: Rule): void {
    for (const group of rule.groups) {
      group.remove(rule);
      this.#prune(group);
    }
  }

  #addTo(groups: Iterable<Group>, rule: Rule, passed: readonly EventNode[]): void {
    for (const group of groups) {
      const awaited = [...passed, group.home.place.node];
      const second = this.#secondAccess(group, rule, awaited);
      if (second) this.#addTo(this.#groupsWithin(group, second.fields), rule, awaited);
      // A candidate that is written twice leads to the same group again.
      else if (group.rules.at(-1) !== rule) this.#join(group, rule, awaited);
    }
  }

  #secondAccess(group: Group, rule: Rule, passed: readonly EventNode[]): Access | undefined {
    if (group.rules.length < GROUP_RULES_MIN) return undefined;
    if (passed.length >= VALUES_AWAITED_MAX) return undefined;
    const access = cheapestAccess(rule.pattern.root, (field) => {
      const node = this.#node(field);
      if (node === undefined || passed.includes(node)) return undefined;
      if (field.candidates.some(isLoose)) return undefined;
      return shareOf(field, node, group.deeper?.get(node));
    });
    const candidates = access?.fields.flatMap((field) => field.candidates) ?? [];
    return candidates.length <= CANDIDATES_DEEPER_MAX ? access : undefined;
  }

  #join(group: Group, rule: Rule, passed: readonly EventNode[]): void {
    if (rule.groups.length === 0) rule.groups = [group];
    else rule.groups.push(group);
    group.add(rule, this.#guardOf(rule, passed));
  }

  /** Of the fields with one candidate, the one that will most often refuse the rule. */
  #guardOf({ pattern }: Rule, passed: readonly EventNode[]): Guard | undefined {
    let guard: Guard | undefined;
    let lowest = Number.POSITIVE_INFINITY;
    for (const field of pattern.root.fields) {
      const [candidate, ...others] = field.candidates;
      const node = this.#node(field);
      if (!candidate || !node || others.length > 0) continue;
      if (field.absence || passed.includes(node)) continue;
      const share = shareOf(field, node, node.index);
      if (share >= lowest) continue;
      lowest = share;
      guard = { node, test: candidate.test };
    }
    return guard;
  }

  *#groupsAt(fields: readonly Field[]): Generator<Group, void> {
    for (const field of fields) {
      const index = this.#indexAt(field);
      if (index) yield* field.candidates.map((candidate) => index.groupFor(candidate));
    }
  }

  *#groupsWithin(group: Group, fields: readonly Field[]): Generator<Group, void> {
    group.deeper ??= new Map();
    for (const field of fields) {
      const node = this.#node(field);
      if (node === undefined) continue;
      const index = group.deeper.get(node) ?? new FieldIndex({ node, within: group });
      group.deeper.set(node, index);
      yield* field.candidates.map((candidate) => index.groupFor(candidate));
    }
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

/** Of all events about the share that has, at the node, what the field wants. */
function shareOf(field: Field, node: EventNode, index: FieldIndex | undefined): number {
  return field.candidates.reduce((sum, candidate) => {
    if (isLoose(candidate)) return sum + 1;
    const { kind } = candidate.test;
    const looseness = kind === "equal" ? 1 : kind === "range" ? 8 : 3;
    // What many rules ask for is what many events have.
    const waiting = index?.get(candidate)?.load ?? 0;
    const popularity = (1 + waiting) / (RULES_BEFORE_POPULAR + (index?.load ?? 0));
    return sum + Math.min(1, Math.max(popularity, looseness / (1 + node.variety.count)));
  }, 0);
}
