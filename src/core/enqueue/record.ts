/**
 * An accepted event as it travels and rests: one self-delimiting frame of metadata and the sender's
 * own bytes. Queue messages, outbox rows and archive segments all carry these frames unchanged.
 *
 *     u32 length of the metadata | u32 length of the body | metadata (JSON, UTF-8) | body
 */
import type { Text } from "../crypto.ts";
import type { ElementOf } from "../fan-out/element.ts";
import type { Priority, Subscription } from "../priority.ts";

export interface EventRecord {
  readonly id: string;
  /** New for every time an event is accepted; the owner written in the claim. */
  readonly receipt: string;
  readonly tenant: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  /** When it happened, as the sender says (RFC 3339). */
  readonly time: string | null;
  readonly receivedAtMs: number;
  readonly contentType: string | null;
  /** The sender's headers without credentials, lower-case names, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly key: string;
  readonly keyFrom: string;
  readonly verification: {
    readonly scheme: string;
    readonly secretIndex: number | null;
    /** Where a source of its own making puts its signature: no business of patterns. */
    readonly header?: string;
  };
  /** Which queue the event enters by. */
  readonly priority: Priority;
  readonly demoted?: true;
  readonly subscriptions: readonly Subscription[];
  /** The rules' revision that chose the subscriptions. */
  readonly revision: number;
  readonly traceparent: string;
  readonly cloudevent?: Readonly<Record<string, string>>;
  /** How many times the router published it and the events that led to it; none, if it is left out. */
  readonly hops?: number;
  /** The delivery, to a target of kind event, that it was made of. */
  readonly parent?: string;
  /** It is an element of another event's list: no rule is asked what becomes of it. */
  readonly elementOf?: ElementOf;
}

/** Where a frame rests in the archive; nowhere if the segment is empty. */
export interface Pointer {
  readonly segment: string;
  readonly offset: number;
  readonly length: number;
}

/** A record with its body, or with the place where a frame too big for a message already rests. */
export interface Frame {
  readonly record: EventRecord;
  readonly bytes: Uint8Array;
  readonly bodyOffset: number;
  readonly bodyBytes: number;
}

export const FRAME_PREFIX_BYTES = 8;

type Shape = Readonly<Record<string, "string" | "number">>;

/** Whether `value` is an object whose members of these names have these types. */
export function hasShape(value: unknown, shape: Shape): boolean {
  if (typeof value !== "object" || value === null) return false;
  const members = value as Readonly<Record<string, unknown>>;
  return Object.entries(shape).every(([name, type]) => typeof members[name] === type);
}

const SUBSCRIPTION = { rule: "string", target: "string", priority: "string" } as const;
const RECORD = {
  id: "string",
  receipt: "string",
  tenant: "string",
  source: "string",
  type: "string",
  receivedAtMs: "number",
} as const;

/** Whether the consumer can do its part with it: a damaged record must not stop its whole batch. */
function isRecord(value: unknown): value is EventRecord {
  if (!hasShape(value, RECORD)) return false;
  const { headers, subscriptions } = value as Partial<EventRecord>;
  if (!Array.isArray(headers) || !Array.isArray(subscriptions)) return false;
  return subscriptions.every((each) => hasShape(each, SUBSCRIPTION));
}

/** A frame up to its body: so a big body need not be copied to become one. */
export function encodeHead(record: EventRecord, bodyBytes: number, text: Text): Uint8Array {
  const meta = text.encode(JSON.stringify(record));
  const bytes = new Uint8Array(FRAME_PREFIX_BYTES + meta.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, meta.length);
  view.setUint32(4, bodyBytes);
  bytes.set(meta, FRAME_PREFIX_BYTES);
  return bytes;
}

export function encodeFrame(record: EventRecord, body: Uint8Array, text: Text): Frame {
  return joinFrame(record, encodeHead(record, body.length, text), body);
}

/** The frame of a head and its body, in bytes of its own. */
export function joinFrame(record: EventRecord, head: Uint8Array, body: Uint8Array): Frame {
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return { record, bytes, bodyOffset: head.length, bodyBytes: body.length };
}

/** Lengths of the frame that starts at `offset`, or null if there are not even eight bytes. */
export function frameLengths(
  bytes: Uint8Array,
  offset: number,
): { metaBytes: number; bodyBytes: number } | null {
  if (offset + FRAME_PREFIX_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, FRAME_PREFIX_BYTES);
  return { metaBytes: view.getUint32(0), bodyBytes: view.getUint32(4) };
}

/** The record whose metadata starts after the prefix at `offset`, or null if it cannot be read. */
export function decodeMeta(
  bytes: Uint8Array,
  offset: number,
  metaBytes: number,
  text: Text,
): EventRecord | null {
  const start = offset + FRAME_PREFIX_BYTES;
  if (start + metaBytes > bytes.length) return null;
  const json = text.decode(bytes.subarray(start, start + metaBytes));
  if (json === null) return null;
  try {
    const record: unknown = JSON.parse(json);
    return isRecord(record) ? record : null;
  } catch {
    return null;
  }
}

/** The frame at `offset`, or null if the bytes there are no whole frame. */
export function decodeFrame(bytes: Uint8Array, offset: number, text: Text): Frame | null {
  const lengths = frameLengths(bytes, offset);
  if (lengths === null) return null;
  const bodyStart = FRAME_PREFIX_BYTES + lengths.metaBytes;
  const end = offset + bodyStart + lengths.bodyBytes;
  if (end > bytes.length) return null;
  const record = decodeMeta(bytes, offset, lengths.metaBytes, text);
  if (record === null) return null;
  const own = bytes.subarray(offset, end);
  return { record, bytes: own, bodyOffset: bodyStart, bodyBytes: lengths.bodyBytes };
}

export interface PlacedFrame {
  readonly frame: Frame;
  readonly pointer: Pointer;
}

/** All frames of a segment; one that cannot be read is stepped over, by the lengths it has. */
export function framesIn(
  segment: string,
  bytes: Uint8Array,
  text: Text,
): { frames: PlacedFrame[]; unreadableBytes: number } {
  const frames: PlacedFrame[] = [];
  let unreadableBytes = 0;
  for (let offset = 0; offset < bytes.length; ) {
    const lengths = frameLengths(bytes, offset);
    const left = bytes.length - offset;
    const claimed =
      lengths === null ? left : FRAME_PREFIX_BYTES + lengths.metaBytes + lengths.bodyBytes;
    const length = Math.min(claimed, left);
    const frame = decodeFrame(bytes, offset, text);
    if (frame === null) unreadableBytes += length;
    else frames.push({ frame, pointer: { segment, offset, length } });
    offset += length;
  }
  return { frames, unreadableBytes };
}

/** The sender's own bytes within a frame. */
export function bodyOf(frame: Frame): Uint8Array {
  return frame.bytes.subarray(frame.bodyOffset, frame.bodyOffset + frame.bodyBytes);
}
