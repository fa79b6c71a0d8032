/** JSON as the router needs it: bounded nesting, exact numbers, duplicate keys and faults named. */
import { readNamed } from "./json/named-reader.ts";
import type { Names } from "./json/names.ts";
import { readJson } from "./json/reader.ts";
import { scanJson } from "./json/scan.ts";
import type { Json } from "./json/value.ts";

export { compareNumbers, ExactNumber } from "./json/exact-number.ts";
export { joinNames, type Names, namesOfPointers, telltaleOf } from "./json/names.ts";
export { type PatchOperation, patchBetween } from "./json/patch.ts";
export { type Path, parsePath, valueAt } from "./json/path.ts";
export { formatPointer, parsePointer, resolvePointer } from "./json/pointer.ts";
export { sliceArrayElements } from "./json/scan.ts";
export { holdsExactNumber, stringifyJson } from "./json/stringify.ts";
export type { Json, JsonArray, JsonObject, JsonScalar } from "./json/value.ts";
export { isJsonArray, isJsonNumber, isJsonObject, memberOf } from "./json/value.ts";

/** No caller can ask for more: everything that walks a value recurses, and the stack is finite. */
export const JSON_DEPTH_MAX = 1_000;
/** Configuration nests little; 100 leaves room for a pattern in a rule in an import. */
export const DOCUMENT_DEPTH_MAX = 100;
/** Duplicate keys named in one document: more help nobody, and their pointers cost memory. */
const DUPLICATES_NAMED_MAX = 100;

export type ParsedJson =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly reason: "syntax" | "too-deep"; readonly offset: number };

/**
 * An event's text (RFC 8259). Of a duplicate key the last value counts. Nesting is checked before
 * anything recurses; `offset` is that of the first bracket too deep, or of the first character
 * that cannot stand where it does.
 */
export function parseJson(text: string, options: { readonly depthMax: number }): ParsedJson {
  const depthMax = Math.min(options.depthMax, JSON_DEPTH_MAX);
  const scan = scanJson(text, depthMax);
  if (scan.kind === "too-deep") return { ok: false, reason: "too-deep", offset: scan.offset };
  if (scan.kind === "doubles") {
    try {
      return { ok: true, value: JSON.parse(text) };
    } catch {
      // JSON.parse says only in prose where it stopped; the own parser says it in data.
    }
  }
  const reading = readJson(text, { depthMax, duplicatesMax: 0 });
  if (reading.ok) return { ok: true, value: reading.value };
  return { ok: false, reason: reading.fault.reason, offset: reading.fault.offset };
}

/**
 * The same, of which only what is named will be looked at: other members of objects are left out.
 * Reading so few of them costs less than JSON.parse does.
 */
export function parseNamedJson(
  text: string,
  names: Names,
  options: { readonly depthMax: number },
): ParsedJson {
  const value = readNamed(text, names, Math.min(options.depthMax, JSON_DEPTH_MAX));
  return value === undefined ? parseJson(text, options) : { ok: true, value };
}

export type ParsedDocument =
  | {
      readonly ok: true;
      readonly value: Json;
      /** JSON Pointers of keys that stood in their object before: the first few, in text order. */
      readonly duplicates: readonly string[];
    }
  | {
      readonly ok: false;
      readonly reason: "syntax" | "too-deep";
      readonly offset: number;
      /** Both from 1. */
      readonly line: number;
      readonly column: number;
      /** For a person: `"," or "}"`. */
      readonly expected: string;
    };

/** An admin body: a person wrote it, so every fault is located and no duplicate key hides. */
export function parseJsonDocument(text: string): ParsedDocument {
  const limits = { depthMax: DOCUMENT_DEPTH_MAX, duplicatesMax: DUPLICATES_NAMED_MAX };
  const reading = readJson(text, limits);
  if (reading.ok) return reading;
  const before = text.slice(0, reading.fault.offset);
  const line = before.split("\n").length;
  const column = before.length - before.lastIndexOf("\n");
  return { ok: false, ...reading.fault, line, column };
}
