/**
 * JSON paths, the part of them that names one place (RFC 9535, singular queries): `$.data.items[0]["odd name"]`.
 * The form in which EventBridge and people write places of an event.
 */
import { isJsonArray, isJsonObject, type Json, memberOf } from "./value.ts";

/** `$.data.items[0]` → ["data", "items", 0]. */
export type Path = readonly (string | number)[];

const PART = /\.([A-Za-z_][\w-]*)|\[(\d{1,6})\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** The parts of `$…`; undefined when it is none. Members of other names are written ["so"]. */
export function parsePath(text: string): Path | undefined {
  if (!text.startsWith("$")) return undefined;
  const path: (string | number)[] = [];
  for (let at = 1; at < text.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (part === null) return undefined;
    const [, name, index, quoted] = part;
    const key = index !== undefined ? Number(index) : (name ?? unquoted(quoted ?? ""));
    if (key === undefined) return undefined;
    path.push(key);
  }
  return path;
}

/** What JSON's escapes stand for; undefined for one that JSON does not have. */
function unquoted(text: string): string | undefined {
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return undefined;
  }
}

/** What stands at `path`; undefined when nothing does. */
export const valueAt = (scope: Json, path: Path): Json | undefined =>
  path.reduce<Json | undefined>(
    (value, part) =>
      typeof part === "number"
        ? isJsonArray(value)
          ? value[part]
          : undefined
        : isJsonObject(value)
          ? memberOf(value, part)
          : undefined,
    scope,
  );
