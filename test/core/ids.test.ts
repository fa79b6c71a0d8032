/** Ids that every stage derives alike: known vectors, and never one id for two things. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  base32,
  deliveryId,
  eventId,
  parseDeliveryId,
  subscriptionHash,
  timeOrderedId,
} from "../../src/core/ids.ts";
import { nodeCrypto, nodeText } from "../support/node-crypto.ts";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const bytes = fc.uint8Array({ maxLength: 40 });
/**
 * Texts made of what separates parts from each other, so that joining them goes wrong if it can.
 */
const part = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom("a", "1", ":", ";", "é") }));

type Parts = readonly [tenant: string, source: string, key: string];

const eventIdOf = (tenant: string, source: string, key: string): string =>
  eventId({ tenant, source, key }, nodeCrypto, nodeText);
const hashOf = (rule: string, target: string): string =>
  subscriptionHash({ rule, target }, nodeCrypto, nodeText);

describe("base 32", () => {
  it.each([
    ["", ""],
    ["00", "00"],
    ["ff", "zw"],
    ["0000000000", "00000000"],
    ["ffffffffff", "zzzzzzzz"],
    ["48656c6c6f", "91jprv3f"],
    ["48656c6c6f20576f726c64", "91jprv3f41bpywkccg"],
  ])("of %s is %s", (hex, text) => {
    expect(base32(Buffer.from(hex, "hex"))).toBe(text);
  });

  it("keeps every bit", () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const bits = [...base32(value)]
          .map((character) => ALPHABET.indexOf(character).toString(2).padStart(5, "0"))
          .join("");
        const wanted = [...value].map((byte) => byte.toString(2).padStart(8, "0")).join("");
        expect(bits.slice(0, wanted.length)).toBe(wanted);
        expect(bits.slice(wanted.length)).toMatch(/^0{0,4}$/);
      }),
    );
  });

  it("sorts texts of one length as their bytes", () => {
    const same = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(same, same, (a, b) => {
        expect(base32(a) < base32(b)).toBe(Buffer.compare(a, b) < 0);
      }),
    );
  });
});

describe("an event's id", () => {
  it("is the hash of tenant, source and key, each with its length, and stays so", () => {
    const hash = createHash("sha256").update("4:acme;6:github;5:key-1;").digest();
    expect(eventIdOf("acme", "github", "key-1")).toBe(`evt_${base32(hash.subarray(0, 16))}`);
    expect(eventIdOf("acme", "github", "key-1")).toBe("evt_9axbw7gxeet507rn6mqvx1vy3c");
  });

  it("counts bytes, not characters", () => {
    const hash = createHash("sha256").update("4:acme;6:github;2:é;").digest();
    expect(eventIdOf("acme", "github", "é")).toBe(`evt_${base32(hash.subarray(0, 16))}`);
  });

  it("never joins two lists of texts into one", () => {
    fc.assert(
      fc.property(fc.tuple(part, part, part), fc.tuple(part, part, part), (a, b) => {
        const isSame = a.every((text, index) => text === b[index]);
        expect(eventIdOf(...a) === eventIdOf(...b)).toBe(isSame);
      }),
    );
  });

  it.each<[Parts, Parts]>([
    [
      ["ab", "c", "d"],
      ["a", "bc", "d"],
    ],
    [
      ["a;1:b", "c", "d"],
      ["a", "b;1:c", "d"],
    ],
    [
      ["", "a", "b"],
      ["a", "", "b"],
    ],
  ])("differs between %j and %j", (a, b) => {
    expect(eventIdOf(...a)).not.toBe(eventIdOf(...b));
  });
});

describe("a delivery's id", () => {
  it("gives back its event and subscription", () => {
    fc.assert(
      fc.property(part, part, part, (key, rule, target) => {
        const event = eventIdOf("acme", "shop", key);
        const subscription = hashOf(rule, target);
        expect(parseDeliveryId(deliveryId(event, subscription))).toEqual({ event, subscription });
      }),
    );
  });

  it("differs when rule and target change places", () => {
    expect(hashOf("a", "b")).not.toBe(hashOf("b", "a"));
    expect(hashOf("ab", "c")).not.toBe(hashOf("a", "bc"));
  });

  it.each([
    "",
    "dlv_",
    `evt_${"0".repeat(39)}`,
    `dlv_${"0".repeat(38)}`,
    `dlv_${"0".repeat(40)}`,
    `dlv_${"A".repeat(39)}`,
    ` dlv_${"0".repeat(39)}`,
    `dlv_${"0".repeat(39)}\n`,
    `dlv_${"0".repeat(38)}%`,
  ])("is not %j", (id) => {
    expect(parseDeliveryId(id)).toBeNull();
  });
});

describe("a time-ordered id", () => {
  const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
  const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });

  it("sorts by its time, whatever the chance in it", () => {
    fc.assert(
      fc.property(time, time, random, random, (a, b, chanceA, chanceB) => {
        fc.pre(a < b);
        expect(timeOrderedId("rcp_", a, chanceA) < timeOrderedId("rcp_", b, chanceB)).toBe(true);
      }),
    );
  });

  it("is a UUID of version 7 and variant 2 under its spelling", () => {
    fc.assert(
      fc.property(time, random, (at, chance) => {
        const text = timeOrderedId("", at, chance);
        const bits = [...text]
          .map((character) => ALPHABET.indexOf(character).toString(2).padStart(5, "0"))
          .join("");
        expect(Number.parseInt(bits.slice(0, 48), 2)).toBe(at);
        expect(bits.slice(48, 52)).toBe("0111");
        expect(bits.slice(64, 66)).toBe("10");
      }),
    );
  });

  it("differs at one moment by its chance", () => {
    const chance = Uint8Array.from({ length: 10 }, (_, index) => index);
    const other = chance.with(9, 200);
    expect(timeOrderedId("rcp_", 1, chance)).not.toBe(timeOrderedId("rcp_", 1, other));
  });

  it("leaves the bytes it was given as they are", () => {
    const chance = new Uint8Array(10).fill(255);
    timeOrderedId("rcp_", 1, chance);
    expect(chance).toEqual(new Uint8Array(10).fill(255));
  });
});
