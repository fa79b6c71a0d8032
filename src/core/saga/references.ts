/**
 * Templates of a saga's requests: JSON in which "$.input…" and "$.steps.name.output…" stand for what is there,
 * whole, with its type; inside a longer string `{{$.input…}}` stands for its text. "$$." is a literal "$.".
 */
import {
  isJsonArray,
  isJsonObject,
  type Json,
  parsePath,
  stringifyJson,
  valueAt,
} from "../json.ts";

export type Rendered =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly missing: string };

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
    const path = parsePath(reference);
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

/**
 * How many characters the references of a template bring in at least: asked before they are put together, since
 * a template of a few characters may name a long value thousands of times.
 */
export function charactersBrought(template: Json, scope: Json): number {
  const lengths = new Map<string, number>();
  const lengthOf = (reference: string): number => {
    const value = valueAt(scope, parsePath(reference) ?? []);
    return value === undefined ? 0 : Math.max(0, stringifyJson(value).length - 2);
  };
  return referencesIn(template).reduce((sum, reference) => {
    const length = lengths.get(reference) ?? lengthOf(reference);
    lengths.set(reference, length);
    return sum + length;
  }, 0);
}
