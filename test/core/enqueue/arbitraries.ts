/** Frames, parcels and packs with anything in them that may be in them. */
import fc from "fast-check";
import type { Again, Origin, PackItem, Parcel } from "../../../src/core/enqueue/pack.ts";
import { type EventRecord, encodeFrame } from "../../../src/core/enqueue/record.ts";
import { PRIORITIES } from "../../../src/core/priority.ts";
import { recordOf } from "../../support/memory-records.ts";
import { nodeText } from "../../support/node-crypto.ts";

/**
 * A record travels as JSON: what has no UTF-8 form does not survive that, nor does it come from
 * outside.
 */
const text = fc.string({ unit: "grapheme" }).map((value) => value.toWellFormed());

export const record: fc.Arbitrary<EventRecord> = fc
  .record({
    key: text,
    type: text,
    subject: fc.option(text),
    contentType: fc.option(text),
    headers: fc.array(fc.tuple(text, text), { maxLength: 3 }),
    to: fc.array(
      fc.record({ rule: text, target: text, priority: fc.constantFrom(...PRIORITIES) }),
      { maxLength: 3 },
    ),
  })
  .map(recordOf);

export const body = fc.uint8Array({ maxLength: 200 });
export const frame = fc
  .tuple(record, body)
  .map(([each, bytes]) => encodeFrame(each, bytes, nodeText));

export const parcel: fc.Arbitrary<Parcel> = fc.record({
  pointer: fc.record({ segment: text, offset: fc.nat(), length: fc.nat() }),
  id: text,
  receipt: text,
  tenant: text,
});

const again: fc.Arbitrary<Again> = fc.record({ rule: text, target: text, attempts: fc.nat() });

export const item: fc.Arbitrary<PackItem> = fc.record(
  { content: fc.oneof(frame, parcel), again: fc.array(again, { maxLength: 3 }) },
  { requiredKeys: ["content"] },
);

export const origin: fc.Arbitrary<Origin> = fc.record({
  shard: fc.nat({ max: 63 }),
  row: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
});
