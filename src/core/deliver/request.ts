/** The request a target receives: the sender's own bytes, signed by Standard Webhooks. */
import type { EventRecord } from "../enqueue/record.ts";
import { forwardedHeaders, withoutProof } from "../ingest/headers.ts";
import { attributesOf } from "./cloudevent.ts";

export interface DeliveryHeadersInput {
  readonly record: EventRecord;
  readonly deliveryId: string;
  readonly rule: string;
  /** The replay that it belongs to. */
  readonly replay?: string | undefined;
  /** 1 for the first. */
  readonly attempt: number;
  readonly timestampSeconds: number;
  /** Values of `webhook-signature`, one per live secret; none without secrets. */
  readonly signatures: readonly string[];
  /** The target's own headers; they win over the sender's, never over Signalbox's. */
  readonly targetHeaders: Readonly<Record<string, string>>;
  readonly receivedAt: string;
  /** Of bytes that are not the sender's: then nothing of the sender's speaks of them. */
  readonly otherContentType: string | null;
}

/** Headers of one attempt, lower-case names. */
export function deliveryHeaders(input: DeliveryHeadersInput): Map<string, string> {
  const { record } = input;
  const headers = new Map<string, string>();
  const sent = forwardedHeaders(record.headers);
  const kept =
    input.otherContentType === null ? sent : withoutProof(sent, record.verification.header);
  for (const [name, value] of kept) {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  for (const [name, value] of Object.entries(input.targetHeaders)) {
    headers.set(name.toLowerCase(), value);
  }
  const contentType = input.otherContentType ?? record.contentType;
  if (contentType !== null) headers.set("content-type", contentType);
  for (const [name, value] of cloudEventHeaders(record, input.receivedAt)) headers.set(name, value);
  headers.set("webhook-id", input.deliveryId);
  headers.set("webhook-timestamp", String(input.timestampSeconds));
  headers.delete("webhook-signature");
  if (input.signatures.length > 0) headers.set("webhook-signature", input.signatures.join(" "));
  headers.set("signalbox-event", record.id);
  headers.set("signalbox-rule", input.rule);
  headers.delete("signalbox-replay");
  if (input.replay !== undefined) headers.set("signalbox-replay", input.replay);
  headers.set("signalbox-attempt", String(input.attempt));
  if (record.elementOf !== undefined) {
    const { fanOut, event, index, count } = record.elementOf;
    headers.set("signalbox-fan-out", fanOut);
    headers.set("signalbox-list-event", event);
    headers.set("signalbox-index", String(index));
    headers.set("signalbox-count", String(count));
  }
  headers.set("traceparent", record.traceparent);
  headers.set("user-agent", "Signalbox/0.1");
  return headers;
}

/** Headers of a request that is made of no single event. */
export function ownHeaders({
  targetHeaders,
  contentType,
  id,
  timestampSeconds,
  signatures,
}: Pick<DeliveryHeadersInput, "targetHeaders" | "timestampSeconds" | "signatures"> & {
  readonly contentType: string;
  readonly id: string;
}): Map<string, string> {
  const own = Object.entries(targetHeaders).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  const headers = new Map<string, string>(own);
  headers.set("content-type", contentType);
  headers.set("webhook-id", id);
  headers.set("webhook-timestamp", String(timestampSeconds));
  headers.delete("webhook-signature");
  if (signatures.length > 0) headers.set("webhook-signature", signatures.join(" "));
  headers.set("user-agent", "Signalbox/0.1");
  return headers;
}

/** The CloudEvents attributes in binary mode. */
const cloudEventHeaders = (record: EventRecord, receivedAt: string): [string, string][] =>
  Object.entries(attributesOf(record, receivedAt)).map(([name, value]) => {
    return [`ce-${name}`, percentEncode(value)];
  });

/**
 * CloudEvents HTTP binding §3.1.3.2: space, double quote, percent and all outside printable ASCII are
 * percent-encoded as UTF-8.
 */
function percentEncode(value: string): string {
  return [...value]
    .map((character) =>
      /[\x21-\x7e]/.test(character) && character !== '"' && character !== "%"
        ? character
        : encodeURIComponent(character.isWellFormed() ? character : "\uFFFD"),
    )
    .join("");
}
