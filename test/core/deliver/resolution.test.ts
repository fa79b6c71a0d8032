/** Answers of DNS-over-HTTPS resolvers: what is read of them, and what is not believed. */
import { describe, expect, it } from "vitest";
import { bothOf, readResolution } from "../../../src/core/deliver/resolution.ts";
import type { Json } from "../../../src/core/json.ts";

const a = (data: string, TTL = 300): Json => ({ name: "hooks.example.com", type: 1, TTL, data });
const alias: Json = { name: "hooks.example.com", type: 5, TTL: 20, data: "edge.example.net." };
const answer = (...Answer: Json[]): Json => ({ Status: 0, TC: false, Answer });

describe("a resolver's answer", () => {
  it("gives every address, for as long as the shortest record on the way holds", () => {
    expect(readResolution("A", answer(alias, a("1.1.1.1"), a("10.0.0.1", 60)))).toEqual({
      addresses: ["1.1.1.1", "10.0.0.1"],
      ttlSeconds: 20,
    });
  });

  it.each([
    ["of a name that does not exist", { Status: 3 }],
    ["of a name without such records", { Status: 0 }],
    ["of an empty list", { Status: 0, Answer: [] }],
  ])("%s gives none, and holds for no time", (_, value) => {
    expect(readResolution("AAAA", value)).toEqual({ addresses: [], ttlSeconds: 0 });
  });

  it("gives no address of an alias that leads nowhere", () => {
    expect(readResolution("AAAA", answer(alias))).toEqual({ addresses: [], ttlSeconds: 20 });
  });

  it.each<[string, Json]>([
    ["is no object", "1.1.1.1"],
    ["says that the server failed", { Status: 2 }],
    ["says that it was refused", { Status: 5 }],
    ["has no status", { Answer: [a("1.1.1.1")] }],
    ["was cut off", { Status: 0, TC: true, Answer: [a("1.1.1.1")] }],
    ["has something else in place of the records", { Status: 0, Answer: "1.1.1.1" }],
    ["has a record that is none", answer(a("1.1.1.1"), null)],
    ["has a record of the other kind", answer(a("1.1.1.1"), { type: 28, TTL: 1, data: "::1" })],
    ["has a record without a time", answer({ type: 1, data: "1.1.1.1" })],
    ["has a record that holds for less than no time", answer(a("1.1.1.1", -1))],
    ["has a record whose data is no text", answer({ type: 1, TTL: 1, data: 16843009 })],
  ])("is not believed when it %s", (_, value) => {
    expect(readResolution("A", value)).toBeNull();
  });
});

describe("both answers of a name", () => {
  const v4 = { addresses: ["1.1.1.1"], ttlSeconds: 60 };
  const v6 = { addresses: ["2606:4700::1"], ttlSeconds: 30 };
  const none = { addresses: [], ttlSeconds: 0 };

  it("hold together for as long as the shorter of them", () => {
    expect(bothOf(v4, v6)).toEqual({ addresses: ["1.1.1.1", "2606:4700::1"], ttlSeconds: 30 });
  });

  it("are as good as the one that is not empty", () => {
    expect(bothOf(v4, none)).toEqual(v4);
    expect(bothOf(none, v6)).toEqual(v6);
    expect(bothOf(none, none)).toEqual(none);
  });
});
