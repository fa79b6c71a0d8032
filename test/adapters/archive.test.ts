/** The archive in R2: what is put comes back, in the part that is asked for, or not at all. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createArchive } from "../../src/adapters/archive.ts";
import { platformText } from "../../src/adapters/crypto.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { bodyOf, type Pointer } from "../../src/core/enqueue/record.ts";
import { frameOf } from "../support/memory-records.ts";

const meter = createMeter();
const archive = createArchive(env.ARCHIVE, platformText, meter);

let segments = 0;
/** Frames one after the other in an object of their own, and where each of them is. */
async function keep(...frames: readonly { readonly bytes: Uint8Array }[]): Promise<Pointer[]> {
  segments += 1;
  const segment = `acme/segments/${segments}`;
  const whole = new Uint8Array(frames.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let offset = 0;
  const pointers = frames.map(({ bytes }) => {
    whole.set(bytes, offset);
    const pointer = { segment, offset, length: bytes.length };
    offset += bytes.length;
    return pointer;
  });
  await archive.put(segment, whole);
  return pointers;
}

const textOf = async (stream: ReadableStream<Uint8Array> | null): Promise<string> =>
  new Response(stream).text();

describe("a segment", () => {
  const frames = ["first", "", "third, the last"].map((body, at) =>
    frameOf({ key: `${at}` }, body),
  );

  it("gives back each frame from its own place, with one read each", async () => {
    const pointers = await keep(...frames);
    const before = meter.read().r2_gets;
    for (const [at, pointer] of pointers.entries()) {
      const frame = await archive.frame(pointer);
      expect(frame?.record).toEqual(frames[at]?.record);
      expect(frame && platformText.decode(bodyOf(frame))).toBe(
        ["first", "", "third, the last"][at],
      );
    }
    expect(meter.read().r2_gets - before).toBe(3);
  });

  it("gives back a body as a stream, and its metadata without it", async () => {
    const [, , last] = await keep(...frames);
    if (last === undefined) throw new Error("three were kept");
    const meta = await archive.meta(last);
    expect(meta?.record).toEqual(frames[2]?.record);
    const body = { offset: last.offset + (meta?.bodyOffset ?? 0), bytes: meta?.bodyBytes ?? 0 };
    expect(await textOf(await archive.stream(last.segment, body.offset, body.bytes))).toBe(
      "third, the last",
    );
  });

  it("gives back metadata that is longer than the first read", async () => {
    const long = frameOf({ headers: [["x-long", "h".repeat(40_000)]] }, "body");
    const [pointer] = await keep(long);
    const meta = pointer && (await archive.meta(pointer));
    expect(meta?.record).toEqual(long.record);
    expect(meta?.bodyBytes).toBe(4);
  });

  it("may be put again: the same key has the same bytes", async () => {
    const [pointer] = await keep(...frames);
    if (pointer === undefined) throw new Error("three were kept");
    await archive.put(pointer.segment, frames[0]?.bytes ?? new Uint8Array());
    expect((await archive.frame(pointer))?.record).toEqual(frames[0]?.record);
  });
});

describe("what is not there", () => {
  it("is null, whichever way it is asked for", async () => {
    const nowhere = { segment: "acme/segments/none", offset: 0, length: 10 };
    expect(await archive.frame(nowhere)).toBeNull();
    expect(await archive.meta(nowhere)).toBeNull();
    expect(await archive.stream(nowhere.segment, 0, 10)).toBeNull();
  });

  it("is refused as a frame when other bytes are in its place", async () => {
    const [pointer] = await keep({ bytes: platformText.encode("certainly not a frame of ours") });
    if (pointer === undefined) throw new Error("one was kept");
    expect(await archive.frame(pointer)).toBeNull();
    expect(await archive.meta(pointer)).toBeNull();
  });
});

describe("what nothing can read", () => {
  it("is kept as it came, with the reason beside it", async () => {
    await archive.putPoison("poison/1", platformText.encode("?!"), "shorter than a pack's prefix");
    const object = await env.ARCHIVE.get("poison/1");
    expect(await object?.text()).toBe("?!");
    expect(object?.customMetadata).toEqual({ reason: "shorter than a pack's prefix" });
  });
});
