/** Wildcards, ignored case and addresses: how a pattern's text is compared with an event's. */
import { describe, expect, test } from "vitest";
import { readCaseUnits } from "../../../src/core/pattern/ignore-case.ts";
import { matches } from "./support.ts";

function fits(candidate: unknown, value: unknown): boolean {
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
    ["*", 5],
  ])("%j does not fit %j", (wildcard, value) => {
    expect(fits({ wildcard }, value)).toBe(false);
  });

  test("folds both sides when it ignores the case", () => {
    const candidate = { wildcard: { "equals-ignore-case": "*ὈΔΌΣ*straße\\*" } };
    expect(fits(candidate, "ἡ ὀδός, STRASSE*")).toBe(true);
    expect(fits(candidate, "ἡ ὀδός, STRASE*")).toBe(false);
  });
});

describe("ignored case", () => {
  test("never has to go back: no variant of a letter contains another one", () => {
    const offending = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code))
      .flatMap((letter) => readCaseUnits(letter))
      .filter((variants) =>
        variants.some((one) => variants.some((other) => other !== one && one.includes(other))),
      );
    expect(offending).toEqual([]);
  });

  test.each([
    ["STRASSE", { prefix: { "equals-ignore-case": "straß" } }],
    ["STRASSE", { suffix: { "equals-ignore-case": "aße" } }],
    ["k", { "equals-ignore-case": "\u212a" }],
    ["ǅ", { "equals-ignore-case": "ǅ" }],
    ["😀", { "equals-ignore-case": "😀" }],
  ])("%j fits %j", (text, candidate) => {
    expect(fits(candidate, text)).toBe(true);
  });

  test.each([
    ["ß", { "equals-ignore-case": "SS" }],
    ["ss", { "equals-ignore-case": "ß" }],
    ["\u212a", { "equals-ignore-case": "k" }],
    ["S", { prefix: { "equals-ignore-case": "ß" } }],
    ["ab", { "equals-ignore-case": "a" }],
    ["", { suffix: { "equals-ignore-case": "a" } }],
    [true, { "equals-ignore-case": "TRUE" }],
  ])("%j does not fit %j", (value, candidate) => {
    expect(fits(candidate, value)).toBe(false);
  });
});

describe("an address range", () => {
  test.each([
    ["10.0.0.0/8", "010.1.2.3"],
    ["10.0.0.0/8", "::ffff:a00:1"],
    ["10.0.0.7/24", "10.0.0.200"],
    ["::ffff:a00:0/24", "10.0.0.200"],
    ["::1/128", "0:0:0:0:0:0:0:1"],
    ["0.0.0.0/0", "255.255.255.255"],
    ["10.0.0.0/+08", "10.9.9.9"],
  ])("%s holds %s", (cidr, address) => {
    expect(fits({ cidr }, address)).toBe(true);
  });

  test.each([
    ["10.0.0.0/8", "::ffff:10.0.0.1"],
    ["::/0", "10.0.0.1"],
    ["0.0.0.0/0", "::1"],
    ["0.0.0.0/0", "10.0.0"],
    ["0.0.0.0/0", "0000000000000010.0.0.1"],
    ["0.0.0.0/0", "10.0.0.1 "],
    ["0.0.0.0/0", 167772161],
  ])("%s does not hold %j", (cidr, value) => {
    expect(fits({ cidr }, value)).toBe(false);
  });

  test("is not what a plain string means, whatever address it spells", () => {
    expect(fits("::1", "0:0:0:0:0:0:0:1")).toBe(false);
  });
});
