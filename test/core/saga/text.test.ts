/** What rests in a journal comes back as it was. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExactNumber, parseJsonDocument } from "../../../src/core/json.ts";
import { pack, unpack } from "../../../src/core/saga/text.ts";

describe("what is packed", () => {
  it("comes back, without what is undefined", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const held = { value, nothing: undefined, list: [{ a: 1, b: undefined }] };
        expect(unpack(pack(held))).toEqual({
          value: JSON.parse(JSON.stringify(value)),
          list: [{ a: 1 }],
        });
      }),
    );
  });

  it("keeps a number that a double cannot hold", () => {
    const read = parseJsonDocument('{"n":12345678901234567890.5}');
    if (!read.ok) throw new Error("not read");
    expect(pack(read.value)).toBe('{"n":12345678901234567890.5}');
    const { n } = unpack<{ n: unknown }>(pack(read.value));
    expect(n).toBeInstanceOf(ExactNumber);
  });

  it("is refused when it was not packed", () => {
    expect(() => unpack("{")).toThrow();
  });
});
