/** What the archive holds, in R2 and in memory: listed by time, read whole, removed by tenant. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { createArchive } from "../../src/adapters/archive.ts";
import { createArchiveListing } from "../../src/adapters/archive-listing.ts";
import { platformText } from "../../src/adapters/crypto.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { type ArchiveKind, bigKey, segmentKey } from "../../src/core/archive-keys.ts";
import type { Archive, ArchiveListing } from "../../src/ports/archive.ts";
import { createMemoryArchive, createMemoryListing } from "../support/memory-archive.ts";
import { frameOf, recordOf } from "../support/memory-records.ts";

const meter = createMeter();
const HOUR = 3_600_000;
const MIDNIGHT = Date.UTC(2026, 0, 1);
const ALL = { fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

interface Subject {
  readonly archive: Archive;
  readonly listing: ArchiveListing;
}

const subjects: Readonly<Record<string, () => Promise<Subject>>> = {
  async R2() {
    const { objects } = await env.ARCHIVE.list();
    await env.ARCHIVE.delete(objects.map(({ key }) => key));
    return {
      archive: createArchive(env.ARCHIVE, platformText, meter),
      listing: createArchiveListing(env.ARCHIVE, platformText, meter),
    };
  },
  async memory() {
    const archive = createMemoryArchive(platformText);
    return { archive, listing: createMemoryListing(archive, platformText, Date.now()) };
  },
};

let random = 0;
/** A segment of events that were received `hours` after midnight; answers its key. */
async function keepSegment(archive: Archive, tenant: string, hours: number, writtenLaterMs = 0) {
  random += 1;
  const atMs = MIDNIGHT + hours * HOUR;
  const key = segmentKey(tenant, atMs, atMs + writtenLaterMs, new Uint8Array(10).fill(random));
  await archive.put(key, [frameOf({ tenant, receivedAtMs: atMs }).bytes]);
  return key;
}

async function keepBig(archive: Archive, tenant: string, hours: number, event = "evt_1") {
  const receivedAtMs = MIDNIGHT + hours * HOUR;
  const key = bigKey(recordOf({ tenant, receivedAtMs, id: event }));
  await archive.put(key, [platformText.encode("big")]);
  return key;
}

/** All keys of a listing in pages of `count`. */
async function keysOf(
  listing: ArchiveListing,
  kind: ArchiveKind,
  tenant: string,
  range = ALL,
  count = 2,
): Promise<string[]> {
  const keys: string[] = [];
  let after: string | null = null;
  do {
    const page = await listing.list(kind, tenant, range, after, count);
    expect(page.items.length).toBeLessThanOrEqual(count);
    keys.push(...page.items.map(({ key }) => key));
    after = page.next;
  } while (after !== null);
  return keys;
}

const hoursSinceMidnight = (times: readonly number[]) => times.map((ms) => (ms - MIDNIGHT) / HOUR);

