/** Percent-decoding of `ce-` header values (CloudEvents HTTP binding §3.1.3.2). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeaderValue } from "../../../src/core/ingest/percent.ts";
import { nodeText } from "../../support/node-crypto.ts";

const decode = (value: string) => decodeHeaderValue(value, nodeText);

const MUST_BE_ENCODED = /[^\x21-\x7e]|["%]/u;
const EVERYTHING = /./su;

function encode(value: string, what: RegExp, hexCase: "upper" | "lower"): string {
  return [...value]
    .map((character) => {
      if (!what.test(character)) return character;
      const encoded = Buffer.from(character).toString("hex").replace(/../g, "%$&");
      return hexCase === "upper" ? encoded.toUpperCase() : encoded;
    })
    .join("");
}

const anyText = fc.string({ unit: "binary" });

describe("a header value", () => {
  it("gives back the text that was encoded, as much as needed or wholly, in either case", () => {
    fc.assert(
      fc.property(
        anyText,
        fc.constantFrom(MUST_BE_ENCODED, EVERYTHING),
        fc.constantFrom("upper", "lower"),
        (value, what, hexCase) => {
          expect(decode(encode(value, what, hexCase))).toBe(value);
        },
      ),
    );
  });

  it("is decoded once only", () => {
    expect(decode("100%25")).toBe("100%");
    expect(decode("%2541")).toBe("%41");
    expect(decode("%252541")).toBe("%2541");
  });

  it("is the example of the specification", () => {
    expect(decode("Euro%20%E2%82%AC%20%F0%9F%98%80")).toBe("Euro € 😀");
  });

  it("may be plain, with spaces and quotes inside, as older senders write it", () => {
    for (const value of ["", "a b", 'say "hi"', "a+b", "a\\b"]) expect(decode(value)).toBe(value);
  });

  it("may be a quoted string with escapes, as older senders write it", () => {
    expect(decode('"a b"')).toBe("a b");
    expect(decode('""')).toBe("");
    expect(decode('"say \\"hi\\" \\\\ \\a"')).toBe('say "hi" \\ a');
    expect(decode('"50%25 of %22it%22"')).toBe('50% of "it"');
  });

  it("gives back any text that was quoted and percent-encoded", () => {
    fc.assert(
      fc.property(anyText, (value) => {
        const encoded = encode(value, /%|[^\x20-\x7e]/u, "upper");
        expect(decode(`"${encoded.replace(/["\\]/g, "\\$&")}"`)).toBe(value);
      }),
    );
  });

  it.each(["%", "%4", "a%", "%g0", "%0g", "%%20", "100% sure", "% 20"])(
    "is refused when a percent sequence is broken: %j",
    (value) => {
      expect(decode(value)).toBeNull();
    },
  );

  it.each(["%C0%A0", "%80", "%E2%82", "%ED%A0%80", "%F8%88%80%80%80", "%FF"])(
    "is refused when the decoded bytes are no UTF-8: %s",
    (value) => {
      expect(decode(value)).toBeNull();
    },
  );

  it.each(['"', '"a', '"a\\"', '"a" b', '"a"b"', '"a\\'])(
    "is refused when a quoted string does not end at its end: %s",
    (value) => {
      expect(decode(value)).toBeNull();
    },
  );
});
