/** What rests in a journal or goes to another process: JSON text that keeps numbers as they were spelt. */
import { type Json, parseJsonDocument, stringifyJson } from "../json.ts";

/** Members that are undefined are left out, as JSON does. */
export const pack = (value: unknown): string => stringifyJson(withoutUndefined(value) as Json);

export function unpack<Value>(text: string): Value {
  const read = parseJsonDocument(text);
  if (!read.ok) throw new Error("not what was packed");
  return read.value as unknown as Value;
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (
    value === null ||
    typeof value !== "object" ||
    Object.getPrototypeOf(value) !== Object.prototype
  ) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) =>
      member === undefined ? [] : [[key, withoutUndefined(member)]],
    ),
  );
}
