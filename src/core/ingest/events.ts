/** From a verified request to its events: one, or any number in a CloudEvents batch. */
import type { Crypto, Text } from "../crypto.ts";
import { isJsonArray, type Json, type Names, parseJson, sliceArrayElements } from "../json.ts";
import type { Fault } from "../problem.ts";
import type { Attributes } from "./cloudevent-attributes.ts";
import { cloudEventMode, readBinaryAttributes, readStructured } from "./cloudevents.ts";
import { readData, tooDeep, withoutByteOrderMark } from "./data.ts";
import { type Headers, headersFault } from "./headers.ts";
import { type EventSource, keyOf, type Sent, typeOf } from "./identity.ts";
import { BATCH_EVENTS_MAX, FAULTS_MAX, JSON_DEPTH_MAX, PARSED_BYTES_MAX } from "./limits.ts";
import { mediaType } from "./media-type.ts";

export {
  type EventSource,
  type IdempotencyKeyFrom,
  namesInBody,
  type TypeFrom,
} from "./identity.ts";

export interface ReceivedRequest {
  /** The value of a header, asked for in lower case; null when it is absent. */
  header(name: string): string | null;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** An event before it has an id: what the sender said, and nothing of ours. */
export interface DraftEvent {
  readonly key: string;
  /** `header:<name>`, `body:<pointer>`, `cloudevent:source,id` or `body-hash`. */
  readonly keyFrom: string;
  readonly type: string;
  readonly subject: string | null;
  /** When it happened, RFC 3339 as the sender wrote it; null when the sender does not say. */
  readonly time: string | null;
  readonly contentType: string | null;
  /** The sender's bytes; for an element of a batch its own part of them. */
  readonly body: Uint8Array;
  /** Of JSON maybe no more than was named to `readEvents`. */
  readonly data: Json;
  /** Why `data` is empty although the body is not. */
  readonly dataOmitted?: "too-large";
  /** Every attribute in its canonical string form. */
  readonly cloudevent?: Attributes;
}

export type Reading =
  | { readonly ok: true; readonly form: "single" | "batch"; readonly events: readonly DraftEvent[] }
  | Unreadable;

interface Unreadable {
  readonly ok: false;
  readonly problem:
    | "malformed-request"
    | "payload-too-large"
    | "unsupported-media-type"
    | "cloudevent-invalid";
  readonly detail: string;
  readonly errors?: readonly Fault[];
  readonly extensions?: Readonly<Record<string, number>>;
}

interface Tools {
  readonly crypto: Crypto;
  readonly text: Text;
}

/**
 * The events of a request. CloudEvents are recognised on every source; anything else is one event
 * whose body may be anything. With `names`, which `namesInBody` gives, the rest of a body may be skipped.
 */
export function readEvents(
  request: ReceivedRequest,
  source: EventSource,
  tools: Tools,
  names?: Names,
): Reading {
  const fault = headersFault(request.headers);
  if (fault !== null) return malformed(fault);
  switch (cloudEventMode(request.header)) {
    case "unsupported": {
      const detail = `CloudEvents are taken as JSON, not as ${request.header("content-type")}.`;
      return { ok: false, problem: "unsupported-media-type", detail };
    }
    case "structured":
      return readStructuredEvent(request, source, tools);
    case "batch":
      return readBatch(request, source, tools);
    case "binary":
      return readBody(request, source, tools, { isCloudEvent: true, names });
    case null:
      return readBody(request, source, tools, { isCloudEvent: false, names });
  }
}

/** The data of an event that was accepted before, from its own bytes and content type. */
export function readArchived(
  body: Uint8Array,
  contentType: string | null,
  text: Text,
): { readonly data: Json; readonly omitted?: "too-large" } {
  if (mediaType(contentType) === "application/cloudevents+json") {
    const document = readDocument(body, text);
    const event = document.ok ? readStructured(document.value, "", text) : null;
    if (event?.ok) return event;
  }
  const read = readData(body, contentType, text);
  return read.ok ? read : { data: {} };
}

function readBody(
  request: ReceivedRequest,
  source: EventSource,
  tools: Tools,
  { isCloudEvent, names }: { readonly isCloudEvent: boolean; readonly names: Names | undefined },
): Reading {
  const contentType = request.header("content-type");
  const { attributes, faults } = isCloudEvent
    ? readBinaryAttributes(request.headers, contentType, tools.text)
    : { attributes: null, faults: [] };
  if (faults.length > 0) return invalid(faults);
  const read = readData(request.body, contentType, tools.text, names);
  if (!read.ok) return malformed(read.detail);
  const sent = {
    header: request.header,
    document: read.data,
    body: request.body,
    ...(attributes === null ? {} : { cloudevent: { attributes, inBody: false } }),
  };
  return { ok: true, form: "single", events: [draft(sent, read, contentType, source, tools)] };
}

function readStructuredEvent(request: ReceivedRequest, source: EventSource, tools: Tools): Reading {
  const document = readDocument(request.body, tools.text);
  if (!document.ok) return document;
  const event = readStructured(document.value, "", tools.text);
  if (!event.ok) return invalid(event.faults);
  const sent = {
    header: request.header,
    document: document.value,
    body: request.body,
    cloudevent: { attributes: event.attributes, inBody: true },
  };
  const contentType = request.header("content-type");
  return { ok: true, form: "single", events: [draft(sent, event, contentType, source, tools)] };
}

/** Each element is an event with its own part of the text; a bad one refuses them all. */
function readBatch(request: ReceivedRequest, source: EventSource, tools: Tools): Reading {
  const document = readDocument(request.body, tools.text);
  if (!document.ok) return document;
  const { value, json } = document;
  const slices = sliceArrayElements(json);
  if (!isJsonArray(value) || slices === undefined) {
    return malformed("A batch of CloudEvents is a JSON array.");
  }
  if (value.length > BATCH_EVENTS_MAX) {
    const detail = `The batch holds ${value.length} events; at most ${BATCH_EVENTS_MAX} are taken.`;
    return tooLarge(detail, { eventsMax: BATCH_EVENTS_MAX });
  }
  const faults: Fault[] = [];
  const events: DraftEvent[] = [];
  for (const [index, { start, end }] of slices.entries()) {
    const element = value[index] ?? null;
    const event = readStructured(element, `/${index}`, tools.text);
    if (!event.ok) {
      faults.push(...event.faults);
      continue;
    }
    const sent = {
      header: null,
      document: element,
      body: tools.text.encode(json.slice(start, end)),
      cloudevent: { attributes: event.attributes, inBody: true },
    };
    events.push(draft(sent, event, "application/cloudevents+json", source, tools));
  }
  return faults.length > 0 ? invalid(faults) : { ok: true, form: "batch", events };
}

type Document = { readonly ok: true; readonly value: Json; readonly json: string } | Unreadable;

function readDocument(body: Uint8Array, text: Text): Document {
  if (body.length > PARSED_BYTES_MAX) {
    const detail = `CloudEvents in JSON may have ${PARSED_BYTES_MAX} bytes.`;
    return tooLarge(detail, { bytesMax: PARSED_BYTES_MAX });
  }
  const decoded = text.decode(body);
  if (decoded === null) return malformed("The body is not UTF-8.");
  const json = withoutByteOrderMark(decoded);
  const parsed = parseJson(json, { depthMax: JSON_DEPTH_MAX });
  if (parsed.ok) return { ok: true, value: parsed.value, json };
  const { reason, offset } = parsed;
  const detail = `The body is not JSON: the fault is at character ${offset}.`;
  return malformed(reason === "too-deep" ? tooDeep(offset) : detail);
}

function draft(
  sent: Sent,
  read: { readonly data: Json; readonly omitted?: "too-large" },
  contentType: string | null,
  source: EventSource,
  tools: Tools,
): DraftEvent {
  const attributes = sent.cloudevent?.attributes;
  return {
    ...keyOf(sent, source, tools.crypto, tools.text),
    type: typeOf(sent, source),
    subject: attributes?.subject ?? null,
    time: attributes?.time ?? null,
    contentType,
    body: sent.body,
    data: read.data,
    ...(read.omitted === undefined ? {} : { dataOmitted: read.omitted }),
    ...(attributes === undefined ? {} : { cloudevent: attributes }),
  };
}

function malformed(detail: string): Unreadable {
  return { ok: false, problem: "malformed-request", detail };
}

function tooLarge(detail: string, extensions: Readonly<Record<string, number>>): Unreadable {
  return { ok: false, problem: "payload-too-large", detail, extensions };
}

function invalid(faults: readonly Fault[]): Unreadable {
  const detail =
    faults.length > FAULTS_MAX
      ? `Not CloudEvents 1.0: the first ${FAULTS_MAX} of ${faults.length} faults are listed.`
      : "Not CloudEvents 1.0: every fault is listed.";
  return { ok: false, problem: "cloudevent-invalid", detail, errors: faults.slice(0, FAULTS_MAX) };
}
