/** The length of a body by its headers: only where they say it truthfully. */
import { describe, expect, it } from "vitest";
import { declaredBytes } from "../../src/core/body-length.ts";

describe("the length of a body", () => {
  it.each<[Record<string, string>, number]>([
    [{ "content-length": "10" }, 10],
    [{}, Number.NaN],
    [{ "content-length": "ten" }, Number.NaN],
    [{ "content-length": "10", "transfer-encoding": "chunked" }, Number.NaN],
  ])("is by %j %d", (headers, bytes) => {
    expect(declaredBytes(new Headers(headers))).toBe(bytes);
  });
});
