/** What rules see as an event's `data`: the body read as JSON, a form, text, or bytes. */
import { encodeBase64 } from "../bytes.ts";
import type { Text } from "../crypto.ts";
import { type Json, type Names, parseJson, parseNamedJson } from "../json.ts";
import { readForm } from "./form.ts";
import { JSON_DEPTH_MAX, PARSED_BYTES_MAX } from "./limits.ts";
import { isJsonType, mediaType } from "./media-type.ts";

export type Data =
  | { readonly ok: true; readonly data: Json; readonly omitted?: "too-large" }
  | { readonly ok: false; readonly detail: string };

const OMITTED: Data = { ok: true, data: {}, omitted: "too-large" };

/**
 * The data of a body: `{ base64 }` when it is no UTF-8, else what `readText` says. With `names`, of
 * JSON no more than these lead to.
 */
export function readData(
  body: Uint8Array,
  contentType: string | null,
  text: Text,
  names?: Names,
): Data {
  if (body.length > PARSED_BYTES_MAX) return OMITTED;
  const decoded = text.decode(body);
  if (decoded === null) return { ok: true, data: { base64: encodeBase64(body) } };
  return readText(decoded, contentType, text, names);
}

/**
 * The data of a text. A text that is called JSON is read as JSON, and so is any other that begins
 * like an object or an array, for many senders name no type, or the one that `curl -d` writes; but a
 * plain `42` or `true` stays text. A form becomes an object. What turns out to be neither is
 * `{ text }`. Only nesting that is too deep is refused.
 */
export function readText(
  decoded: string,
  contentType: string | null,
  text: Text,
  names?: Names,
): Data {
  const json = withoutByteOrderMark(decoded);
  const mayBeJson = isJsonType(contentType) || /^[ \t\r\n]*[{[]/.test(json);
  const data = mayBeJson ? readJson(json, names) : null;
  if (data !== null) return data;
  const isForm = mediaType(contentType) === "application/x-www-form-urlencoded";
  return isForm ? readFormData(decoded, text) : { ok: true, data: { text: decoded } };
}

/** Repeated names become arrays. GitHub and Slack put JSON into a lone `payload`. */
function readFormData(form: string, text: Text): Data {
  const fields = readForm(form, text);
  if (fields === null) return OMITTED;
  const object = Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values]),
  );
  const payload = fields.size === 1 ? object.payload : undefined;
  const inner = typeof payload === "string" && payload.startsWith("{") ? readJson(payload) : null;
  return inner ?? { ok: true, data: object };
}

/** Null when the text is no JSON. */
function readJson(json: string, names?: Names): Data | null {
  const options = { depthMax: JSON_DEPTH_MAX };
  const parsed = names ? parseNamedJson(json, names, options) : parseJson(json, options);
  if (parsed.ok) return { ok: true, data: parsed.value };
  return parsed.reason === "too-deep" ? { ok: false, detail: tooDeep(parsed.offset) } : null;
}

/** RFC 8259 §8.1 lets a reader ignore the mark that some senders put in front. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

export function tooDeep(offset: number): string {
  return `The JSON nests deeper than ${JSON_DEPTH_MAX} levels at character ${offset}.`;
}
