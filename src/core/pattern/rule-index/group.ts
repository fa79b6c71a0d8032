/** The rules that wait for one test to be passed at one place: they are tried when it is. */
import type { JsonScalar } from "../../json.ts";
import type { Candidate, Pattern, Test } from "../pattern.ts";
import type { EventNode } from "./event-tree.ts";
import type { FieldIndex } from "./field-index.ts";
import { type Guard, Guards, replaceByLast } from "./guard.ts";

/** What an index tells of the values it is asked about. */
export interface Search {
  /** The value may pass the group's test. To be told so again does no harm. */
  reach(group: Group, value: JsonScalar): void;
  /** Some value passes for certain. */
  pass(group: Group): void;
}

export interface Rule {
  readonly id: string;
  readonly pattern: Pattern;
  /** Its place in the order in which rules were given. */
  readonly rank: number;
  /** Where the pattern looks. */
  readonly nodes: readonly EventNode[];
  /** Whether one value that fits is all it asks for. */
  readonly isSingle: boolean;
  /** Wherever it waits. */
  groups: Group[];
  /** The last event for which it was tried. */
  turn: number;
}

const NO_RULES: Rule[] = [];

export class Group {
  readonly home: FieldIndex;
  /** Undefined for the rules that want no value here. */
  readonly candidate: Candidate | undefined;
  /** What is left to be checked of a value that the index has found for this group. */
  readonly test: Test | undefined;
  rules: Rule[] = NO_RULES;
  /** By the position of the rules they belong to; undefined while no rule has one. */
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

  add(rule: Rule, guard: Guard | undefined): void {
    if (this.guards) this.guards.push(guard);
    else if (guard) this.guards = new Guards(this.rules.length, guard);
    if (this.rules.length === 0) this.rules = [rule];
    else this.rules.push(rule);
    this.count(1);
  }

  /** Whether it was here. */
  remove(rule: Rule): boolean {
    const at = this.rules.indexOf(rule);
    if (at === -1) return false;
    replaceByLast(this.rules, at);
    this.guards?.replaceByLast(at);
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
