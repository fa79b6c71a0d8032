/** The archive in R2. */
import type { Text } from "../core/crypto.ts";
import {
  decodeFrame,
  decodeMeta,
  FRAME_PREFIX_BYTES,
  frameLengths,
  type Pointer,
} from "../core/enqueue/record.ts";
import { Retryable } from "../core/errors.ts";
import type { Archive } from "../ports/archive.ts";
import type { Meter } from "../ports/meter.ts";

/** Read first of a big frame: enough for nearly every record's metadata. */
const META_GUESS_BYTES = 16_384;

/** Parts of more bytes go out as a stream: a joined copy would cost more than the calls do. */
const JOINED_BYTES_MAX = 1_000_000;

/** What R2 takes: bytes, or a stream whose length is known. */
function storable(parts: readonly Uint8Array[]): Uint8Array | ReadableStream {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (bytes > JOINED_BYTES_MAX) {
    const { readable, writable } = new FixedLengthStream(bytes);
    writeAll(writable, parts).catch(() => {}); // R2 sees it as a body that ended too early
    return readable;
  }
  const joined = new Uint8Array(bytes);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

async function writeAll(writable: WritableStream, parts: readonly Uint8Array[]): Promise<void> {
  const writer = writable.getWriter();
  for (const part of parts) await writer.write(part);
  await writer.close();
}

export function createArchive(bucket: R2Bucket, text: Text, meter: Meter): Archive {
  async function range(key: string, offset: number, length: number): Promise<R2ObjectBody | null> {
    if (key === "") return null; // an event that is unplaced; R2 would refuse the name
    meter.add("r2_gets");
    try {
      return await bucket.get(key, { range: { offset, length } });
    } catch (error) {
      throw new Retryable("archive did not answer", 2_000, { cause: error });
    }
  }

  async function bytes({ segment, offset }: Pointer, length: number): Promise<Uint8Array | null> {
    const object = await range(segment, offset, length);
    return object === null ? null : new Uint8Array(await object.arrayBuffer());
  }

  async function put(key: string, parts: readonly Uint8Array[], options?: R2PutOptions) {
    meter.add("r2_puts");
    try {
      await bucket.put(key, storable(parts), options);
    } catch (error) {
      throw new Retryable("archive did not take the object", 2_000, { cause: error });
    }
  }

  return {
    put: (key, parts) => put(key, parts),
    putPoison: (key, value, reason) => put(key, [value], { customMetadata: { reason } }),

    async frame(pointer) {
      const whole = await bytes(pointer, pointer.length);
      return whole === null ? null : decodeFrame(whole, 0, text);
    },

    async meta(pointer) {
      const first = await bytes(pointer, Math.min(META_GUESS_BYTES, pointer.length));
      const lengths = first === null ? null : frameLengths(first, 0);
      if (first === null || lengths === null) return null;
      const bodyOffset = FRAME_PREFIX_BYTES + lengths.metaBytes;
      const whole = bodyOffset <= first.length ? first : await bytes(pointer, bodyOffset);
      const record = whole === null ? null : decodeMeta(whole, 0, lengths.metaBytes, text);
      return record === null ? null : { record, bodyOffset, bodyBytes: lengths.bodyBytes };
    },

    async stream(key, offset, length) {
      if (length === 0) return new Blob([]).stream();
      return (await range(key, offset, length))?.body ?? null;
    },
  };
}
