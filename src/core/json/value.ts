/** What a JSON text can hold, and the guards that tell the kinds apart. */
import { ExactNumber } from "./exact-number.ts";

export type JsonScalar = null | boolean | number | string | ExactNumber;
export type JsonArray = readonly Json[];
export interface JsonObject {
  readonly [key: string]: Json;
}
export type Json = JsonScalar | JsonArray | JsonObject;

// Array.isArray alone narrows a readonly array to any[].
export function isJsonArray(value: Json | undefined): value is JsonArray {
  return Array.isArray(value);
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof ExactNumber)
  );
}

export function isJsonNumber(value: Json | undefined): value is number | ExactNumber {
  return typeof value === "number" || value instanceof ExactNumber;
}

/** The own member `key`, never one that every object inherits (`constructor`, `__proto__`). */
export function memberOf(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** As JSON.parse does: the last of several values under one key, and `__proto__` is a key like others. */
export function setMember(object: Record<string, Json>, key: string, value: Json): void {
  if (key === "__proto__") {
    // An assignment would replace the prototype instead of adding a member.
    const descriptor = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(object, key, descriptor);
  } else {
    object[key] = value;
  }
}
