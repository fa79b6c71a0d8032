/**
 * Templates of a saga's requests: JSON in which "$.input…" and "$.steps.name.output…" stand for what is there,
 * whole, with its type; inside a longer string `{{$.input…}}` stands for its text. "$$." is a literal "$.".
 */
import { isJsonArray, isJsonObject, type Json, memberOf, stringifyJson } from "../json.ts";

/** A reference's parts: `$.steps.reserve.output.items[0]` → ["steps", "reserve", "output", "items", 0]. */
export type Path = readonly (string | number)[];

/** What stands at a reference's place is not there. */
export interface Missing {
  readonly reference: string;
}

export type Rendered =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly missing: string };

const PART = /\.([A-Za-z_][\w-]*)|\[(\d{1,6})\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** The parts of `$…`; undefined when it is no reference. Members of other names are written ["so"]. */
export function parseReference(text: string): Path | undefined {
  if (!text.startsWith("$")) return undefined;
  const path: (string | number)[] = [];
  for (let at = 1; at < text.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (part === null) return undefined;
    const [, name, index, quoted] = part;
    if (index !== undefined) path.push(Number(index));
    else path.push(name ?? (JSON.parse(`"${quoted}"`) as string));
  }
  return path;
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

const isWhole = (text: string): boolean => /^\$[.[]/.test(text);
const EMBEDDED = /\{\{([^{}]*)\}\}/g;

/** Every reference of a template, as it is written. */
export function referencesIn(template: Json): string[] {
  if (typeof template === "string") {
    if (isWhole(template)) return [template];
    return [...template.matchAll(EMBEDDED)].map(([, inner = ""]) => inner.trim());
  }
  if (isJsonArray(template)) return template.flatMap(referencesIn);
  return isJsonObject(template) ? Object.values(template).flatMap(referencesIn) : [];
}

/** The template with every reference replaced; `escapeText` is applied to texts inside longer strings. */
export function render(template: Json, scope: Json, escapeText = (text: string) => text): Rendered {
  let missing: string | null = null;
  function find(reference: string): Json {
    const path = parseReference(reference);
    const value = path === undefined ? undefined : valueAt(scope, path);
    if (value === undefined) missing ??= reference;
    return value ?? null;
  }
  function replace(value: Json): Json {
    if (typeof value === "string") {
      if (value.startsWith("$$.")) return value.slice(1);
      if (isWhole(value)) return find(value);
      return value.replace(EMBEDDED, (_, inner: string) => escapeText(textOf(find(inner.trim()))));
    }
    if (isJsonArray(value)) return value.map(replace);
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, replace(member)]));
  }
  const value = replace(template);
  return missing === null ? { ok: true, value } : { ok: false, missing };
}

const textOf = (value: Json): string => (typeof value === "string" ? value : stringifyJson(value));
