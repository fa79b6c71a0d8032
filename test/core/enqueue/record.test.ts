/** Frames: whatever goes in comes out, and bytes that are no whole frame are refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bodyOf,
  decodeFrame,
  decodeMeta,
  encodeFrame,
  frameLengths,
} from "../../../src/core/enqueue/record.ts";
import { recordOf } from "../../support/memory-records.ts";
import { nodeText } from "../../support/node-crypto.ts";
import * as arbitrary from "./arbitraries.ts";

const frameOfJson = (json: string): Uint8Array => {
  const meta = nodeText.encode(json);
  const bytes = new Uint8Array(8 + meta.length);
  new DataView(bytes.buffer).setUint32(0, meta.length);
  bytes.set(meta, 8);
  return bytes;
};

describe("a frame", () => {
  it("gives back its record and every byte of its body", () => {
    fc.assert(
      fc.property(arbitrary.record, arbitrary.body, (record, body) => {
        const { bytes } = encodeFrame(record, body, nodeText);
        const frame = decodeFrame(bytes, 0, nodeText);
        expect(frame?.record).toEqual(record);
        expect(frame && bodyOf(frame)).toEqual(body);
      }),
    );
  });

  it("is found among others by its own lengths", () => {
    fc.assert(
      fc.property(fc.array(arbitrary.frame, { maxLength: 4 }), arbitrary.body, (frames, tail) => {
        const all = new Uint8Array(Buffer.concat([...frames.map(({ bytes }) => bytes), tail]));
        let offset = 0;
        for (const wanted of frames) {
          const frame = decodeFrame(all, offset, nodeText);
          expect(frame).toEqual(wanted);
          offset += frame?.bytes.length ?? 0;
        }
        expect(all.subarray(offset)).toEqual(tail);
      }),
    );
  });

  it("tells where its body is without its body", () => {
    fc.assert(
      fc.property(arbitrary.frame, ({ record, bytes, bodyOffset, bodyBytes }) => {
        const lengths = frameLengths(bytes, 0);
        expect(lengths).toEqual({ metaBytes: bodyOffset - 8, bodyBytes });
        const meta = bytes.subarray(0, bodyOffset);
        expect(decodeMeta(meta, 0, bodyOffset - 8, nodeText)).toEqual(record);
      }),
    );
  });

  it("is refused wherever it is cut off", () => {
    fc.assert(
      fc.property(arbitrary.frame, fc.nat(), ({ bytes }, cut) => {
        const length = cut % bytes.length;
        expect(decodeFrame(bytes.subarray(0, length), 0, nodeText)).toBeNull();
      }),
    );
  });

  it.each([
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["a record without an id", JSON.stringify({ ...recordOf(), id: undefined })],
    ["a receipt that is no text", JSON.stringify({ ...recordOf(), receipt: 1 })],
    ["a record without a tenant", JSON.stringify({ ...recordOf(), tenant: undefined })],
    ["a time that is no number", JSON.stringify({ ...recordOf(), receivedAtMs: "now" })],
    ["subscriptions that are no list", JSON.stringify({ ...recordOf(), subscriptions: {} })],
    ["headers that are no list", JSON.stringify({ ...recordOf(), headers: null })],
  ])("whose metadata is %s is refused", (_, json) => {
    expect(decodeFrame(frameOfJson(json), 0, nodeText)).toBeNull();
  });

  it("whose metadata is not UTF-8 is refused", () => {
    const bytes = frameOfJson(JSON.stringify(recordOf())).with(10, 0xff);
    expect(decodeFrame(bytes, 0, nodeText)).toBeNull();
  });

  it("whose lengths reach beyond its bytes is refused", () => {
    const { bytes } = encodeFrame(recordOf(), new Uint8Array(3), nodeText);
    expect(decodeFrame(bytes.with(0, 0xff), 0, nodeText)).toBeNull();
    expect(decodeFrame(bytes.with(4, 0xff), 0, nodeText)).toBeNull();
  });
});
