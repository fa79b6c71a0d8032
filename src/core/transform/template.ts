/**
 * Templates of input transformers. `<name>` stands for the value of a variable: by itself for the value with its type,
 * inside a longer text for its text. A template is JSON, so a value can only ever become a value of it; `\<` is a `<`.
 */
import { isJsonArray, isJsonObject, type Json, parseJsonDocument, stringifyJson } from "../json.ts";

/** Text, and names of variables in it. */
export type Text = readonly (string | { readonly name: string })[];

export type Template =
  /** The body is JSON. */
  | { readonly kind: "json"; readonly value: Json }
  /** The body is text. */
  | { readonly kind: "text"; readonly text: Text };

const PLACE = /\\<|<([A-Za-z][\w.-]*)>/g;

/** A text in parts; one without variables is one part. */
export function partsOf(text: string): Text {
  const parts: (string | { readonly name: string })[] = [];
  let plain = "";
  let from = 0;
  for (const found of text.matchAll(PLACE)) {
    plain += text.slice(from, found.index);
    from = found.index + found[0].length;
    const [, name] = found;
    if (name === undefined) {
      plain += "<";
      continue;
    }
    if (plain !== "") parts.push(plain);
    parts.push({ name });
    plain = "";
  }
  plain += text.slice(from);
  return plain === "" ? parts : [...parts, plain];
}

/**
 * As EventBridge writes them, too: a text that is JSON once each variable stands in quotes, such as
 * `{"id": <id>, "note": "order <id>"}`. A text in quotes, or one that is no JSON, makes a body of text.
 */
export function readTemplate(written: Json): Template {
  if (typeof written !== "string") return { kind: "json", value: written };
  const read = parseJsonDocument(quoteBare(written));
  if (read.ok && typeof read.value !== "string") return { kind: "json", value: read.value };
  return { kind: "text", text: partsOf(read.ok ? String(read.value) : written) };
}

/** Puts quotes around the variables that stand outside of strings. */
function quoteBare(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|<[A-Za-z][\w.-]*>/g, (part) =>
    part.startsWith("<") ? `"${part}"` : part,
  );
}

/** Names of variables, each once. */
export function variablesIn(template: Template): ReadonlySet<string> {
  const names = new Set<string>();
  const note = (text: Text): void => {
    for (const part of text) if (typeof part !== "string") names.add(part.name);
  };
  const walk = (value: Json): void => {
    if (typeof value === "string") note(partsOf(value));
    else if (isJsonArray(value)) value.forEach(walk);
    else if (isJsonObject(value)) Object.values(value).forEach(walk);
  };
  if (template.kind === "text") note(template.text);
  else walk(template.value);
  return names;
}

/** A value inside a longer text. */
export const textOf = (value: Json): string =>
  typeof value === "string" ? value : value === null ? "" : stringifyJson(value);
