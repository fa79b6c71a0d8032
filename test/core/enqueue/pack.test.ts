/** Packs: what goes in comes out, damaged bytes are refused, sizes are never understated. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodePack,
  encodePack,
  groupBySize,
  isParcel,
  itemBytes,
  type Pack,
  type PackItem,
  withOrigin,
} from "../../../src/core/enqueue/pack.ts";
import { PACK_BYTES_MAX } from "../../../src/core/limits.ts";
import { frameOf, packOf } from "../../support/memory-records.ts";
import { nodeText } from "../../support/node-crypto.ts";
import * as arbitrary from "./arbitraries.ts";

const items = fc.array(arbitrary.item, { maxLength: 4 });
const pack: fc.Arbitrary<Pack> = fc.record({ origin: fc.option(arbitrary.origin), items });

/** A message of this version with any header; `frames` follow it as they are. */
function messageOf(header: unknown, ...frames: readonly Uint8Array[]): Uint8Array {
  const json = nodeText.encode(JSON.stringify(header));
  const prefix = new Uint8Array(5).with(0, 1);
  new DataView(prefix.buffer).setUint32(1, json.length);
  return new Uint8Array(Buffer.concat([prefix, json, ...frames]));
}

/** Refuses to be called with anything the consumer could stumble over. */
function expectUsable({ origin, items: held }: Pack): void {
  if (origin !== null)
    expect([typeof origin.shard, typeof origin.row]).toEqual(["number", "number"]);
  for (const { content, again } of held) {
    if (isParcel(content)) {
      const { pointer, id, receipt, tenant } = content;
      expect([pointer.segment, id, receipt, tenant].every((each) => typeof each === "string")).toBe(
        true,
      );
      expect([typeof pointer.offset, typeof pointer.length]).toEqual(["number", "number"]);
    } else {
      expect(content.record.subscriptions).toBeInstanceOf(Array);
    }
    for (const { rule, target, attempts } of again ?? []) {
      expect([typeof rule, typeof target, typeof attempts]).toEqual(["string", "string", "number"]);
    }
  }
}

function expectRefusedOrUsable(bytes: Uint8Array): void {
  const decoded = decodePack(bytes, nodeText);
  if (decoded.ok) expectUsable(decoded.pack);
  else expect(decoded.reason).toMatch(/\S/);
}

describe("a pack", () => {
  it("gives back its origin and items", () => {
    fc.assert(
      fc.property(pack, (value) => {
        expect(decodePack(encodePack(value, nodeText), nodeText)).toEqual({
          ok: true,
          pack: value,
        });
      }),
    );
  });

  it("is read where it stands in a larger buffer", () => {
    fc.assert(
      fc.property(pack, arbitrary.body, (value, before) => {
        const bytes = encodePack(value, nodeText);
        const whole = Uint8Array.from([...before, ...bytes]);
        const part = whole.subarray(before.length);
        expect(decodePack(part, nodeText)).toEqual({ ok: true, pack: value });
      }),
    );
  });

  it("may be empty", () => {
    expect(decodePack(packOf(), nodeText)).toEqual({ ok: true, pack: { origin: null, items: [] } });
  });

  it("gets another origin and nothing else", () => {
    fc.assert(
      fc.property(pack, arbitrary.origin, (value, origin) => {
        const moved = withOrigin(encodePack(value, nodeText), origin, nodeText);
        expect(decodePack(moved, nodeText)).toEqual({ ok: true, pack: { ...value, origin } });
      }),
    );
  });
});

