/** A pattern over the newest archived events: which are read, in which order, and where it ends. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { bigKey, segmentKey } from "../../src/core/archive-keys.ts";
import { PREVIEW_BYTES_MAX, PREVIEW_OBJECTS_MAX } from "../../src/core/archive-limits.ts";
import type { Frame } from "../../src/core/enqueue/record.ts";
import { timeOrderedId } from "../../src/core/ids.ts";
import { PARSED_BYTES_MAX } from "../../src/core/ingest/limits.ts";
import type { Json } from "../../src/core/json.ts";
import { ARCHIVED_VIEW_BYTES_MAX, CONNECTIONS_MAX } from "../../src/core/limits.ts";
import { type Pattern, parsePattern } from "../../src/core/pattern/index.ts";
import { type PreviewPorts, previewPattern } from "../../src/flows/preview-pattern.ts";
import {
  createMemoryArchive,
  createMemoryListing,
  type MemoryArchive,
} from "../support/memory-archive.ts";
import { frameOf, type RecordSketch, recordOf } from "../support/memory-records.ts";

const HOUR = 3_600_000;
const MIDNIGHT = Date.UTC(2026, 0, 1);
const RANDOM = new Uint8Array(10);

let archive: MemoryArchive;
let ports: PreviewPorts;
let reads: number;

beforeEach(() => {
  archive = createMemoryArchive(platformText);
  const listing = createMemoryListing(archive, platformText);
  reads = 0;
  ports = {
    archive: {
      ...archive,
      frame(pointer) {
        reads += 1;
        return archive.frame(pointer);
      },
    },
    text: platformText,
    listing: {
      ...listing,
      frames(segment) {
        reads += 1;
        return listing.frames(segment);
      },
    },
  };
});

function patternOf(pattern: Json): Pattern {
  const parsed = parsePattern(pattern);
  if (!parsed.ok) throw new Error("no pattern");
  return parsed.pattern;
}

const ANY = patternOf({ id: [{ exists: true }] });

/** An event whose key names it, received after so many hours. */
function frame(
  key: string,
  hours: number,
  body: string | Uint8Array = `{"key":"${key}"}`,
  more: RecordSketch = {},
): Frame {
  const receivedAtMs = MIDNIGHT + hours * HOUR;
  const receipt = timeOrderedId("rcp_", receivedAtMs, RANDOM);
  return frameOf({ key, receivedAtMs, receipt, ...more }, body);
}

/** A segment of these, of which the last was received last. */
async function keep(...frames: readonly Frame[]): Promise<void> {
  const atMs = frames.at(-1)?.record.receivedAtMs ?? 0;
  const parts = frames.map(({ bytes }) => bytes);
  await archive.put(segmentKey("acme", atMs, atMs, RANDOM), parts);
}

const keepBig = (big: Frame): Promise<void> => archive.put(bigKey(big.record), [big.bytes]);

const idsOf = (...keys: readonly string[]): string[] => keys.map((key) => recordOf({ key }).id);

const preview = (
  count: number,
  { next = ANY, present = null, sinceMs = 0 }: Partial<Sketch> = {},
  tenant = "acme",
) => previewPattern({ tenant, sinceMs, patterns: { next, present }, count }, ports);

interface Sketch {
  readonly next: Pattern;
  readonly present: Pattern | null;
  readonly sinceMs: number;
}

