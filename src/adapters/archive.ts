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

export function createArchive(bucket: R2Bucket, text: Text, meter: Meter): Archive {
  async function range(key: string, offset: number, length: number): Promise<R2ObjectBody | null> {
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

  async function put(key: string, value: Uint8Array, metadata?: Record<string, string>) {
    meter.add("r2_puts");
    try {
      await bucket.put(key, value, metadata === undefined ? {} : { customMetadata: metadata });
    } catch (error) {
      throw new Retryable("archive did not take the object", 2_000, { cause: error });
    }
  }

  return {
    put: (key, value) => put(key, value),
    putPoison: (key, value, reason) => put(key, value, { reason }),

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
