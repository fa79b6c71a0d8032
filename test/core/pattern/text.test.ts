/** Wildcards, ignored case and addresses: how a pattern's text is compared with an event's. */
import { describe, expect, test } from "vitest";
import { explainPattern, matchesPattern } from "../../../src/core/pattern/index.ts";
import { eventOf, matches, patternOf } from "./support.ts";

function fits(candidate: object, value: string): boolean {
  return matches(JSON.stringify({ a: [candidate] }), JSON.stringify({ a: value }));
}

describe("a wildcard", () => {
  test.each([
    ["*", ""],
    ["*", "a\nb"],
    ["a*b*c", "abc"],
    ["a*b*c", "a b b c c"],
    ["*ab*ab*", "abab"],
    ["\\*", "*"],
    ["\\\\*", "\\anything"],
    ["", ""],
  ])("%j fits %j", (wildcard, text) => {
    expect(fits({ wildcard }, text)).toBe(true);
  });

  test.each([
    ["a*a", "a"],
    ["*ab*ab*", "aba"],
    ["ab*", "xab"],
    ["*ab", "abx"],
    ["a.c", "abc"],
    ["\\*", "x"],
    ["", "x"],
    ["[ab]*", "a"],
  ])("%j does not fit %j", (wildcard, text) => {
    expect(fits({ wildcard }, text)).toBe(false);
  });

  test("may ignore the case on both sides", () => {
    expect(fits({ wildcard: { "equals-ignore-case": "*ΔΌΣ*stra\u00dfe" } }, "οδός STRASSE")).toBe(
      false,
    );
    expect(fits({ wildcard: { "equals-ignore-case": "*ΔΌΣ*stra\u00dfe" } }, "οδός, STRASSE")).toBe(
      true,
    );
  });
});
