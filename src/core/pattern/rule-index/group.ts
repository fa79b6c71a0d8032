/** The rules that wait for one test to be passed at one place: they are tried when it is. */
import type { JsonScalar } from "../../json.ts";
import type { AllOf, Candidate, Field, Test } from "../pattern.ts";
import type { EventNode } from "./event-node.ts";
import type { FieldIndex } from "./field-index.ts";
import { type Guard, Guards, replaceByLast } from "./guard.ts";
import type { Parts } from "./parts.ts";

/** What an index tells of the values it is asked about. */
export interface Search {
  /** The value may pass the group's test. To be told so again does no harm. */
  reach(group: Group, value: JsonScalar): void;
  /** Some value passes for certain. */
  pass(group: Group): void;
}

/** What the alternatives of one rule have in common. */
export interface Shared {
  readonly parts: Parts;
  /** The last event that matched one of them. */
  matched: number;
}

/** A rule, or some branches of one with choices: fields that have to hold together. */
export interface Alternative {
  readonly id: string;
  /** The rule's place in the order in which rules were given. */
  readonly rank: number;
  readonly fields: readonly Field[];
  /** Where the fields look, one by one. */
  readonly nodes: readonly EventNode[];
  /** Choices that are open still, when the fields hold. */
  readonly choices: AllOf["choices"];
  /** Undefined for a rule without choices. */
  readonly shared: Shared | undefined;
  /** Wherever it waits. */
  groups: Group | Group[] | undefined;
  /** The last event for which it was tried. */
  turn: number;
}

const NO_RULES: Alternative[] = [];

export class Group {
  readonly home: FieldIndex;
  /** Undefined for the rules that want no value here. */
  readonly candidate: Candidate | undefined;
  /** What is left to be checked of a value that the index has found for this group. */
  readonly test: Test | undefined;
  rules: Alternative[] = NO_RULES;
  /** By the position of the rules they belong to; undefined while one rule is alone, or none has any. */
  guards: Guards | undefined;
  /** Further rules, that wait for a second value at another place once this test is passed. */
  deeper: Map<EventNode, FieldIndex> | undefined;
  /** How many rules wait here and deeper. */
  load = 0;
  /** The last event in which a value passed. */
  turn = 0;

  constructor(home: FieldIndex, candidate: Candidate | undefined, test: Test | undefined) {
    this.home = home;
    this.candidate = candidate;
    this.test = test;
  }

  add(rule: Alternative, guardOf: (rule: Alternative) => Guard | undefined): void {
    if (this.rules.length === 0) {
      this.rules = [rule];
    } else {
      if (this.rules.length === 1 && this.guards === undefined) this.#guard(guardOf);
      this.rules.push(rule);
      const guard = guardOf(rule);
      if (this.guards) this.guards.push(guard);
      else if (guard) this.guards = new Guards(this.rules.length - 1, guard);
    }
    this.count(1);
  }

  /** The rule that was alone. */
  #guard(guardOf: (rule: Alternative) => Guard | undefined): void {
    const [first] = this.rules;
    const guard = first && guardOf(first);
    if (guard) this.guards = new Guards(0, guard);
  }

  /** Whether it was here. */
  remove(rule: Alternative): boolean {
    const at = this.rules.indexOf(rule);
    if (at === -1) return false;
    replaceByLast(this.rules, at);
    this.guards?.replaceByLast(at);
    // A rule that comes to an empty group comes alone, and brings no guard.
    if (this.rules.length === 0) this.guards = undefined;
    this.count(-1);
    return true;
  }

  isEmpty(): boolean {
    return this.load === 0;
  }

  private count(change: number): void {
    this.load += change;
    this.home.load += change;
    this.home.place.within?.count(change);
  }
}
