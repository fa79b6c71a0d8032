/** What makes one JSON value of another, as a JSON Patch (RFC 6902) of additions, removals and replacements. */
import { compareNumbers } from "./exact-number.ts";
import { formatPointer } from "./pointer.ts";
import { isJsonArray, isJsonNumber, isJsonObject, type Json, memberOf } from "./value.ts";

export type PatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: Json }
  | { readonly op: "remove"; readonly path: string };

/**
 * Applied to `before` one after the other they give `after`; none when both are equal. Members are told one
 * by one. Of two arrays the elements at the start and at the end that are the same are left alone: one that
 * comes in between is one addition.
 */
export function patchBetween(before: Json, after: Json): PatchOperation[] {
  const operations: PatchOperation[] = [];
  compare(before, after, [], operations);
  return operations;
}

type Path = readonly (string | number)[];

function compare(before: Json, after: Json, path: Path, found: PatchOperation[]): void {
  if (isJsonArray(before) && isJsonArray(after)) compareArrays(before, after, path, found);
  else if (isJsonObject(before) && isJsonObject(after)) {
    for (const key of Object.keys(before)) {
      const value = memberOf(after, key);
      const at = [...path, key];
      if (value === undefined) found.push({ op: "remove", path: formatPointer(at) });
      else compare(before[key] ?? null, value, at, found);
    }
    for (const [key, value] of Object.entries(after)) {
      if (Object.hasOwn(before, key)) continue;
      found.push({ op: "add", path: formatPointer([...path, key]), value });
    }
  } else if (!isEqual(before, after)) {
    found.push({ op: "replace", path: formatPointer(path), value: after });
  }
}

function compareArrays(
  before: readonly Json[],
  after: readonly Json[],
  path: Path,
  found: PatchOperation[],
): void {
  const shorter = Math.min(before.length, after.length);
  const isSame = (at: number, other: number) => isEqual(before[at] ?? null, after[other] ?? null);
  let start = 0;
  while (start < shorter && isSame(start, start)) start += 1;
  let end = 0;
  while (end < shorter - start && isSame(before.length - 1 - end, after.length - 1 - end)) end += 1;
  const both = shorter - end;
  for (let at = start; at < both; at += 1) {
    compare(before[at] ?? null, after[at] ?? null, [...path, at], found);
  }
  // From the back, so that what is still to be removed keeps its place.
  for (let at = before.length - end - 1; at >= both; at -= 1) {
    found.push({ op: "remove", path: formatPointer([...path, at]) });
  }
  for (let at = both; at < after.length - end; at += 1) {
    found.push({ op: "add", path: formatPointer([...path, at]), value: after[at] ?? null });
  }
}

function isEqual(before: Json, after: Json): boolean {
  if (isJsonNumber(before) && isJsonNumber(after)) return compareNumbers(before, after) === 0;
  if (isJsonArray(before) && isJsonArray(after)) {
    return (
      before.length === after.length &&
      before.every((element, at) => isEqual(element, after[at] ?? null))
    );
  }
  if (!isJsonObject(before) || !isJsonObject(after)) return before === after;
  const keys = Object.keys(before);
  return (
    keys.length === Object.keys(after).length &&
    keys.every(
      (key) => Object.hasOwn(after, key) && isEqual(before[key] ?? null, after[key] ?? null),
    )
  );
}
