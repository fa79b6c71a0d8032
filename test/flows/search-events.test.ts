/** A pattern over the past, page by page: nothing is passed over, and no call reads without a bound. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import {
  SEARCH_BYTES_MAX,
  SEARCH_CHUNK_BYTES_MAX,
  SEARCH_EVENTS_MAX,
  SEARCH_PAGE,
} from "../../src/core/archive-limits.ts";
import type { Frame, Pointer } from "../../src/core/enqueue/record.ts";
import { Retryable } from "../../src/core/errors.ts";
import type { Json } from "../../src/core/json.ts";
import { CONNECTIONS_MAX } from "../../src/core/limits.ts";
import { type Pattern, parsePattern } from "../../src/core/pattern/index.ts";
import { type Searched, type SearchPorts, searchEvents } from "../../src/flows/search-events.ts";
import type { PlacedEvent, Position } from "../../src/ports/history.ts";
import { createMemoryArchive, type MemoryArchive } from "../support/memory-archive.ts";
import { frameOf } from "../support/memory-records.ts";

const NOWHERE: Pointer = { segment: "", offset: 0, length: 0 };

let archive: MemoryArchive;
let ledger: PlacedEvent[];
let ports: SearchPorts;
let reads: number;
let pages: number;

beforeEach(() => {
  archive = createMemoryArchive(platformText);
  ledger = [];
  reads = 0;
  pages = 0;
  ports = {
    text: platformText,
    archive: {
      ...archive,
      stream(...asked) {
        reads += 1;
        return archive.stream(...asked);
      },
    },
    history: {
      async placedEvents(_, { fromMs, toMs }, after, count) {
        pages += 1;
        const there = ledger
          .filter(({ receivedAtMs }) => receivedAtMs >= fromMs && receivedAtMs < toMs)
          .toSorted((a, b) => (isBefore(a, b) ? -1 : 1))
          .filter((each) => after === null || isBefore({ ...after, id: after.event }, each));
        const items = there.slice(0, count);
        const last = there.length > count ? items.at(-1) : undefined;
        const next = last === undefined ? null : positionOf(last);
        return { items, next };
      },
    },
  };
});

type Place = Pick<PlacedEvent, "receivedAtMs" | "id">;
/** In the list: the newer one first. */
const isBefore = (a: Place, b: Place): boolean =>
  a.receivedAtMs === b.receivedAtMs ? a.id > b.id : a.receivedAtMs > b.receivedAtMs;
const positionOf = ({ receivedAtMs, id: event }: Place): Position => {
  return { receivedAtMs, event, subscription: "" };
};

const frame = (n: number, body: string | Uint8Array = JSON.stringify({ n })): Frame =>
  frameOf({ key: `key-${n}`, receivedAtMs: n }, body);

/** One segment of these frames, all in the ledger; answers where it is. */
async function keep(...frames: readonly Frame[]): Promise<string> {
  const segment = `segments/acme/2026-01-01T00/${archive.objects.size}`;
  await archive.put(
    segment,
    frames.map(({ bytes }) => bytes),
  );
  let offset = 0;
  for (const { record, bytes } of frames) {
    list(record.id, record.receivedAtMs, { segment, offset, length: bytes.length });
    offset += bytes.length;
  }
  return segment;
}

function list(id: string, receivedAtMs: number, pointer: Pointer): void {
  ledger.push({ id, source: "shop", type: "order", receivedAtMs, deliveries: {}, pointer });
}

function patternOf(pattern: Json): Pattern {
  const parsed = parsePattern(pattern);
  if (!parsed.ok) throw new Error("no pattern");
  return parsed.pattern;
}
const ANY = patternOf({ id: [{ exists: true }] });
const EVEN = patternOf({ data: { even: [true] } });

const ALL_TIME = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
const search = (
  limit: number,
  { pattern = ANY, after = null }: { pattern?: Pattern; after?: Position | null } = {},
) => searchEvents({ tenant: "acme", selection: ALL_TIME, pattern, after, limit }, ports);

/** All pages of a search, one after the other. */
async function searchAll(limit: number, pattern: Pattern): Promise<Searched[]> {
  const found: Searched[] = [];
  for (let after: Position | null = null; ; ) {
    const page = await search(limit, { pattern, after });
    found.push(page);
    expect(page.items.length).toBeLessThanOrEqual(limit);
    if (page.complete) return found;
    expect(page.examined).toBeGreaterThan(0);
    after = page.last;
  }
}

const timesOf = (pages: readonly Searched[]): number[] =>
  pages.flatMap(({ items }) => items.map(({ receivedAtMs }) => receivedAtMs));

