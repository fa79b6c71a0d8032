/** Hex and base64 against Node's own. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBase64, encodeBase64, encodeHex } from "../../src/core/bytes.ts";

const bytes = fc.uint8Array({ maxLength: 300 });

describe("hex and base64", () => {
  it("encodes any bytes as Node does", () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(encodeHex(value)).toBe(Buffer.from(value).toString("hex"));
        expect(encodeBase64(value)).toBe(Buffer.from(value).toString("base64"));
      }),
    );
  });

  it("encodes bytes beyond the size it works on at once", () => {
    const long = Uint8Array.from({ length: 20_000 }, (_, index) => index % 251);
    expect(encodeBase64(long)).toBe(Buffer.from(long).toString("base64"));
  });

  it("decodes what it has encoded", () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(decodeBase64(encodeBase64(value))).toEqual(value);
      }),
    );
  });

  it("ignores spare bits in the last character", () => {
    expect(decodeBase64("QR==")).toEqual(Uint8Array.of(0x41));
  });

  it.each([
    ["no padding", "QQ"],
    ["too little padding", "QQ="],
    ["too much padding", "QQ==="],
    ["padding in the middle", "QQ==QQ=="],
    ["nothing but padding", "===="],
    ["one character", "Q==="],
    ["a line break", "QUJD\n"],
    ["a space", "QUJ "],
    ["the url-safe alphabet", "_-__"],
    ["a character beyond ASCII", "QUJ\u0141"],
  ])("refuses base64 with %s", (_, base64) => {
    expect(decodeBase64(base64)).toBeNull();
  });
});
