/** All rules of a tenant by what they wait for; an event tries those only whose values it has. */
import type { JsonObject, JsonScalar, Names } from "../../json.ts";
import { alternatives } from "../alternatives.ts";
import { fieldsHold } from "../match.ts";
import { type EventValues, readEventValues } from "../path-tree.ts";
import { type AllOf, type Field, fieldsOf, type Pattern } from "../pattern.ts";
import { passes } from "../test-value.ts";
import type { EventNode } from "./event-node.ts";
import { EventTree } from "./event-tree.ts";
import type { Alternative, Group, Search } from "./group.ts";
import { holdTogether, type Joined } from "./join.ts";
import { everyChoiceHas, type Part } from "./parts.ts";
import { Placement } from "./placement.ts";
import { Reached } from "./reached.ts";

/** A rule with choices; most are none, and what they need not takes no room. */
interface Placed extends Pick<Alternative, "rank" | "nodes"> {
  readonly alternatives: readonly Alternative[];
}

/** Numbers of rules at which those are placed again that are there: what tells rules apart shows soon. */
const SETTLED_AT: ReadonlySet<number> = new Set([4, 16, 64]);

export class RuleIndex implements Search {
  readonly #rules = new Map<string, Alternative | Placed>();
  readonly #tree = new EventTree();
  readonly #placement = new Placement(this.#tree);
  #given = 0;
  /** The number of the event at hand: what carries it has been reached or tried already. */
  #turn = 0;
  readonly #reached: Group[] = [];
  readonly #elements = new Reached();
  /** The event at hand with its array elements, once a rule needs them. */
  #nested: EventValues | undefined;

  get names(): Names {
    return this.#tree.root;
  }

  set(id: string, pattern: Pattern): void {
    const rank = this.#take(id)?.rank ?? this.#given;
    this.#given += 1;
    const nodes = this.#tree.claimAll(fieldsOf(pattern.root));
    const alternatives = this.#placement.add(id, rank, pattern.root, nodes);
    const [first] = alternatives;
    const isPlain = alternatives.length === 1 && first?.nodes === nodes;
    this.#rules.set(id, isPlain ? first : { rank, nodes, alternatives });
    if (SETTLED_AT.has(this.#rules.size)) this.#settle();
  }

  #settle(): void {
    for (const rule of this.#rules.values()) {
      if (!("alternatives" in rule)) this.#placement.placeAgain(rule);
    }
  }

  delete(id: string): boolean {
    this.#take(id);
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

  /** Takes away all that the rule had. */
  #take(id: string): Placed | Alternative | undefined {
    const taken = this.#rules.get(id);
    if (taken === undefined) return undefined;
    const alternatives = "alternatives" in taken ? taken.alternatives : [taken];
    for (const alternative of alternatives) this.#placement.remove(alternative);
    for (const node of taken.nodes) this.#tree.release(node);
    return taken;
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
    const matching: Alternative[] = [];
    for (const group of this.#reached) {
      this.#elements.turnTo(group);
      for (let at = 0; at < group.rules.length; at += 1) {
        if (group.guards?.pass(at, this.#elements) === false) continue;
        const rule = group.rules[at];
        if (rule === undefined || rule.turn === this.#turn) continue;
        rule.turn = this.#turn;
        if (rule.shared?.matched === this.#turn || !this.#matches(rule, event)) continue;
        if (rule.shared) rule.shared.matched = this.#turn;
        matching.push(rule);
      }
      if (group.deeper === undefined) continue;
      for (const [node, index] of group.deeper) {
        index.findAll(node, this.#elements.elementsFor(node), this);
      }
    }
    if (matching.length > 1) matching.sort((left, right) => left.rank - right.rank);
    return matching.map(({ id }) => id);
  }

  #matches({ fields, nodes, choices, shared }: Alternative, event: JsonObject): boolean {
    if (fields.length === 1 && fields[0]?.absence === false && choices.length === 0) return true;
    if (choices.length === 0) {
      const joined = joinedOf(fields, nodes);
      return joined === "yes" || (joined === "maybe" && this.#holdIn(event, fields));
    }
    if (shared === undefined || !this.#mayHoldWithoutChoices(fields, nodes)) return false;
    const mayHold = (branch: AllOf): boolean => this.#mayHold(shared.parts.get(branch));
    if (!everyChoiceHas(choices, mayHold)) return false;
    for (const spelledOut of alternatives({ fields, choices }, mayHold)) {
      const together = joinedOf(spelledOut, this.#tree.nodesOf(spelledOut));
      if (together === "yes") return true;
      if (together === "maybe" && this.#holdIn(event, spelledOut)) return true;
    }
    return false;
  }

  /** What a choice wants of an array may be what makes another field absent: absences wait for it. */
  #mayHoldWithoutChoices(fields: readonly Field[], nodes: readonly EventNode[]): boolean {
    if (!fields.some((field) => field.absence)) return joinedOf(fields, nodes) !== "no";
    const wanted = fields.filter((field) => !field.absence);
    return joinedOf(wanted, this.#tree.nodesOf(wanted)) !== "no";
  }

  #mayHold(part: Part | undefined): boolean {
    if (part === undefined) return true;
    if (part.turn !== this.#turn) {
      part.turn = this.#turn;
      part.holds = joinedOf(part.fields, part.nodes) !== "no";
    }
    return part.holds;
  }

  /** Element by element. */
  #holdIn(event: JsonObject, fields: readonly Field[]): boolean {
    this.#nested ??= readEventValues(this.#tree.root, event);
    return fieldsHold(fields, this.#nested);
  }
}

/** Where no value stands in an array's element, fields that hold alone hold together. */
function joinedOf(fields: readonly Field[], nodes: readonly EventNode[]): Joined {
  let inElements = false;
  for (let at = 0; at < fields.length; at += 1) {
    const [field, node] = [fields[at], nodes[at]];
    if (field === undefined || node === undefined || !mayHold(field, node)) return "no";
    inElements ||= node.isInElements || node.isMixed;
  }
  return inElements ? holdTogether(fields, nodes) : "yes";
}

/** Values in elements leave it open whether others of them lack the field. */
function mayHold(field: Field, node: EventNode): boolean {
  if (field.absence && (node.isInElements || node.isMixed || node.values.length === 0)) return true;
  for (const { test } of field.candidates) if (node.somePasses(test)) return true;
  return false;
}
