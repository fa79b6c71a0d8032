/** JSON text from a value: JSON.stringify, but exact numbers keep the digits they came with. */
import { ExactNumber } from "./exact-number.ts";
import { isJsonArray, isJsonObject, type Json } from "./value.ts";

/** Compact text without spaces; `parseJson` reads an equal value from it. */
export function stringifyJson(value: Json): string {
  return holdsExactNumber(value) ? write(value) : JSON.stringify(value);
}

/** Whether it says more than doubles can hold. */
export function holdsExactNumber(value: Json): boolean {
  if (value instanceof ExactNumber) return true;
  if (isJsonArray(value)) return value.some(holdsExactNumber);
  return isJsonObject(value) && Object.values(value).some(holdsExactNumber);
}

function write(value: Json): string {
  if (value instanceof ExactNumber) return value.text;
  if (isJsonArray(value)) return `[${value.map(write).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${write(key)}:${write(member)}`);
  return `{${members.join(",")}}`;
}