describe("a pattern over the past", () => {
  it("is tried on the newest events, across segments, hours and big bodies, newest first", async () => {
    await keep(frame("a", 1));
    await keep(frame("b", 2), frame("c", 2.1));
    await keepBig(frame("d", 2.2));
    await keep(frame("e", 2.3));
    await keepBig(frame("f", 30));
    const { preview: all, complete } = await preview(10);
    expect(all.matched).toEqual(idsOf("f", "e", "d", "c", "b", "a"));
    expect(complete).toBe(true);
    expect([all.fromMs, all.toMs]).toEqual([MIDNIGHT + HOUR, MIDNIGHT + 30 * HOUR]);
    expect((await preview(4)).preview.matched).toEqual(idsOf("f", "e", "d", "c"));
  });

  it("sees an event as its rules saw it, and says how it differs from the present one", async () => {
    await keep(frame("a", 1, '{"n":1}'), frame("b", 1.1, '{"n":2}'), frame("c", 1.2, '{"n":3}'));
    const { preview: found } = await preview(10, {
      next: patternOf({ data: { n: [2, 3] } }),
      present: patternOf({ data: { n: [1, 2] } }),
    });
    expect(found.present).toEqual({ matched: 2, added: idsOf("c"), removed: idsOf("a") });
  });

  it("sees no data of a body that rules see none of, as when it came", async () => {
    const large = (key: string, bytes: number) =>
      keepBig(frame(key, 1, `{"n":1,"x":"${"x".repeat(bytes)}"}`));
    await large("parsed", 100_000);
    await large("unparsed", PARSED_BYTES_MAX);
    await large("unread", ARCHIVED_VIEW_BYTES_MAX);
    const withData = await preview(10, { next: patternOf({ data: { n: [1] } }) });
    expect(withData.preview).toMatchObject({ examined: 3, matched: idsOf("parsed") });
    const without = await preview(10, { next: patternOf({ dataOmitted: ["too-large"] }) });
    expect(without.preview.matched.toSorted()).toEqual(idsOf("unparsed", "unread").toSorted());
  });

  it("is tried on each event once, however many copies lie in the archive", async () => {
    await keep(frame("a", 1), frame("a", 1));
    await keep(frame("b", 2), frame("a", 2.5));
    const { preview: found } = await preview(10);
    expect(found).toMatchObject({ examined: 2, matched: idsOf("a", "b") });
  });

  it("is not tried on elements of lists, of which no rule is asked", async () => {
    const elementOf = { fanOut: "fan_1", event: "evt_1", rule: "blast", index: 0, count: 1 };
    await keep(frame("a", 1), frame("b", 2, "{}", { elementOf }));
    expect((await preview(10)).preview).toMatchObject({ examined: 1, matched: idsOf("a") });
  });

  it("is not tried on another tenant's events, nor on those of a life that ended", async () => {
    await keep(frame("a", 1), frame("b", 1.5));
    expect((await preview(10, {}, "acme-2")).preview.examined).toBe(0);
    const sinceMs = MIDNIGHT + 1.2 * HOUR;
    expect((await preview(10, { sinceMs })).preview.matched).toEqual(idsOf("b"));
  });

  it("steps over bytes that are no event, and objects that have gone meanwhile", async () => {
    await keep(frame("a", 1));
    await keep(frame("b", 2));
    const damaged = segmentKey("acme", MIDNIGHT, MIDNIGHT, RANDOM);
    await archive.put(damaged, [new Uint8Array(40)]);
    const { frames } = ports.listing;
    const gone = [...archive.objects.keys()][1];
    const listing = {
      ...ports.listing,
      frames: async (key: string) => (key === gone ? null : frames(key)),
    };
    ports = { ...ports, listing };
    expect((await preview(10)).preview.matched).toEqual(idsOf("a"));
  });
});

describe("what a preview reads", () => {
  it("is no more than it needs", async () => {
    for (let at = 0; at < 40; at += 1) await keep(frame(String(at), at / 100));
    await preview(1);
    expect(reads).toBeLessThanOrEqual(CONNECTIONS_MAX);
  });

  it("is bounded in objects, and it says that it ended early", async () => {
    for (let at = 0; at < PREVIEW_OBJECTS_MAX + 1; at += 1) await keep(frame(String(at), at / 1e4));
    const { preview: found, complete } = await preview(1_000);
    expect([found.examined, reads, complete]).toEqual([
      ...[PREVIEW_OBJECTS_MAX, PREVIEW_OBJECTS_MAX, false],
    ]);
    expect((await preview(PREVIEW_OBJECTS_MAX)).complete).toBe(true);
  });

  it("is bounded in bytes, and it says so, but is never nothing", async () => {
    const half = new Uint8Array(PREVIEW_BYTES_MAX / 2 - 1_000);
    for (const [key, hours] of [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ] as const) {
      await keep(frame(key, hours, half));
    }
    expect(await preview(10)).toMatchObject({ preview: { examined: 2 }, complete: false });
    await keep(frame("d", 4, new Uint8Array(PREVIEW_BYTES_MAX)));
    expect(await preview(10)).toMatchObject({ preview: { examined: 1 }, complete: false });
  });
});
