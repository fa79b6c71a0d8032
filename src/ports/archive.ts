/** Accepted events at rest: segments of frames, and big frames in objects of their own. */
import type { Frame, Pointer } from "../core/enqueue/record.ts";

export interface Archive {
  /** Keeps a segment or a big frame; the same key with the same bytes again is harmless. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** The frame at `pointer`, whole in memory; null when the object is not there. */
  frame(pointer: Pointer): Promise<Frame | null>;
  /** Metadata of the frame at `pointer` without reading its body. */
  meta(pointer: Pointer): Promise<Pick<Frame, "record" | "bodyOffset" | "bodyBytes"> | null>;
  /** A stream of `length` bytes from `offset` of an object; null when it is not there. */
  stream(key: string, offset: number, length: number): Promise<ReadableStream<Uint8Array> | null>;
  /** Keeps bytes that nothing could read, for a person to look at. */
  putPoison(key: string, bytes: Uint8Array, reason: string): Promise<void>;
}
