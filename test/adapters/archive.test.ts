/** The archive in R2 and in memory: what is put comes back, in the part that is asked for, or not at all. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createArchive } from "../../src/adapters/archive.ts";
import { platformText } from "../../src/adapters/crypto.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { bodyOf, type Frame, type Pointer } from "../../src/core/enqueue/record.ts";
import type { Archive } from "../../src/ports/archive.ts";
import { createMemoryArchive } from "../support/memory-archive.ts";
import { frameOf } from "../support/memory-records.ts";

const meter = createMeter();
const real = createArchive(env.ARCHIVE, platformText, meter);

let segments = 0;
/** Frames one after the other in an object of their own, and where each of them is. */
async function keep(archive: Archive, ...frames: readonly Pick<Frame, "bytes">[]) {
  segments += 1;
  const segment = `segments/acme/2026-01-01T00/${segments}`;
  let offset = 0;
  const pointers = frames.map(({ bytes }): Pointer => {
    const pointer = { segment, offset, length: bytes.length };
    offset += bytes.length;
    return pointer;
  });
  const parts = frames.map(({ bytes }) => bytes);
  await archive.put(segment, parts);
  return pointers;
}

const textOf = async (stream: ReadableStream<Uint8Array> | null): Promise<string> =>
  new Response(stream).text();

const noise = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 31 + seed) % 251);

const BODIES = ["first", "", "third, the last"];
const frames = BODIES.map((body, at) => frameOf({ key: `${at}` }, body));

describe.each<[string, Archive]>([
  ["R2", real],
  ["memory", createMemoryArchive(platformText)],
])("in %s", (_, archive) => {
  it("a segment gives back each frame from its own place", async () => {
    for (const [at, pointer] of (await keep(archive, ...frames)).entries()) {
      const frame = await archive.frame(pointer);
      expect(frame?.record).toEqual(frames[at]?.record);
      expect(frame && platformText.decode(bodyOf(frame))).toBe(BODIES[at]);
    }
  });

  it("a segment gives back a body as a stream, and its metadata without it", async () => {
    const [, , last] = await keep(archive, ...frames);
    if (last === undefined) throw new Error("three were kept");
    const meta = await archive.meta(last);
    expect(meta?.record).toEqual(frames[2]?.record);
    const body = { offset: last.offset + (meta?.bodyOffset ?? 0), bytes: meta?.bodyBytes ?? 0 };
    const stream = await archive.stream(last.segment, body.offset, body.bytes);
    expect(await textOf(stream)).toBe("third, the last");
  });

  it("metadata longer than the first read comes back", async () => {
    const long = frameOf({ headers: [["x-long", "h".repeat(40_000)]] }, "body");
    const [pointer] = await keep(archive, long);
    const meta = pointer && (await archive.meta(pointer));
    expect(meta?.record).toEqual(long.record);
    expect(meta?.bodyBytes).toBe(4);
  });

  it.each([0, 1, 999_998, 999_999, 1_500_000])(
    "two parts come back as one object, the second of %i bytes",
    async (length) => {
      const parts = [noise(2, 1), noise(length, 7)];
      await archive.put("big/acme/2026-01-01T00/evt/rcp", parts);
      const stream = await archive.stream("big/acme/2026-01-01T00/evt/rcp", 0, length + 2);
      const came = new Uint8Array(await new Response(stream).arrayBuffer());
      expect(came).toHaveLength(length + 2);
      // Compared as a whole: one comparison a byte takes seconds.
      expect(parts.every((part, at) => equal(came.subarray(at === 0 ? 0 : 2), part))).toBe(true);
    },
  );

  it("the same key may be put again, because it has the same bytes", async () => {
    const [pointer] = await keep(archive, ...frames);
    if (pointer === undefined) throw new Error("three were kept");
    await archive.put(pointer.segment, [frames[0]?.bytes ?? new Uint8Array()]);
    expect((await archive.frame(pointer))?.record).toEqual(frames[0]?.record);
  });

  it("a place under the layout of before is still a place", async () => {
    const segment = "acme/segments/2025-12-31/0123456789";
    const bytes = frames[0]?.bytes ?? new Uint8Array();
    await archive.put(segment, [bytes]);
    const frame = await archive.frame({ segment, offset: 0, length: bytes.length });
    expect(frame?.record).toEqual(frames[0]?.record);
  });

  it.each(["segments/acme/2026-01-01T00/none", ""])(
    "what is not there is null, whichever way it is asked for: '%s'",
    async (segment) => {
      const nowhere = { segment, offset: 0, length: 10 };
      expect(await archive.frame(nowhere)).toBeNull();
      expect(await archive.meta(nowhere)).toBeNull();
      expect(await archive.stream(nowhere.segment, 0, 10)).toBeNull();
    },
  );

  it("other bytes in its place are refused as a frame", async () => {
    const bytes = platformText.encode("certainly not a frame of ours");
    const [pointer] = await keep(archive, { bytes });
    if (pointer === undefined) throw new Error("one was kept");
    expect(await archive.frame(pointer)).toBeNull();
    expect(await archive.meta(pointer)).toBeNull();
  });
});

const equal = (longer: Uint8Array, part: Uint8Array): boolean =>
  part.every((byte, at) => longer[at] === byte);

describe("in R2", () => {
  it("a frame costs one read, and a segment one write", async () => {
    const before = meter.read();
    const pointers = await keep(real, ...frames);
    for (const pointer of pointers) await real.frame(pointer);
    const after = meter.read();
    expect([after.r2_puts - before.r2_puts, after.r2_gets - before.r2_gets]).toEqual([1, 3]);
  });

  it("what nothing can read is kept as it came, with the reason beside it", async () => {
    const reason = "shorter than a pack's prefix";
    await real.putPoison("poison/2026-01-01/1", platformText.encode("?!"), reason);
    const object = await env.ARCHIVE.get("poison/2026-01-01/1");
    expect(await object?.text()).toBe("?!");
    expect(object?.customMetadata).toEqual({ reason });
  });

  it("a write that fails is said to be worth another try, even when it was a stream", async () => {
    const broken = {
      async put(_: string, value: ReadableStream) {
        await value.cancel?.();
        throw new Error("no");
      },
    } as unknown as R2Bucket;
    const archive = createArchive(broken, platformText, meter);
    const put = archive.put("segments/acme/2026-01-01T00/x", [noise(9, 1), noise(2_000_000, 2)]);
    await expect(put).rejects.toMatchObject({ name: "Retryable" });
  });
});
