/** JSON Pointer (RFC 6901): the one way in which this project names a place in a JSON value. */
import { isJsonArray, isJsonObject, type Json, memberOf } from "./value.ts";

/** `["a/b", 0]` → `/a~1b/0`; no segments → `""`, the whole value. */
export function formatPointer(segments: readonly (string | number)[]): string {
  return segments
    .map((segment) => `/${String(segment).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}

/** The segments of a pointer; undefined when it is none (RFC 6901 section 3). */
export function parsePointer(pointer: string): readonly string[] | undefined {
  if (pointer === "") return [];
  if (!pointer.startsWith("/") || /~(?![01])/.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What stands at `pointer`; undefined when nothing does, or when it is no pointer. */
export function resolvePointer(value: Json, pointer: string): Json | undefined {
  return parsePointer(pointer)?.reduce<Json | undefined>(stepInto, value);
}

function stepInto(value: Json | undefined, segment: string): Json | undefined {
  if (isJsonObject(value)) return memberOf(value, segment);
  if (!isJsonArray(value) || !/^(?:0|[1-9]\d*)$/.test(segment)) return undefined;
  return value[Number(segment)];
}