describe.each(Object.entries(subjects))("in %s", (_, prepare) => {
  let archive: Archive;
  let listing: ArchiveListing;

  beforeEach(async () => {
    ({ archive, listing } = await prepare());
  });

  describe("a listing by time", () => {
    it("goes through segments in the order of their hours, then of their writing, page by page", async () => {
      const late = await keepSegment(archive, "acme", 1, 9 * HOUR); // waited in a queue for long
      const second = await keepSegment(archive, "acme", 1, 5_000);
      const last = await keepSegment(archive, "acme", 30);
      const first = await keepSegment(archive, "acme", 0.99);
      expect(await keysOf(listing, "segments", "acme")).toEqual([first, second, late, last]);
      expect(await keysOf(listing, "segments", "acme", ALL, 4)).toHaveLength(4);
    });

    it("holds every hour that the range touches, and no other", async () => {
      const keys: string[] = [];
      for (const hours of [0, 1, 2, 3]) keys.push(await keepSegment(archive, "acme", hours));
      const touching = (from: number, until: number) =>
        keysOf(listing, "segments", "acme", {
          fromMs: MIDNIGHT + from * HOUR,
          untilMs: MIDNIGHT + until * HOUR,
        });
      expect(await touching(1, 3)).toEqual(keys.slice(1, 3));
      expect(await touching(1.5, 2.1)).toEqual(keys.slice(1, 3));
      expect(await touching(1.2, 1.3)).toEqual(keys.slice(1, 2));
      expect(await touching(4, 9)).toEqual([]);
    });

    it.each([
      [{ fromMs: MIDNIGHT, untilMs: MIDNIGHT }],
      [{ fromMs: MIDNIGHT + HOUR, untilMs: MIDNIGHT }],
      [{ fromMs: Number.MAX_SAFE_INTEGER, untilMs: Number.MAX_SAFE_INTEGER }],
      [{ fromMs: -5, untilMs: 0 }],
    ])("of %j is empty", async (range) => {
      await keepSegment(archive, "acme", 0);
      expect(await keysOf(listing, "segments", "acme", range)).toEqual([]);
      expect(await listing.hours("segments", "acme", range)).toEqual([]);
    });

    it("finds the objects of big events by the hour as well, with their sizes", async () => {
      const key = await keepBig(archive, "acme", 2);
      await keepSegment(archive, "acme", 2);
      const { items, next } = await listing.list("big", "acme", ALL, null, 10);
      expect({ items, next }).toEqual({ items: [{ key, bytes: 3 }], next: null });
    });

    it("names the hours that hold anything, across days", async () => {
      for (const hours of [0, 0.5, 23, 25, 100]) await keepSegment(archive, "acme", hours);
      await keepBig(archive, "acme", 50);
      expect(hoursSinceMidnight(await listing.hours("segments", "acme", ALL))).toEqual([
        0, 23, 25, 100,
      ]);
      const range = { fromMs: MIDNIGHT + 23.5 * HOUR, untilMs: MIDNIGHT + 100 * HOUR };
      expect(hoursSinceMidnight(await listing.hours("segments", "acme", range))).toEqual([23, 25]);
      expect(hoursSinceMidnight(await listing.hours("big", "acme", ALL))).toEqual([50]);
    });

    it("does not show one tenant what is another's, however alike their names", async () => {
      for (const tenant of ["acme-2", "acm", "acme0", "acme-", "segments", "big"]) {
        await keepSegment(archive, tenant, 1);
        await keepBig(archive, tenant, 1);
      }
      expect(await keysOf(listing, "segments", "acme")).toEqual([]);
      expect(await listing.hours("big", "acme", ALL)).toEqual([]);
      expect(await keysOf(listing, "big", "segments")).toHaveLength(1);
    });

    it("does not begin before its range when it is told to go on after an older key", async () => {
      const old = await keepSegment(archive, "acme", 0);
      await keepSegment(archive, "acme", 1);
      const recent = await keepSegment(archive, "acme", 2);
      const range = { fromMs: MIDNIGHT + 2 * HOUR, untilMs: MIDNIGHT + 3 * HOUR };
      const { items } = await listing.list("segments", "acme", range, old, 10);
      expect(items.map(({ key }) => key)).toEqual([recent]);
    });
  });

  describe("a segment", () => {
    it("comes with all its frames, each with a place it can be read from alone", async () => {
      const frames = ["a", "", "ccc"].map((body, at) => frameOf({ key: `${at}` }, body));
      const key = segmentKey("acme", MIDNIGHT, MIDNIGHT, new Uint8Array(10));
      await archive.put(
        key,
        frames.map(({ bytes }) => bytes),
      );
      const content = await listing.frames(key);
      expect(content?.frames.map(({ frame }) => frame.record)).toEqual(
        frames.map(({ record }) => record),
      );
      expect(content?.unreadableBytes).toBe(0);
      for (const { pointer, frame } of content?.frames ?? []) {
        expect(await archive.frame(pointer)).toEqual(frame);
      }
    });

    it("keeps its other frames when one cannot be read, and says how much that was", async () => {
      const [good, bad, last] = ["a", "b", "c"].map((body) => frameOf({ key: body }, body).bytes);
      if (!good || !bad || !last) throw new Error("three were made");
      const damaged = bad.slice();
      damaged[8] = "[".charCodeAt(0);
      await archive.put("segments/acme/2026-01-01T00/d", [good, damaged, last, last.slice(0, -1)]);
      const content = await listing.frames("segments/acme/2026-01-01T00/d");
      expect(content?.frames.map(({ frame }) => frame.record.key)).toEqual(["a", "c"]);
      expect(content?.unreadableBytes).toBe(damaged.length + last.length - 1);
    });

    it("that is not there is null", async () => {
      expect(await listing.frames("segments/acme/2026-01-01T00/none")).toBeNull();
    });
  });

  describe("a tenant's removal", () => {
    it("takes at most what it may, says whether more is left, and ends with nothing", async () => {
      for (const hours of [1, 2, 3]) await keepSegment(archive, "acme", hours);
      for (const event of ["evt_1", "evt_2"]) await keepBig(archive, "acme", 1, event);
      expect(await listing.removeTenant("acme", 2)).toEqual({ removed: 2, more: true });
      expect(await listing.removeTenant("acme", 2)).toEqual({ removed: 2, more: true });
      expect(await listing.removeTenant("acme", 2)).toEqual({ removed: 1, more: false });
      expect(await listing.removeTenant("acme", 2)).toEqual({ removed: 0, more: false });
    });

    it("says that more is left when it ends between two kinds", async () => {
      await keepSegment(archive, "acme", 1);
      await keepBig(archive, "acme", 1);
      expect(await listing.removeTenant("acme", 1)).toEqual({ removed: 1, more: true });
      expect(await listing.removeTenant("acme", 1)).toEqual({ removed: 1, more: false });
    });

    it("leaves what was stored since then, and finds what lies behind it", async () => {
      const newer = await keepSegment(archive, "acme", 1);
      expect(await listing.removeTenant("acme", 10, 0)).toEqual({ removed: 0, more: false });
      const laterMs = Date.now() + 60_000;
      expect(await listing.removeTenant("acme", 10, laterMs)).toEqual({ removed: 1, more: false });
      expect(await keysOf(listing, "segments", "acme")).not.toContain(newer);
    });

    it("leaves every other tenant's objects and all poison", async () => {
      for (const tenant of ["acme", "acme-2", "acm", "acme0"]) {
        await keepSegment(archive, tenant, 1);
        await keepBig(archive, tenant, 1);
      }
      await archive.putPoison("poison/2026-01-01/acme", platformText.encode("?"), "odd");
      await listing.removeTenant("acme", 1_000);
      for (const tenant of ["acme-2", "acm", "acme0"]) {
        expect(await keysOf(listing, "segments", tenant)).toHaveLength(1);
        expect(await keysOf(listing, "big", tenant)).toHaveLength(1);
      }
      expect((await listing.poison(null, 10)).items).toHaveLength(1);
    });

    it.each(["", "acme/2026-01-01T00", "segments"])(
      "of %j, which is none, removes nothing",
      async (tenant) => {
        await keepSegment(archive, "acme", 0);
        expect(await listing.removeTenant(tenant, 10)).toEqual({ removed: 0, more: false });
      },
    );
  });

  describe("poison", () => {
    const keep = (key: string, reason: string) =>
      archive.putPoison(key, platformText.encode(`bytes of ${key}`), reason);

    it("is listed by day with its reasons, read and removed one by one", async () => {
      await keep("poison/2026-01-02/b", "frame 0 cannot be read");
      await keep("poison/2026-01-01/z", "unknown pack version 9");
      const first = await listing.poison(null, 1);
      expect(first.items).toMatchObject([
        { key: "poison/2026-01-01/z", bytes: 28, reason: "unknown pack version 9" },
      ]);
      expect(Math.abs((first.items[0]?.keptAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
      const second = await listing.poison(first.next, 1);
      expect(second.items.map(({ reason }) => reason)).toEqual(["frame 0 cannot be read"]);
      expect(second.next).toBeNull();

      const bytes = await listing.poisonBytes("poison/2026-01-01/z");
      expect(bytes && platformText.decode(bytes)).toBe("bytes of poison/2026-01-01/z");
      expect(await listing.removePoison("poison/2026-01-01/z")).toBe(true);
      expect((await listing.poison(null, 10)).items.map(({ key }) => key)).toEqual([
        "poison/2026-01-02/b",
      ]);
    });

    it("is not what lies elsewhere: an event is neither read nor removed as such", async () => {
      const key = await keepSegment(archive, "acme", 1);
      expect(await listing.poisonBytes(key)).toBeNull();
      expect(await listing.removePoison(key)).toBe(false);
      expect(await keysOf(listing, "segments", "acme")).toEqual([key]);
      expect(await listing.poisonBytes("poison/2026-01-01/none")).toBeNull();
    });
  });
});

describe("in R2", () => {
  it("a failure is said to be worth another try", async () => {
    const down = () => Promise.reject(new Error("no"));
    const broken = { list: down, get: down, delete: down } as unknown as R2Bucket;
    const listing = createArchiveListing(broken, platformText, meter);
    await expect(listing.hours("big", "acme", ALL)).rejects.toMatchObject({ name: "Retryable" });
    await expect(listing.frames("x")).rejects.toMatchObject({ name: "Retryable" });
    await expect(listing.removeTenant("acme", 1)).rejects.toMatchObject({ name: "Retryable" });
  });
});
