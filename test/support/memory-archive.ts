/** The archive in memory, and what it holds by time. */

import { hourStartMs, keysWithin, POISON_PREFIX, prefixesOf } from "../../src/core/archive-keys.ts";
import type { Text } from "../../src/core/crypto.ts";
import { bodyOf, decodeFrame, framesIn } from "../../src/core/enqueue/record.ts";
import type { Archive, ArchiveListing } from "../../src/ports/archive.ts";
import type { Clock } from "../../src/ports/clock.ts";

export interface MemoryArchive extends Archive {
  readonly objects: Map<string, Uint8Array>;
  /** When each was put, by key. */
  readonly storedAtMs: ReadonlyMap<string, number>;
  /** Why each was unreadable, by key. */
  readonly poison: Map<string, { readonly bytes: Uint8Array; readonly reason: string }>;
}

export function createMemoryArchive(
  text: Text,
  clock: Pick<Clock, "nowMs"> = { nowMs: Date.now },
): MemoryArchive {
  const storedAtMs = new Map<string, number>();
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
    storedAtMs,
    poison,
    async put(key, parts) {
      objects.set(key, joined(parts));
      storedAtMs.set(key, clock.nowMs());
    },
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

/** What `archive` holds; kept poison is told as kept at `keptAtMs`. */
export function createMemoryListing(
  archive: MemoryArchive,
  text: Text,
  keptAtMs = 0,
): ArchiveListing {
  const { objects, poison } = archive;
  const keysOf = (map: ReadonlyMap<string, unknown>, prefix: string): string[] =>
    [...map.keys()].filter((key) => key.startsWith(prefix)).sort();

  function pageOf<Item>(keys: readonly string[], count: number, itemOf: (key: string) => Item) {
    const taken = keys.slice(0, count);
    return {
      items: taken.map(itemOf),
      next: keys.length > taken.length ? (taken.at(-1) ?? null) : null,
    };
  }

  return {
    async hours(kind, tenant, range) {
      const { prefix, after, before } = keysWithin(kind, tenant, range);
      const keys = keysOf(objects, prefix).filter((key) => key > after && key < before);
      return [...new Set(keys.map(hourStartMs))];
    },
    async list(kind, tenant, range, from, count) {
      const { prefix, after, before } = keysWithin(kind, tenant, range);
      const keys = keysOf(objects, prefix).filter(
        (key) => key > after && key < before && (from === null || key > from),
      );
      return pageOf(keys, count, (key) => ({ key, bytes: objects.get(key)?.length ?? 0 }));
    },
    async frames(segment) {
      const bytes = objects.get(segment);
      return bytes === undefined ? null : framesIn(segment, bytes, text);
    },
    async removeTenant(tenant, count, storedBeforeMs = Number.POSITIVE_INFINITY) {
      const keys = prefixesOf(tenant)
        .flatMap((prefix) => keysOf(objects, prefix))
        .filter((key) => (archive.storedAtMs.get(key) ?? 0) < storedBeforeMs);
      const removed = keys.slice(0, count);
      for (const key of removed) objects.delete(key);
      return { removed: removed.length, more: keys.length > removed.length };
    },
    async poison(after, count) {
      const keys = keysOf(poison, POISON_PREFIX).filter((key) => after === null || key > after);
      return pageOf(keys, count, (key) => {
        const { bytes, reason } = poison.get(key) ?? { bytes: new Uint8Array(), reason: "" };
        return { key, bytes: bytes.length, reason, keptAtMs };
      });
    },
    poisonBytes: async (key) => poison.get(key)?.bytes ?? null,
    async removePoison(key) {
      if (!key.startsWith(POISON_PREFIX)) return false;
      poison.delete(key);
      return true;
    },
  };
}

/** In bytes of its own, as an object is. */
const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

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
