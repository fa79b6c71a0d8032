/** Recognises and reads CloudEvents 1.0 over HTTP: structured, batched and binary. */
import { decodeBase64 } from "../bytes.ts";
import type { Text } from "../crypto.ts";
import { formatPointer, isJsonObject, type Json, memberOf } from "../json.ts";
import type { Fault } from "../problem.ts";
import { type Attributes, checkAttributes } from "./cloudevent-attributes.ts";
import { readData, readText } from "./data.ts";
import type { Headers } from "./headers.ts";
import { isJsonType, mediaType } from "./media-type.ts";
import { decodeHeaderValue } from "./percent.ts";

export type CloudEvent =
  | {
      readonly ok: true;
      readonly attributes: Attributes;
      readonly data: Json;
      readonly omitted?: "too-large";
    }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * How the request carries CloudEvents (HTTP binding §3); null when it carries none. Any other
 * format under the CloudEvents media type is "unsupported", so that it is not taken for an opaque
 * body.
 */
export function cloudEventMode(
  header: (name: string) => string | null,
): "structured" | "batch" | "binary" | "unsupported" | null {
  const type = mediaType(header("content-type"));
  if (type === "application/cloudevents+json") return "structured";
  if (type === "application/cloudevents-batch+json") return "batch";
  if (type.startsWith("application/cloudevents")) return "unsupported";
  return header("ce-specversion") === null ? null : "binary";
}

/** An event of the JSON format (§3); `at` is the pointer of the event within the body. */
export function readStructured(document: Json, at: string, text: Text): CloudEvent {
  if (!isJsonObject(document)) {
    const detail = "A CloudEvent is a JSON object.";
    return { ok: false, faults: [{ pointer: at, code: "type", detail }] };
  }
  const given = Object.entries(document);
  const { attributes, faults } = checkAttributes(
    given.filter(([name]) => name !== "data" && name !== "data_base64"),
    at,
  );
  const data = readMembers(document, attributes.datacontenttype ?? null, text);
  if (!data.ok) faults.push({ ...data.fault, pointer: at + data.fault.pointer });
  if (!data.ok || faults.length > 0) return { ok: false, faults };
  const { ok: _, ...read } = data;
  return { ok: true, attributes, ...read };
}

type Members =
  | { readonly ok: true; readonly data: Json; readonly omitted?: "too-large" }
  | { readonly ok: false; readonly fault: Fault };

/** `data` or `data_base64` (§3.1.2), read as the same bytes in binary mode would be. */
function readMembers(
  document: { readonly [name: string]: Json },
  contentType: string | null,
  text: Text,
): Members {
  const data = memberOf(document, "data");
  const base64 = memberOf(document, "data_base64") ?? null;
  const refuse = (name: string, code: string, detail: string): Members => ({
    ok: false,
    fault: { pointer: `/${name}`, code, detail },
  });
  if (base64 !== null) {
    if (data !== undefined) return refuse("data_base64", "exclusive", "data is given too.");
    const bytes = typeof base64 === "string" ? decodeBase64(base64) : null;
    if (bytes === null) return refuse("data_base64", "format", "data_base64 must be base64.");
    const read = readData(bytes, contentType, text);
    return read.ok ? read : refuse("data_base64", "too-deep", read.detail);
  }
  if (typeof data === "string" && contentType !== null && !isJsonType(contentType)) {
    const read = readText(data, contentType, text);
    return read.ok ? read : refuse("data", "too-deep", read.detail);
  }
  return { ok: true, data: data ?? null };
}

/**
 * The attributes of an event in binary mode (HTTP binding §3.1): each in a header of its own, the
 * content type in HTTP's. Faults point at attributes, as they do in JSON.
 */
export function readBinaryAttributes(
  headers: Headers,
  contentType: string | null,
  text: Text,
): { attributes: Attributes; faults: Fault[] } {
  const given: [string, Json | undefined][] = [["datacontenttype", contentType]];
  const unreadable: Fault[] = [];
  for (const [header, value] of headers) {
    if (!header.toLowerCase().startsWith("ce-")) continue;
    const name = header.slice("ce-".length).toLowerCase();
    const decoded = name === "datacontenttype" ? null : decodeHeaderValue(value, text);
    given.push([name, decoded ?? undefined]);
    if (decoded !== null) continue;
    const detail =
      name === "datacontenttype"
        ? "datacontenttype comes as Content-Type, never as a header of its own."
        : `${name} is not percent-encoded UTF-8 (HTTP binding §3.1.3.2).`;
    unreadable.push({ pointer: formatPointer([name]), code: "encoding", detail });
  }
  const { attributes, faults } = checkAttributes(given, "");
  return { attributes, faults: [...unreadable, ...faults] };
}
