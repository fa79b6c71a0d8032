/** All rules of a tenant by what they wait for; an event tries those only whose values it has. */
import type { JsonObject, JsonScalar, Names } from "../../json.ts";
import { matchesValues } from "../match.ts";
import { type EventValues, readEventValues } from "../path-tree.ts";
import { type Field, fieldsOf, type Pattern } from "../pattern.ts";
import { passes } from "../test-value.ts";
import { EventTree } from "./event-tree.ts";
import type { Group, Rule, Search } from "./group.ts";
import { Placement } from "./placement.ts";

export class RuleIndex implements Search {
  readonly #rules = new Map<string, Rule>();
  readonly #tree = new EventTree();
  readonly #placement = new Placement(this.#tree);
  #given = 0;
  /** The number of the event at hand: what carries it has been reached or tried already. */
  #turn = 0;
  readonly #reached: Group[] = [];
  /** The event at hand with its array elements, once a rule needs them. */
  #nested: EventValues | undefined;

  get names(): Names {
    return this.#tree.root;
  }

  set(id: string, pattern: Pattern): void {
    const replaced = this.#rules.get(id);
    if (replaced) this.#take(replaced);
    const paths = new Set(fieldsOf(pattern.root).map(({ path }) => path));
    const nodes = [...paths].map((path) => this.#tree.claim(path));
    const rank = replaced?.rank ?? this.#given;
    this.#given += 1;
    const { fields, choices } = pattern.root;
    const isSingle = fields.length === 1 && choices.length === 0 && fields[0]?.absence === false;
    const rule: Rule = { id, pattern, rank, nodes, isSingle, groups: [], turn: 0 };
    this.#rules.set(id, rule);
    this.#placement.add(rule);
  }

  delete(id: string): boolean {
    const rule = this.#rules.get(id);
    if (rule) this.#take(rule);
    return this.#rules.delete(id);
  }

  match(event: JsonObject): readonly string[] {
    this.#turn += 1;
    try {
      this.#tree.read(event);
      this.#probe();
      return this.#tryReached(event);
    } finally {
      // Nothing of an event is kept, also when it nests too deep for the stack.
      this.#tree.forget();
      this.#reached.length = 0;
      this.#nested = undefined;
    }
  }

  reach(group: Group, value: JsonScalar): void {
    if (group.turn === this.#turn) return;
    if (group.test === undefined || passes(group.test, value)) this.pass(group);
  }

  pass(group: Group): void {
    if (group.turn === this.#turn) return;
    group.turn = this.#turn;
    this.#reached.push(group);
  }

  #take(rule: Rule): void {
    this.#placement.remove(rule);
    for (const node of rule.nodes) this.#tree.release(node);
  }

  #probe(): void {
    for (const { index, values } of this.#tree.filled) {
      if (index === undefined) continue;
      for (const value of values) index.find(value, this);
    }
    for (const { absence, place } of this.#placement.absences) {
      if (absence !== undefined && place.node.values.length === 0) this.pass(absence);
    }
  }

  /** Groups that are reached by a second value come in while the list is gone through. */
  #tryReached(event: JsonObject): readonly string[] {
    const matching: Rule[] = [];
    for (const group of this.#reached) {
      for (let at = 0; at < group.rules.length; at += 1) {
        if (group.guards?.pass(at) === false) continue;
        const rule = group.rules[at];
        if (rule === undefined || rule.turn === this.#turn) continue;
        rule.turn = this.#turn;
        if (rule.isSingle || this.#matches(rule, event)) matching.push(rule);
      }
      if (group.deeper === undefined) continue;
      for (const [node, index] of group.deeper) {
        for (const value of node.values) index.find(value, this);
      }
    }
    if (matching.length > 1) matching.sort((left, right) => left.rank - right.rank);
    return matching.map(({ id }) => id);
  }

  /** Where no value stands in an array's element, fields that hold alone hold together. */
  #matches({ pattern, nodes }: Rule, event: JsonObject): boolean {
    const { fields, choices } = pattern.root;
    for (const field of fields) {
      if (!this.#mayHold(field)) return false;
    }
    const inElement = nodes.some((node) => node.inElement);
    if (!inElement) return choices.length === 0 || matchesValues(pattern, this.#tree.fields);
    this.#nested ??= readEventValues(this.#tree.root, event);
    return matchesValues(pattern, this.#nested);
  }

  /** Values in elements leave it open whether others of them lack the field. */
  #mayHold(field: Field): boolean {
    const node = this.#tree.fields.get(field.path);
    if (node === undefined) return false;
    if (field.absence && (node.inElement || node.values.length === 0)) return true;
    return field.candidates.some(({ test }) => node.somePasses(test));
  }
}