describe("a search", () => {
  it("finds every event that matches, once, newest first, however they lie and however long a page is", async () => {
    const events = fc.array(fc.boolean(), { maxLength: 250 });
    const segmentOf = fc.array(fc.nat(4), { minLength: 250, maxLength: 250 });
    await fc.assert(
      fc.asyncProperty(
        events,
        segmentOf,
        fc.integer({ min: 1, max: 60 }),
        async (evens, segments, limit) => {
          archive.objects.clear();
          ledger.length = 0;
          const frames = evens.map((even, n) => frame(n + 1, JSON.stringify({ even })));
          for (const segment of [0, 1, 2, 3, 4]) {
            await keep(...frames.filter((_, n) => segments[n] === segment));
          }
          const found = await searchAll(limit, EVEN);
          const expected = evens.flatMap((even, n) => (even ? [n + 1] : [])).toReversed();
          expect(timesOf(found)).toEqual(expected);
          expect(found.reduce((sum, { examined }) => sum + examined, 0)).toBe(evens.length);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("counts what is not archived, and goes on behind it", async () => {
    const gone = await keep(frame(1), frame(2));
    await keep(frame(3));
    const damaged = await keep(frame(4), frame(5));
    list("evt_nowhere", 6, NOWHERE);
    await keep(frame(7));
    archive.objects.delete(gone);
    archive.objects.get(damaged)?.fill(255, 0, 8);
    const found = await search(10);
    expect(timesOf([found])).toEqual([7, 5, 3]);
    expect(found).toMatchObject({ examined: 7, notArchived: 4, complete: true });
  });

  it("takes what lies at a place for an event only when it is that event, and this tenant's", async () => {
    const segment = await keep(frame(1));
    const foreign = frameOf({ tenant: "other", key: "key-2" });
    await archive.put("segments/other/2026-01-01T00/x", [foreign.bytes]);
    const whole = { offset: 0, length: frame(1).bytes.length };
    list("evt_another", 2, { segment, ...whole });
    list(foreign.record.id, 3, {
      ...{ segment: "segments/other/2026-01-01T00/x", offset: 0 },
      length: foreign.bytes.length,
    });
    const found = await search(10);
    expect(timesOf([found])).toEqual([1]);
    expect(found.notArchived).toBe(2);
  });

  it("fails when a store does not answer, instead of passing over what is there", async () => {
    await keep(frame(1));
    const { history } = ports;
    const fails = () => Promise.reject(new Retryable("no answer"));
    ports = { ...ports, archive: { ...ports.archive, stream: fails } };
    await expect(search(10)).rejects.toThrow(Retryable);
    const breaks = async () =>
      new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new Error("cut")) });
    ports = { ...ports, archive: { ...ports.archive, stream: breaks } };
    await expect(search(10)).rejects.toThrow(Retryable);
    ports = { ...ports, history: { ...history, placedEvents: fails } };
    await expect(search(10)).rejects.toThrow(Retryable);
  });

  it("of nothing is nothing, and complete", async () => {
    expect(await search(10)).toEqual({
      ...{ items: [], examined: 0, notArchived: 0, last: null, complete: true },
    });
  });
});

describe("what a search reads", () => {
  it("is one range of a segment for all of it that lies together", async () => {
    await keep(...Array.from({ length: SEARCH_PAGE }, (_, n) => frame(n)));
    expect(timesOf([await search(1_000)])).toHaveLength(SEARCH_PAGE);
    expect(reads).toBe(1);
  });

  it("is bounded in bytes, and it says how far it came", async () => {
    const half = new Uint8Array(SEARCH_CHUNK_BYTES_MAX / 2 - 1_000);
    const fitting = (2 * SEARCH_BYTES_MAX) / SEARCH_CHUNK_BYTES_MAX;
    for (let n = 1; n <= fitting + 5; n += 1) await keep(frame(n, half));
    const found = await search(100, { pattern: EVEN });
    expect(found.complete).toBe(false);
    // What the first bytes of the frames leave of the bound is one more chunk.
    expect(found.examined).toBeLessThanOrEqual(fitting + 2);
    expect(found.last?.receivedAtMs).toBe(fitting + 6 - found.examined);
  });

  it("is bounded in events, and ends with the page that reaches it", async () => {
    const frames = Array.from({ length: SEARCH_EVENTS_MAX + 1 }, (_, n) => frame(n));
    await keep(...frames);
    const found = await search(100, { pattern: EVEN });
    expect(found).toMatchObject({ examined: SEARCH_EVENTS_MAX, complete: false });
    expect(pages).toBe(SEARCH_EVENTS_MAX / SEARCH_PAGE);
  });

  it("is never more at once than there are connections", async () => {
    for (let n = 0; n < 30; n += 1) await keep(frame(n));
    let now = 0;
    let most = 0;
    const { stream } = ports.archive;
    const counted: typeof stream = async (...asked) => {
      now += 1;
      most = Math.max(most, now);
      const answer = await stream(...asked);
      now -= 1;
      return answer;
    };
    ports = { ...ports, archive: { ...ports.archive, stream: counted } };
    await search(100);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(CONNECTIONS_MAX);
  });
});
