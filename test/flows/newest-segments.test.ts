/** Segments from the newest back, an hour at a time. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { segmentKey } from "../../src/core/archive-keys.ts";
import { LIST_LIMIT_MAX } from "../../src/core/limits.ts";
import { newestSegments } from "../../src/flows/newest-segments.ts";
import type { ArchiveListing } from "../../src/ports/archive.ts";
import {
  createMemoryArchive,
  createMemoryListing,
  type MemoryArchive,
} from "../support/memory-archive.ts";

const HOUR = 3_600_000;
const MIDNIGHT = Date.UTC(2026, 0, 1);
const ALL = { fromMs: 0, untilMs: Number.POSITIVE_INFINITY };

let archive: MemoryArchive;
let listing: ArchiveListing;
let listed: number;

beforeEach(() => {
  archive = createMemoryArchive(platformText);
  const memory = createMemoryListing(archive, platformText);
  listed = 0;
  listing = {
    ...memory,
    list(...asked) {
      listed += 1;
      return memory.list(...asked);
    },
  };
});

async function keep(hours: number, tenant = "acme"): Promise<string> {
  const atMs = MIDNIGHT + hours * HOUR;
  const key = segmentKey(tenant, atMs, atMs, new Uint8Array(10));
  await archive.put(key, [new Uint8Array(1)]);
  return key;
}

async function newest(count: number, range = ALL): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of newestSegments(listing, "acme", range)) {
    keys.push(key);
    if (keys.length === count) break;
  }
  return keys;
}

describe("the newest segments", () => {
  it("come newest first, within an hour and across hours", async () => {
    const keys: string[] = [];
    for (const hours of [0, 0.25, 0.5, 7, 49]) keys.push(await keep(hours));
    expect(await newest(10)).toEqual(keys.toReversed());
    expect(await newest(2)).toEqual(keys.slice(3).toReversed());
  });

  it("cost no listing of hours that are not needed, nor of empty ones", async () => {
    for (const hours of [0, 24, 1_000, 1_000.1]) await keep(hours);
    await newest(2);
    expect(listed).toBe(1);
  });

  it("of an hour with more than a page are turned round as a whole", async () => {
    const count = LIST_LIMIT_MAX + 2;
    for (let at = 0; at < count; at += 1) await keep(at / HOUR);
    const keys = await newest(count);
    expect(keys).toEqual(keys.toSorted().toReversed());
    expect(new Set(keys).size).toBe(count);
  });

  it("are none outside of the range, and none of another tenant", async () => {
    await keep(1);
    await keep(5, "acme-2");
    expect(await newest(10, { fromMs: MIDNIGHT + 2 * HOUR, untilMs: MIDNIGHT + 9 * HOUR })).toEqual(
      [],
    );
    expect(await newest(10)).toHaveLength(1);
  });
});
