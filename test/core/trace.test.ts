/** The trace an event carries on, or starts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { traceparentOf } from "../../src/core/trace.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const random = Uint8Array.from({ length: 24 }, (_, index) => index + 1);
const OURS = "0102030405060708090a0b0c0d0e0f10";
const OUR_SPAN = "1112131415161718";

describe("traceparent", () => {
  it("keeps the sender's trace and flags, with a span of its own", () => {
    expect(traceparentOf(`00-${TRACE}-${SPAN}-00`, random)).toBe(`00-${TRACE}-${OUR_SPAN}-00`);
    expect(traceparentOf(`00-${TRACE}-${SPAN}-01`, random)).toBe(`00-${TRACE}-${OUR_SPAN}-01`);
  });

  it("starts a sampled trace where there is none", () => {
    expect(traceparentOf(null, random)).toBe(`00-${OURS}-${OUR_SPAN}-01`);
  });

  it.each([
    ["an unknown version", `01-${TRACE}-${SPAN}-01`],
    ["capitals", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ["a trace of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
    ["a span of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["a short trace", `00-${TRACE.slice(1)}-${SPAN}-01`],
    ["something behind it", `00-${TRACE}-${SPAN}-01-extra`],
    ["a line break", `00-${TRACE}-${SPAN}-01\n`],
    ["an empty header", ""],
  ])("refuses %s and starts its own", (_, received) => {
    expect(traceparentOf(received, random)).toBe(`00-${OURS}-${OUR_SPAN}-01`);
  });

  it("is well formed for any header", () => {
    fc.assert(
      fc.property(fc.option(fc.string()), (received) => {
        expect(traceparentOf(received, random)).toMatch(
          /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/,
        );
      }),
    );
  });
});
