/** Whether fields that hold, each somewhere, hold together: in one element of each array they share. */
import type { Field } from "../pattern.ts";
import type { EventNode } from "./event-node.ts";
import { intersection, type Level, meet, NONE, unite } from "./levels.ts";

/** "maybe": as far as this look at all elements at once can tell. */
export type Joined = "no" | "maybe" | "yes";

/**
 * `nodes` are where the fields look. The same as `fieldsHold` decides element by element, for one bit
 * of work for each element: from the innermost level out, an element holds what its own fields
 * hold and the arrays in it do; an array does by an element that holds and in which a value was used,
 * or, if all that is asked of it may be absent, by having no value of it.
 */
export function holdTogether(fields: readonly Field[], nodes: readonly EventNode[]): Joined {
  const inOneLevel = meetInOneLevel(fields, nodes);
  if (inOneLevel !== undefined) return inOneLevel ? "yes" : "no";
  const isMixed = nodes.some((node) => node.isMixed);
  // Where values stand at several levels, which of them an absence is meant for is not told.
  if (isMixed && fields.some((field) => field.absence)) return "maybe";
  const levels = levelsOf(nodes);
  for (const level of levels) reset(level);
  for (let at = 0; at < fields.length; at += 1) {
    const [field, node] = [fields[at], nodes[at]];
    if (field !== undefined && node?.isInElements) narrow(node, field);
  }
  for (const level of levels) {
    if (!settleIn(level)) return "no";
  }
  return isMixed ? "maybe" : "yes";
}

/** The usual case: undefined when it is another one. */
function meetInOneLevel(
  fields: readonly Field[],
  nodes: readonly EventNode[],
): boolean | undefined {
  let level: Level | undefined;
  let common: Int32Array | undefined;
  for (let at = 0; at < nodes.length; at += 1) {
    const [field, node] = [fields[at], nodes[at]];
    if (field === undefined || node === undefined || node.isMixed) return undefined;
    if (!node.isInElements) continue;
    level ??= node.level;
    if (field.absence || node.level !== level || level.depth > 1) return undefined;
    const fitting = node.elementsFitting(field);
    if (common === undefined) common = fitting;
    else if (!meet(common, fitting)) return false;
    else common = intersection(common, fitting);
  }
  return true;
}

/** The innermost first. */
function levelsOf(nodes: readonly EventNode[]): Level[] {
  const levels: Level[] = [];
  for (const node of nodes) {
    for (let level = node.level; level.parent !== undefined; level = level.parent) {
      if (levels.includes(level)) break;
      levels.push(level);
    }
  }
  return levels.length < 2 ? levels : levels.sort((left, right) => right.depth - left.depth);
}

function reset(level: Level): void {
  if (level.holding.length !== level.words) {
    level.holding = new Int32Array(level.words);
    level.chosen = new Int32Array(level.words);
  }
  level.holding.fill(-1);
  level.chosen.fill(0);
  level.present = NONE;
  level.wantsValue = false;
}

function narrow(node: EventNode, field: Field): void {
  const { level } = node;
  const fitting = node.elementsFitting(field);
  unite(level.chosen, fitting);
  if (!field.absence) {
    level.wantsValue = true;
    keep(level.holding, fitting, NONE);
    return;
  }
  const present = node.elementsPresent();
  keep(level.holding, fitting, present);
  setPresent(level, present);
}

/** Of `holding` what is in `wanted`; where `unless` is given, also what is not in that. */
function keep(holding: Int32Array, wanted: Int32Array, unless: Int32Array): void {
  for (let word = 0; word < holding.length; word += 1) {
    const free = unless === NONE ? 0 : ~(unless[word] ?? 0);
    holding[word] = (holding[word] ?? 0) & ((wanted[word] ?? 0) | free);
  }
}

function setPresent(level: Level, present: Int32Array): void {
  if (level.present === NONE) level.present = new Int32Array(level.words);
  unite(level.present, present);
}

/** Hands on to the level around what holds in this one; false when that is the event, and nothing does. */
function settleIn(level: Level): boolean {
  const { parent, holding, chosen, present, wantsValue } = level;
  if (parent === undefined) return true;
  if (parent.parent === undefined) return meet(holding, chosen);
  keep(chosen, holding, NONE);
  const byElement = level.lift(chosen);
  unite(parent.chosen, byElement);
  if (wantsValue) {
    parent.wantsValue = true;
    keep(parent.holding, byElement, NONE);
  } else {
    const presentIn = level.lift(present);
    keep(parent.holding, byElement, presentIn);
    setPresent(parent, presentIn);
  }
  return true;
}
