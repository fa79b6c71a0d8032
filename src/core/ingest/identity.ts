/** An event's type, and the key by which it is the same event again: where senders say so. */
import { encodeHex } from "../bytes.ts";
import type { Crypto, Text } from "../crypto.ts";
import {
  isJsonNumber,
  type Json,
  joinNames,
  type Names,
  namesOfPointers,
  resolvePointer,
} from "../json.ts";
import type { VerifyConfig } from "../verify/config.ts";
import { presets, signatureHeaders } from "../verify/presets.ts";
import type { Attributes } from "./cloudevent-attributes.ts";
import { KEY_LENGTH_MAX, TYPE_LENGTH_MAX } from "./limits.ts";
import { SLACK_CHALLENGE } from "./slack.ts";

type Place =
  | { readonly from: "header"; readonly name: string }
  | { readonly from: "body"; readonly pointer: string };

/** Where a source finds the key; a request without it falls back to the body's hash. */
export type IdempotencyKeyFrom = Place | { readonly from: "body-hash" };
/** Where a source finds the type; a plain text is the type itself. */
export type TypeFrom = Place | string;

export interface EventSource {
  readonly scheme: VerifyConfig["scheme"];
  readonly idempotencyKey?: IdempotencyKeyFrom | undefined;
  readonly typeFrom?: TypeFrom | undefined;
}

/** One event as it was sent: what its type and key are read from. */
export interface Sent {
  /** Null in a batch, where headers speak of several events at once and can identify none. */
  readonly header: ((name: string) => string | null) | null;
  /** The body as rules see it; for a CloudEvent in JSON, the whole document. */
  readonly document: Json;
  readonly body: Uint8Array;
  readonly cloudevent?: { readonly attributes: Attributes; readonly inBody: boolean };
}

const header = (name: string) => ({ from: "header", name }) as const;
const body = (pointer: string) => ({ from: "body", pointer }) as const;

interface Convention {
  readonly type: readonly Place[];
  readonly key: readonly (Place | { readonly from: "signed-id" })[];
}

/** The first place that holds something counts; a signed one is preferred where there is one. */
const CONVENTIONS: { readonly [scheme in VerifyConfig["scheme"]]?: Convention } = {
  github: { type: [header("x-github-event")], key: [header("x-github-delivery")] },
  stripe: { type: [body("/type")], key: [body("/id")] },
  "standard-webhooks": { type: [body("/type")], key: [{ from: "signed-id" }] },
  slack: { type: [body("/event/type"), body("/type")], key: [body("/event_id")] },
  shopify: {
    type: [header("shopify-topic"), header("x-shopify-topic")],
    key: [header("shopify-webhook-id"), header("x-shopify-webhook-id")],
  },
};
/** Not beside a convention: an unsigned header must not make a repeat look new. */
const USUAL_KEYS = [header("idempotency-key"), header("webhook-id")];

/** What is looked at in the bodies of a source: by rules, for the type and the key, and in Slack's question. */
export function namesInBody(
  events: Names,
  { scheme, idempotencyKey, typeFrom }: EventSource,
): Names {
  const { type = [], key = [] } = CONVENTIONS[scheme] ?? {};
  const pointers = [...type, ...key, idempotencyKey, typeFrom].flatMap((place) =>
    typeof place === "object" && place.from === "body" ? [place.pointer] : [],
  );
  if (scheme === "slack") pointers.push(...SLACK_CHALLENGE);
  return joinNames(events.next.get("data"), namesOfPointers(pointers));
}

/** From a CloudEvent in JSON, else the preset, else one in headers, else the source. */
export function typeOf(sent: Sent, source: EventSource): string {
  const { cloudevent } = sent;
  const places = cloudevent?.inBody ? [] : (CONVENTIONS[source.scheme]?.type ?? []);
  const { typeFrom = "webhook" } = source;
  return (
    firstName(places, sent) ??
    cloudevent?.attributes.type ??
    (typeof typeFrom === "string" ? typeFrom : firstName([typeFrom], sent)) ??
    "webhook"
  );
}

function firstName(places: readonly Place[], sent: Sent): string | null {
  const values = places.map((place) => valueAt(place, sent)?.value ?? "");
  return values.find((value) => value !== "" && value.length <= TYPE_LENGTH_MAX) ?? null;
}

/**
 * The idempotency key and where it was found. A long one is hashed. Without any, the body's hash is
 * the key, the type hashed with it, since "created" and "deleted" may come with the same body.
 */
export function keyOf(
  sent: Sent,
  source: EventSource,
  crypto: Crypto,
  text: Text,
): { key: string; keyFrom: string } {
  const hash = (...parts: Uint8Array[]) => `sha256:${encodeHex(crypto.sha256(...parts))}`;
  const signed = withoutUnsigned(sent, source);
  const found = findKey(signed, source);
  if (found === null) {
    const type = text.encode(typeOf(signed, source));
    return { key: hash(text.encode(`${type.length}:`), type, sent.body), keyFrom: "body-hash" };
  }
  const key = found.value.length > KEY_LENGTH_MAX ? hash(text.encode(found.value)) : found.value;
  return { key, keyFrom: found.from };
}

/**
 * On a preset's source nobody has signed a CloudEvent's headers, so they identify nothing: a
 * captured request that is sent again with other ones is still the same event.
 */
function withoutUnsigned(sent: Sent, source: EventSource): Sent {
  const { cloudevent, ...rest } = sent;
  return cloudevent?.inBody === false && CONVENTIONS[source.scheme] !== undefined ? rest : sent;
}

interface Found {
  readonly value: string;
  /** Such as `header:x-github-delivery` or `body:/id`. */
  readonly from: string;
}

/** The source's own choice, else a CloudEvent's identity, else the preset or a usual header. */
function findKey(sent: Sent, source: EventSource): Found | null {
  const { idempotencyKey: own } = source;
  if (own?.from === "body-hash") return null;
  if (own?.from === "body" || (own?.from === "header" && sent.header !== null)) {
    return valueAt(own, sent);
  }
  if (sent.cloudevent !== undefined) {
    const { source: producer, id } = sent.cloudevent.attributes;
    return { value: JSON.stringify([producer, id]), from: "cloudevent:source,id" };
  }
  return firstOf(CONVENTIONS[source.scheme]?.key ?? USUAL_KEYS, sent);
}

function firstOf(places: Convention["key"], sent: Sent): Found | null {
  for (const place of places) {
    const found = valueAt(place, sent);
    if (found !== null) return found;
  }
  return null;
}

/** What stands at a place, if it is a text or a number and not empty. */
function valueAt(place: Convention["key"][number], sent: Sent): Found | null {
  if (place.from === "body") {
    const value = scalarText(resolvePointer(sent.document, place.pointer));
    return value === "" ? null : { value, from: `body:${place.pointer}` };
  }
  const name = place.from === "header" ? place.name.toLowerCase() : signedIdHeader(sent);
  const value = name === null ? null : sent.header?.(name);
  return value ? { value, from: `header:${name}` } : null;
}

/** Of two sets of names the one that was verified: an id under the other names is nobody's word. */
function signedIdHeader({ header }: Sent): string | null {
  return (header && signatureHeaders(presets["standard-webhooks"], header)?.id) ?? null;
}

function scalarText(value: Json | undefined): string {
  if (typeof value === "string") return value;
  if (!isJsonNumber(value)) return "";
  return typeof value === "number" ? String(value) : value.text;
}
