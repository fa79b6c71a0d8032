/** What an operator did, as the audit log keeps it: who, what, why, and what was different after. Never a secret. */
import {
  formatPointer,
  isJsonArray,
  isJsonNumber,
  isJsonObject,
  type Json,
  type JsonScalar,
  parseJsonDocument,
  stringifyJson,
} from "./json.ts";
import { DEED_MEMBERS_MAX } from "./operator-limits.ts";

export interface DeedStart {
  readonly id: string;
  /** The id of the key that opened the admin routes. */
  readonly key: string;
  /** The operation, by its id in the served document. */
  readonly action: string;
  /** The path that was asked for. */
  readonly resource: string;
  /** Null for what belongs to no tenant. */
  readonly tenant: string | null;
}

/** As far as the client says. */
export interface DeedTold {
  readonly name: string | null;
  readonly reason: string | null;
}

/** "begun" for good: the process ended before it could write down how it ended. */
export const DEED_OUTCOMES = ["begun", "done", "refused", "failed"] as const;
export type DeedOutcome = (typeof DEED_OUTCOMES)[number];

/** A member that is not what it was: numbers and flags with their values, of anything else only that it changed. */
export interface ChangedMember {
  readonly path: string;
  readonly from?: JsonScalar;
  readonly to?: JsonScalar;
}

export interface Change {
  /** The version before and after; null where there was nothing. */
  readonly before: number | null;
  readonly after: number | null;
  readonly members: readonly ChangedMember[];
  /** Members that are not named, being too many. */
  readonly unnamed: number;
}

export interface Version {
  readonly version: number;
  /** A document's JSON text, without its secrets. */
  readonly doc: string;
}

/** `sealed`: its secrets are others now. */
export function changeOf(before: Version | null, after: Version | null, sealed: boolean): Change {
  const [was, is] = [leavesOf(before), leavesOf(after)];
  const members: ChangedMember[] = [];
  for (const path of new Set([...was.keys(), ...is.keys()])) {
    const [from, to] = [was.get(path), is.get(path)];
    if (from?.text !== to?.text) members.push({ path, ...shown("from", from), ...shown("to", to) });
  }
  if (sealed) members.push({ path: "/secrets" });
  const named = members.slice(0, DEED_MEMBERS_MAX);
  return {
    ...{ before: before?.version ?? null, after: after?.version ?? null },
    ...{ members: named, unnamed: members.length - named.length },
  };
}

interface Leaf {
  readonly text: string;
  readonly value: Json;
}

/** A text may hold what is secret, such as the path of an address; a number or a flag cannot. */
function shown(name: "from" | "to", leaf: Leaf | undefined): Partial<ChangedMember> {
  if (leaf === undefined) return {};
  const { value } = leaf;
  return isJsonNumber(value) || typeof value === "boolean" ? { [name]: value } : {};
}

function leavesOf(version: Version | null): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  if (version === null) return leaves;
  const read = parseJsonDocument(version.doc);
  if (read.ok) addLeaves(leaves, [], read.value);
  else leaves.set("", { text: version.doc, value: null });
  return leaves;
}

function addLeaves(leaves: Map<string, Leaf>, path: readonly (string | number)[], value: Json) {
  const members: [string | number, Json][] = isJsonArray(value)
    ? [...value.entries()]
    : isJsonObject(value)
      ? Object.entries(value)
      : [];
  for (const [name, member] of members) addLeaves(leaves, [...path, name], member);
  // Of a document without members there is nothing to name.
  if (members.length === 0 && path.length > 0)
    leaves.set(formatPointer(path), { text: stringifyJson(value), value });
}
