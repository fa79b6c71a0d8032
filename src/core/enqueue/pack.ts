/**
 * A pack: what one queue message or outbox row carries. Its items are events on their first way, or
 * events for which some deliveries are tried again.
 *
 *     u8 version | u32 length of the header | header (JSON, UTF-8) | frames, in the header's order
 */
import type { Text } from "../crypto.ts";
import { decodeFrame, type Frame, hasShape, type Pointer } from "./record.ts";

/** One delivery to be tried again: which, and how many attempts were made when this was sent. */
export interface Again {
  readonly rule: string;
  readonly target: string;
  readonly attempts: number;
  /** The replay that the delivery belongs to. */
  readonly replay?: string;
  /** It was parked, and its gate has let it go. */
  readonly released?: true;
}

/** An event whose frame is too big for a message: it rests in the archive already. */
export interface Parcel {
  readonly pointer: Pointer;
  readonly id: string;
  readonly receipt: string;
  readonly tenant: string;
}

/** `again` absent: the event's first way, every subscription is owed. */
export interface PackItem {
  readonly content: Frame | Parcel;
  readonly again?: readonly Again[];
}

/** The outbox row a pack was sent from, so that it can be struck off when settled. */
export interface Origin {
  readonly shard: number;
  readonly row: number;
}

export interface Pack {
  readonly origin: Origin | null;
  readonly items: readonly PackItem[];
}

interface ItemHeader {
  again?: readonly Again[];
  parcel?: Parcel;
}

interface Header {
  readonly origin: Origin | null;
  readonly items: readonly ItemHeader[];
}

const VERSION = 1;
const PREFIX_BYTES = 5;
/** What a header adds per pack and per item beyond the texts counted in `itemBytes`. */
export const HEADER_OVERHEAD_BYTES = 80;
const ITEM_OVERHEAD_BYTES = 4;

export const isParcel = (content: Frame | Parcel): content is Parcel => "pointer" in content;

function headerOf(item: PackItem): ItemHeader {
  return {
    ...(item.again === undefined ? {} : { again: item.again }),
    ...(isParcel(item.content) ? { parcel: item.content } : {}),
  };
}

/** An upper bound of the bytes that `item` adds to a pack. */
export function itemBytes(item: PackItem, text: Text): number {
  const header =
    item.again === undefined && !isParcel(item.content)
      ? 2
      : text.encode(JSON.stringify(headerOf(item))).length;
  return header + ITEM_OVERHEAD_BYTES + (isParcel(item.content) ? 0 : item.content.bytes.length);
}

/** Groups items in order into packs of at most `bytesMax`; an item above it stands alone. */
export function groupBySize<Item>(
  items: readonly Item[],
  sizeOf: (item: Item) => number,
  bytesMax: number,
): Item[][] {
  const groups: Item[][] = [];
  let current: Item[] = [];
  let bytes = HEADER_OVERHEAD_BYTES;
  for (const item of items) {
    const size = sizeOf(item);
    if (current.length > 0 && bytes + size > bytesMax) {
      groups.push(current);
      current = [];
      bytes = HEADER_OVERHEAD_BYTES;
    }
    current.push(item);
    bytes += size;
  }
  if (current.length > 0) groups.push(current);
  return groups;
}

export function encodePack(pack: Pack, text: Text): Uint8Array {
  const header = text.encode(
    JSON.stringify({ origin: pack.origin, items: pack.items.map(headerOf) }),
  );
  const frames = pack.items.flatMap((item) => (isParcel(item.content) ? [] : [item.content.bytes]));
  const length = frames.reduce((sum, frame) => sum + frame.length, PREFIX_BYTES + header.length);
  const bytes = new Uint8Array(length);
  bytes[0] = VERSION;
  new DataView(bytes.buffer).setUint32(1, header.length);
  bytes.set(header, PREFIX_BYTES);
  let offset = PREFIX_BYTES + header.length;
  for (const frame of frames) {
    bytes.set(frame, offset);
    offset += frame.length;
  }
  return bytes;
}

export type DecodedPack = { ok: true; pack: Pack } | { ok: false; reason: string };

/** The pack in a message's bytes; bytes that are none say why, and are kept by whoever asked. */
export function decodePack(bytes: Uint8Array, text: Text): DecodedPack {
  if (bytes.length < PREFIX_BYTES) return { ok: false, reason: "shorter than a pack's prefix" };
  if (bytes[0] !== VERSION) return { ok: false, reason: `unknown pack version ${bytes[0]}` };
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  const framesAt = PREFIX_BYTES + headerBytes;
  if (framesAt > bytes.length) return { ok: false, reason: "header longer than the message" };
  const header = parseHeader(text.decode(bytes.subarray(PREFIX_BYTES, framesAt)));
  if (header === null) return { ok: false, reason: "header is not what this version writes" };
  const items: PackItem[] = [];
  let offset = framesAt;
  for (const item of header.items) {
    const frame = item.parcel === undefined ? decodeFrame(bytes, offset, text) : null;
    const content = item.parcel ?? frame;
    if (content === null) return { ok: false, reason: `frame ${items.length} cannot be read` };
    offset += frame?.bytes.length ?? 0;
    items.push(item.again === undefined ? { content } : { content, again: item.again });
  }
  return { ok: true, pack: { origin: header.origin, items } };
}

function parseHeader(json: string | null): Header | null {
  if (json === null) return null;
  try {
    const header: unknown = JSON.parse(json);
    return isHeader(header) ? header : null;
  } catch {
    return null;
  }
}

const ORIGIN = { shard: "number", row: "number" } as const;
const AGAIN = { rule: "string", target: "string", attempts: "number" } as const;
const PARCEL = { id: "string", receipt: "string", tenant: "string" } as const;
const POINTER = { segment: "string", offset: "number", length: "number" } as const;

function isHeader(value: unknown): value is Header {
  const { origin, items } = (value ?? {}) as Partial<Header>;
  const hasOrigin = origin === null || hasShape(origin, ORIGIN);
  return hasOrigin && Array.isArray(items) && items.every(isItemHeader);
}

function isItemHeader(value: unknown): value is ItemHeader {
  if (typeof value !== "object" || value === null) return false;
  const { again, parcel } = value as ItemHeader;
  const hasAgain = again === undefined || (Array.isArray(again) && again.every(isAgain));
  const hasParcel =
    parcel === undefined || (hasShape(parcel, PARCEL) && hasShape(parcel.pointer, POINTER));
  return hasAgain && hasParcel;
}

const isAgain = (value: unknown): boolean => hasShape(value, AGAIN);

/** The same pack with the outbox row it now comes from; frames are copied, not read. */
export function withOrigin(bytes: Uint8Array, origin: Origin, text: Text): Uint8Array {
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  const framesAt = PREFIX_BYTES + headerBytes;
  const header = JSON.parse(text.decode(bytes.subarray(PREFIX_BYTES, framesAt)) ?? "{}");
  const replaced = text.encode(JSON.stringify({ ...header, origin }));
  const result = new Uint8Array(PREFIX_BYTES + replaced.length + bytes.length - framesAt);
  result[0] = VERSION;
  new DataView(result.buffer).setUint32(1, replaced.length);
  result.set(replaced, PREFIX_BYTES);
  result.set(bytes.subarray(framesAt), PREFIX_BYTES + replaced.length);
  return result;
}
