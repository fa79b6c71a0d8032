/** The places that rules name, as a tree, through which each event is read once. */
import {
  ExactNumber,
  isJsonArray,
  type Json,
  type JsonObject,
  type JsonScalar,
  telltaleOf,
} from "../../json.ts";
import { type Field, stepsOf } from "../pattern.ts";
import { EVENT, EventNode } from "./event-node.ts";
import { Level } from "./levels.ts";
import { NodeLists } from "./node-lists.ts";

export class EventTree {
  readonly root = new EventNode("", undefined);
  /** Every place that a rule names. */
  readonly fields = new Map<string, EventNode>();
  /** The places at which the event at hand has values. */
  readonly filled: EventNode[] = [];
  /** Those with arrays that have elements. */
  readonly #levelled: EventNode[] = [];

  readonly #lists = new NodeLists();

  /** A node for each field, to be given back by `release` one by one. */
  claimAll(fields: readonly Field[]): readonly EventNode[] {
    for (const { path } of fields) this.claim(path);
    return this.nodesOf(fields);
  }

  /** For fields that were claimed before. */
  nodesOf(fields: readonly Field[]): readonly EventNode[] {
    return this.#lists.of(fields, this.fields);
  }

  /** To be given back by `release`, once for each time. */
  claim(path: string): EventNode {
    const known = this.fields.get(path);
    if (known !== undefined) {
      known.uses += 1;
      return known;
    }
    let node = this.root;
    for (const step of stepsOf(path)) {
      const child = node.next.get(step) ?? new EventNode(step, node);
      node.next.set(step, child);
      node.telltales |= telltaleOf(step);
      node = child;
    }
    node.uses += 1;
    this.fields.set(path, node);
    return node;
  }

  release(released: EventNode): void {
    released.uses -= 1;
    if (released.uses === 0) this.fields.delete(released.path);
    let node = released;
    while (node.above && node.uses === 0 && node.next.size === 0) {
      node.above.next.delete(node.step);
      node = node.above;
    }
  }

  read(event: JsonObject): void {
    this.#readMembers(this.root, event, EVENT, 0);
  }

  forget(): void {
    for (const node of this.filled) node.forget();
    this.filled.length = 0;
    for (const node of this.#levelled) node.levels.length = 0;
    this.#levelled.length = 0;
  }

  #read(node: EventNode, value: Json, level: Level, element: number): void {
    if (isScalar(value)) {
      if (node.uses === 0) return;
      if (node.values.length === 0) this.filled.push(node);
      node.take(value, level, element);
    } else if (isJsonArray(value)) {
      let within: Level | undefined;
      for (const inner of value) {
        if (isScalar(inner)) {
          this.#read(node, inner, level, element);
        } else {
          within ??= this.#levelAt(node, level, element);
          within.parents.push(element);
          this.#read(node, inner, within, within.parents.length - 1);
        }
      }
    } else if (node.next.size > 0) {
      this.#readMembers(node, value, level, element);
    }
  }

  #readMembers(node: EventNode, object: JsonObject, level: Level, element: number): void {
    // Unlike Object.keys it allocates nothing; what it would inherit, no event of JSON has.
    for (const key in object) {
      const child = node.next.get(key) ?? (key.includes(".") ? follow(node, key) : undefined);
      if (child === undefined) continue;
      const member = object[key];
      if (member !== undefined) this.#read(child, member, level, element);
    }
  }

  /** When an event spells one path twice, the second array there has a level of its own. */
  #levelAt(node: EventNode, parent: Level, element: number): Level {
    for (const level of node.levels) {
      if (level.parent === parent && level.parents.at(-1) !== element) return level;
    }
    const level = new Level(parent);
    if (node.levels.length === 0) this.#levelled.push(node);
    node.levels.push(level);
    return level;
  }
}

function isScalar(value: Json): value is JsonScalar {
  return typeof value !== "object" || value === null || value instanceof ExactNumber;
}

function follow(node: EventNode, key: string): EventNode | undefined {
  let child: EventNode | undefined = node;
  for (const step of stepsOf(key)) child = child?.next.get(step);
  return child;
}
