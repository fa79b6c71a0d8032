/** Reads `application/x-www-form-urlencoded` as browsers write it (WHATWG URL §5.1). */
import type { Text } from "../crypto.ts";
import { FORM_FIELDS_MAX } from "./limits.ts";
import { percentDecode } from "./percent.ts";

/** Names with their values in order; null when there are more fields than anybody needs. */
export function readForm(form: string, text: Text): ReadonlyMap<string, readonly string[]> | null {
  const pairs = form.split("&", FORM_FIELDS_MAX + 1);
  if (pairs.length > FORM_FIELDS_MAX) return null;
  const fields = new Map<string, string[]>();
  for (const pair of pairs.filter((pair) => pair !== "")) {
    const [encodedName = "", ...rest] = pair.split("=");
    const name = decodeField(encodedName, text);
    const value = decodeField(rest.join("="), text);
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  return fields;
}

/** What does not decode to UTF-8 stays as it was written: nothing is replaced or lost. */
function decodeField(encoded: string, text: Text): string {
  const spaced = encoded.replaceAll("+", " ");
  const bytes = percentDecode(text.encode(spaced), "keep");
  return (bytes === null ? null : text.decode(bytes)) ?? encoded;
}
