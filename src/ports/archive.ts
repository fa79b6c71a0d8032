/** Accepted events at rest: segments of frames, and big frames in objects of their own. */
import type { ArchiveKind, TimeRange } from "../core/archive-keys.ts";
import type { Frame, PlacedFrame, Pointer } from "../core/enqueue/record.ts";

export interface Archive {
  /**
   * Keeps a segment or a big frame: the parts, one after the other, without a copy of them that would
   * double a big one. The same key with the same bytes again is harmless.
   */
  put(key: string, parts: readonly Uint8Array[]): Promise<void>;
  /** The frame at `pointer`, whole in memory; null when the object is not there. */
  frame(pointer: Pointer): Promise<Frame | null>;
  /** Metadata of the frame at `pointer` without reading its body. */
  meta(pointer: Pointer): Promise<Pick<Frame, "record" | "bodyOffset" | "bodyBytes"> | null>;
  /** A stream of `length` bytes from `offset` of an object; null when it is not there. */
  stream(key: string, offset: number, length: number): Promise<ReadableStream<Uint8Array> | null>;
  /** Keeps bytes that nothing could read, for a person to look at. */
  putPoison(key: string, bytes: Uint8Array, reason: string): Promise<void>;
}

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
}

export interface StoredPoison extends StoredObject {
  readonly reason: string;
  readonly keptAtMs: number;
}

/** `next` goes on after this page; null when there is no more. */
export interface ObjectPage<Item = StoredObject> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

export interface SegmentContent {
  /**
   * In order. Copies are among them: an event whose consumer died lies in two segments, and a suppressed
   * copy lies beside the others of its batch. The event's id tells, and the ledger which receipt counts.
   */
  readonly frames: readonly PlacedFrame[];
  /** Bytes that are no frame, and were stepped over. */
  readonly unreadableBytes: number;
}

/**
 * What the archive holds, by time and without an index elsewhere. A slice of time is read oldest first
 * with `list`, or hour by hour from the end of `hours`; both for "segments" and for "big", whose objects
 * are one frame each, the size of the object.
 */
export interface ArchiveListing {
  /** Starts of the hours of `range` that hold anything, oldest first. */
  hours(kind: ArchiveKind, tenant: string, range: TimeRange): Promise<number[]>;
  /** At most `count` objects of the hours that `range` touches, oldest hour first, from after `after`. */
  list(
    kind: ArchiveKind,
    tenant: string,
    range: TimeRange,
    after: string | null,
    count: number,
  ): Promise<ObjectPage>;
  /** All of a segment in one read; null when it is not there. */
  frames(segment: string): Promise<SegmentContent | null>;
  /** Removes at most `count` objects of a tenant, stored before then; says whether more are left. */
  removeTenant(
    tenant: string,
    count: number,
    storedBeforeMs?: number,
  ): Promise<{ removed: number; more: boolean }>;
  /** What nothing could read, oldest day first. */
  poison(after: string | null, count: number): Promise<ObjectPage<StoredPoison>>;
  /** The bytes of one of them; null when it is not there, or the key is of no such thing. */
  poisonBytes(key: string): Promise<Uint8Array | null>;
  /** False when the key is of no such thing, and nothing is removed. */
  removePoison(key: string): Promise<boolean>;
}
