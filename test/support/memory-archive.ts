/** The archive in memory. */
import type { Text } from "../../src/core/crypto.ts";
import { bodyOf, decodeFrame } from "../../src/core/enqueue/record.ts";
import type { Archive } from "../../src/ports/archive.ts";

export interface MemoryArchive extends Archive {
  readonly objects: Map<string, Uint8Array>;
  /** Why each was unreadable, by key. */
  readonly poison: Map<string, { readonly bytes: Uint8Array; readonly reason: string }>;
}

export function createMemoryArchive(text: Text): MemoryArchive {
  const objects = new Map<string, Uint8Array>();
  const poison: MemoryArchive["poison"] = new Map();

  function bytes(key: string, offset: number, length: number): Uint8Array | null {
    return objects.get(key)?.subarray(offset, offset + length) ?? null;
  }

  function frame(segment: string, offset: number, length: number) {
    const whole = bytes(segment, offset, length);
    return whole === null ? null : decodeFrame(whole, 0, text);
  }

  return {
    objects,
    poison,
    put: async (key, value) => void objects.set(key, value.slice()),
    putPoison: async (key, value, reason) => void poison.set(key, { bytes: value.slice(), reason }),
    frame: async ({ segment, offset, length }) => frame(segment, offset, length),
    async meta({ segment, offset, length }) {
      const whole = frame(segment, offset, length);
      if (whole === null) return null;
      return {
        record: whole.record,
        bodyOffset: whole.bodyOffset,
        bodyBytes: bodyOf(whole).length,
      };
    },
    async stream(key, offset, length) {
      const part = bytes(key, offset, length);
      return part === null ? null : streamOf(part);
    },
  };
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** All of a stream's bytes. */
export async function bytesOfStream(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}
