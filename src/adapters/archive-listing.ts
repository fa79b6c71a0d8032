/** What R2 holds, by time: keys are its index. */
import { hourStartMs, keysWithin, POISON_PREFIX, prefixesOf } from "../core/archive-keys.ts";
import type { Text } from "../core/crypto.ts";
import { framesIn } from "../core/enqueue/record.ts";
import { Retryable } from "../core/errors.ts";
import type { ArchiveListing } from "../ports/archive.ts";
import type { Meter } from "../ports/meter.ts";

/** R2 lists, and removes, at most this many at once. */
const PAGE = 1_000;

export function createArchiveListing(bucket: R2Bucket, text: Text, meter: Meter): ArchiveListing {
  async function asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw new Retryable("archive did not answer", 2_000, { cause: error });
    }
  }

  function page(options: R2ListOptions): Promise<R2Objects> {
    meter.add("r2_lists");
    return asked(bucket.list({ ...options, limit: Math.min(options.limit ?? PAGE, PAGE) }));
  }

  async function bytesOf(key: string): Promise<Uint8Array | null> {
    meter.add("r2_gets");
    const object = await asked(bucket.get(key));
    return object === null ? null : new Uint8Array(await asked(object.arrayBuffer()));
  }

  const isPoison = (key: string): boolean => key.startsWith(POISON_PREFIX);

  return {
    async hours(kind, tenant, range) {
      const { prefix, after, before } = keysWithin(kind, tenant, range);
      const hours: number[] = [];
      for (let cursor: string | undefined; ; ) {
        const from = cursor === undefined ? { startAfter: after } : { cursor };
        const listed = await page({ prefix, delimiter: "/", ...from });
        const within = listed.delimitedPrefixes.filter((each) => each > after && each < before);
        hours.push(...within.map(hourStartMs));
        if (!listed.truncated || within.length < listed.delimitedPrefixes.length) return hours;
        cursor = listed.cursor;
      }
    },

    async list(kind, tenant, range, after, count) {
      const keys = keysWithin(kind, tenant, range);
      const startAfter = after !== null && after > keys.after ? after : keys.after;
      const listed = await page({ prefix: keys.prefix, startAfter, limit: count });
      const within = listed.objects.filter(({ key }) => key < keys.before);
      const items = within.map(({ key, size: bytes }) => ({ key, bytes }));
      const more = listed.truncated && within.length === listed.objects.length;
      return { items, next: more ? (items.at(-1)?.key ?? null) : null };
    },

    async frames(segment) {
      const bytes = await bytesOf(segment);
      return bytes === null ? null : framesIn(segment, bytes, text);
    },

    async removeTenant(tenant, count, storedBeforeMs = Number.POSITIVE_INFINITY) {
      let removed = 0;
      for (const prefix of prefixesOf(tenant)) {
        // What is newer is stepped over, however much there is: by its last key, since a delete ends a cursor.
        for (let startAfter = prefix; ; ) {
          const listed = await page({ prefix, startAfter });
          const old = listed.objects.filter(({ uploaded }) => uploaded.getTime() < storedBeforeMs);
          const keys = old.slice(0, count - removed).map(({ key }) => key);
          if (keys.length > 0) await asked(bucket.delete(keys));
          removed += keys.length;
          if (keys.length < old.length) return { removed, more: true };
          const last = listed.objects.at(-1)?.key;
          if (!listed.truncated || last === undefined) break;
          if (removed === count) return { removed, more: true };
          startAfter = last;
        }
      }
      return { removed, more: false };
    },

    async poison(after, count) {
      const listed = await page({
        prefix: POISON_PREFIX,
        limit: count,
        include: ["customMetadata"],
        ...(after === null ? {} : { startAfter: after }),
      });
      const items = listed.objects.map(({ key, size: bytes, customMetadata, uploaded }) => {
        return { key, bytes, reason: customMetadata?.reason ?? "", keptAtMs: uploaded.getTime() };
      });
      return { items, next: listed.truncated ? (items.at(-1)?.key ?? null) : null };
    },

    poisonBytes: async (key) => (isPoison(key) ? bytesOf(key) : null),

    async removePoison(key) {
      if (!isPoison(key)) return false;
      await asked(bucket.delete(key));
      return true;
    },
  };
}