describe("damaged bytes", () => {
  it("cut off anywhere are refused", () => {
    fc.assert(
      fc.property(pack, fc.nat(), (value, cut) => {
        const bytes = encodePack(value, nodeText);
        const decoded = decodePack(bytes.subarray(0, cut % bytes.length), nodeText);
        expect(decoded.ok).toBe(false);
      }),
    );
  });

  it("with one bit changed are refused or usable, and never throw", () => {
    fc.assert(
      fc.property(pack, fc.nat(), fc.nat({ max: 7 }), (value, at, bit) => {
        const bytes = encodePack(value, nodeText);
        const index = at % bytes.length;
        expectRefusedOrUsable(bytes.with(index, (bytes[index] ?? 0) ^ (1 << bit)));
      }),
      { numRuns: 500 },
    );
  });

  it("of any kind are refused or usable", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => expectRefusedOrUsable(bytes)));
  });

  it("with any JSON for a header are refused or usable", () => {
    fc.assert(fc.property(fc.jsonValue(), (json) => expectRefusedOrUsable(messageOf(json))));
  });

  it.each([
    ["no header at all", null],
    ["no items", { origin: null }],
    ["an origin left out", { items: [] }],
    ["an origin without a row", { origin: { shard: 0 }, items: [] }],
    ["an item that is nothing", { origin: null, items: [null] }],
    ["a parcel that is nothing", { origin: null, items: [{ parcel: null }] }],
    ["a parcel without a pointer", { origin: null, items: [{ parcel: { id: "", receipt: "" } }] }],
    [
      "a pointer without a length",
      {
        origin: null,
        items: [
          { parcel: { id: "", receipt: "", tenant: "", pointer: { segment: "", offset: 0 } } },
        ],
      },
    ],
    ["retries that are no list", { origin: null, items: [{ again: {} }] }],
    ["a retry without a target", { origin: null, items: [{ again: [{ rule: "", attempts: 1 }] }] }],
  ])("with %s are refused", (_, header) => {
    const decoded = decodePack(messageOf(header, frameOf().bytes), nodeText);
    expect(decoded).toEqual({ ok: false, reason: "header is not what this version writes" });
  });

  it.each([
    ["", "shorter than a pack's prefix"],
    ["02000000007b7d", "unknown pack version 2"],
    ["01ffffffff7b7d", "header longer than the message"],
    ["0100000002fffe", "header is not what this version writes"],
  ])("%s: %s", (hex, reason) => {
    expect(decodePack(Buffer.from(hex, "hex"), nodeText)).toEqual({ ok: false, reason });
  });

  it("say which frame cannot be read", () => {
    const bytes = messageOf({ origin: null, items: [{}, {}] }, frameOf().bytes);
    expect(decodePack(bytes, nodeText)).toEqual({ ok: false, reason: "frame 1 cannot be read" });
  });
});

describe("sizes", () => {
  const lengthOf = (held: readonly PackItem[]): number =>
    encodePack({ origin: null, items: held }, nodeText).length;

  it("never understate what an item adds to a pack", () => {
    fc.assert(
      fc.property(items, arbitrary.item, (held, item) => {
        const growth = lengthOf([...held, item]) - lengthOf(held);
        expect(growth).toBeLessThanOrEqual(itemBytes(item, nodeText));
      }),
    );
  });

  it("keep a group's pack within the bound, also when it gets an origin", () => {
    fc.assert(
      fc.property(fc.array(arbitrary.item), arbitrary.origin, (held, origin) => {
        const bytesMax = 1_500;
        for (const group of groupBySize(held, (item) => itemBytes(item, nodeText), bytesMax)) {
          const bytes = withOrigin(packOf(...group), origin, nodeText);
          expect(group.length === 1 || bytes.length <= bytesMax).toBe(true);
        }
      }),
    );
  });

  it("let the largest frame that ingest packs pass, with an origin", () => {
    const empty = itemBytes({ content: frameOf({}, "") }, nodeText);
    const frame = frameOf({}, new Uint8Array(PACK_BYTES_MAX - 200 - empty));
    const bytes = withOrigin(packOf({ content: frame }), { shard: 63, row: 2 ** 53 - 1 }, nodeText);
    expect(bytes.length).toBeLessThanOrEqual(PACK_BYTES_MAX);
  });
});

describe("grouping", () => {
  const sizes = fc.array(fc.nat({ max: 120 }), { maxLength: 30 });
  const group = (held: readonly number[]): number[][] => groupBySize(held, (size) => size, 200);

  it("keeps every item, in order, and makes no empty group", () => {
    fc.assert(
      fc.property(sizes, (held) => {
        expect(group(held).flat()).toEqual(held);
        expect(group(held).every(({ length }) => length > 0)).toBe(true);
      }),
    );
  });

  it("starts a new group only when the next item does not fit", () => {
    fc.assert(
      fc.property(sizes, (held) => {
        const groups = group(held);
        for (const [index, each] of groups.entries()) {
          const next = groups[index + 1]?.[0];
          const sum = each.reduce((total, size) => total + size, 80);
          if (next !== undefined) expect(sum + next).toBeGreaterThan(200);
        }
      }),
    );
  });

  it("leaves an item that is too big alone", () => {
    expect(group([10, 500, 10])).toEqual([[10], [500], [10]]);
  });
});
