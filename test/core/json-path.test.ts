/** JSON paths: what they name, and what is none. */
import { describe, expect, it } from "vitest";
import { parsePath, valueAt } from "../../src/core/json.ts";

describe("a path", () => {
  it.each([
    ["$.input.data.n", ["input", "data", "n"]],
    ["$.input.data.list[0].sku", ["input", "data", "list", 0, "sku"]],
    ['$.input.data["odd name"]', ["input", "data", "odd name"]],
    ["$", []],
  ])("%s is read part by part", (text, path) => {
    expect(parsePath(text)).toEqual(path);
  });

  it.each([
    "input.data",
    "$input",
    "$.",
    "$.a..b",
    "$.a[",
    "$.a[-1]",
    "$.a[x]",
    "$.a b",
    '$.a["\\x"]',
  ])("%s is none", (text) => {
    expect(parsePath(text)).toBeUndefined();
  });

  it("finds nothing in what is inherited", () => {
    for (const name of ["constructor", "__proto__", "toString"]) {
      expect(valueAt({ input: {} }, ["input", name])).toBeUndefined();
    }
  });
});
