/** What is refused in a pattern: every fault at its place, all at once, in words that help. */
import { describe, expect, test } from "vitest";
import {
  PATTERN_ALTERNATIVES_MAX,
  PATTERN_CHARACTERS_MAX,
  PATTERN_DEPTH_MAX,
  PATTERN_FIELDS_MAX,
  WILDCARD_STARS_MAX,
} from "../../../src/core/pattern/limits.ts";
import { fieldsOf } from "../../../src/core/pattern/pattern.ts";
import { KNOWN_CHARACTERS_MAX } from "../../../src/core/pattern/place.ts";
import { matches, parse } from "./support.ts";

function faults(text: string): readonly string[] {
  const parsed = parse(text);
  return parsed.ok ? [] : parsed.issues.map(({ pointer, code }) => `${pointer} ${code}`);
}

function details(text: string): string {
  const parsed = parse(text);
  return parsed.ok ? "" : parsed.issues.map(({ detail }) => detail).join("\n");
}

function warnings(text: string): readonly string[] {
  const parsed = parse(text);
  return parsed.ok ? parsed.warnings.map(({ pointer, code }) => `${pointer} ${code}`) : ["refused"];
}

describe("the shape of a pattern", () => {
  test.each(["[]", '"x"', "5", "null", "1e400"])("is an object; %s is refused", (text) => {
    expect(faults(text)).toEqual([" not-an-object"]);
  });

  test("has all its faults named at once", () => {
    const text = '{"a": "x", "b": [], "c": {"d": {}, "e/f": [{"prefix": 1}, {"": 2}]}, "g": [[]]}';
    expect(faults(text)).toEqual([
      "/a bare-value",
      "/b empty-array",
      "/c/d empty-object",
      "/c/e~1f/0/prefix operand",
      "/c/e~1f/1 operator-unknown",
      "/g/0 nested-array",
    ]);
  });

  test.each([
    ['{"state": "open"}', 'Write "state": ["open"].'],
    ['{"total": 12345678901234567890}', 'Write "total": [12345678901234567890].'],
    ['{"a": [{"prefix": ["x", "y"]}]}', '[{"prefix": "x"}, {"prefix": "y"}]'],
    ['{"a": [{"contains": "x"}]}', '{"wildcard": "*abc*"}'],
    ['{"a": [{"prefix": "x", "suffix": "y"}]}', '[{"all-of": [{"prefix": "x"}, {"suffix": "y"}]}]'],
    ['{"a": [{"cidr": "10.0.0.1"}]}', '{"cidr": "10.0.0.1/32"}'],
    ['{"a": [{"numeric": ["!=", 1]}]}', 'here stands the string "!="'],
  ])("%s is refused with a corrected example", (text, example) => {
    expect(details(text)).toContain(example);
  });

  test("is refused where a key or a path stands twice", () => {
    expect(faults('{"a": {"b": [1], "b": [2]}}')).toEqual(["/a/b duplicate-key"]);
    expect(faults('{"a": {"b": [1]}, "a.b": [2]}')).toEqual(["/a.b duplicate-path"]);
  });
});

describe("operands", () => {
  test.each([
    '{"prefix": 1}',
    '{"prefix": {"suffix": "a"}}',
    '{"prefix": {"equals-ignore-case": ["a"]}}',
    '{"prefix": {"equals-ignore-case": "a", "x": 1}}',
    '{"exactly": {"equals-ignore-case": "a"}}',
    '{"equals-ignore-case": ["a"]}',
    '{"exists": "true"}',
    '{"numeric": ">5"}',
    '{"anything-but": null}',
    '{"anything-but": []}',
    '{"anything-but": ["a", null]}',
    '{"anything-but": {"numeric": [">", 1]}}',
    '{"anything-but": {"exists": true}}',
    '{"anything-but": {}}',
    '{"anything-but": {"prefix": ""}}',
    '{"anything-but": {"prefix": ["a", ""]}}',
    '{"anything-but": {"suffix": []}}',
    '{"anything-but": {"prefix": "a", "suffix": "b"}}',
    '{"anything-but": {"prefix": {"equals-ignore-case": "a"}}}',
  ])("that are refused: %s", (candidate) => {
    expect(faults(`{"a": [${candidate}]}`)).toHaveLength(1);
    expect(faults(`{"a": [${candidate}]}`)[0]).toMatch(/^\/a\/0\/[a-z-]+(\/[a-z-]+)? operand$/);
  });

  test.each([
    "[]",
    '[">"]',
    '[">", "5"]',
    '["=", 5, "<", 6]',
    '[">", 1, ">", 2]',
    '["<", 5, ">", 1]',
    '[">", 5, "<=", 5]',
    '[">=", 5, "<", 5]',
    '[">=", 9007199254740993, "<=", 9007199254740992]',
    '[">", 1, "<", 5, "<", 6]',
    '[">", 1, "<"]',
    '["==", 1]',
  ])("of numeric that are refused: %s", (operand) => {
    expect(faults(`{"a": [{"numeric": ${operand}}]}`)).toEqual(["/a/0/numeric numeric"]);
  });

  test.each([
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/-1",
    "10.0.0/8",
    "example.com/24",
    "",
    "::ffff:a00:1/33",
  ])("of cidr that are refused: %j", (operand) => {
    expect(faults(`{"a": [{"cidr": "${operand}"}]}`)).toEqual(["/a/0/cidr cidr"]);
  });

  test.each(["a**", "\\\\x", "\\\\", "*\\\\"])("of wildcard that are refused: %s", (operand) => {
    expect(faults(`{"a": [{"wildcard": "${operand}"}]}`)).toEqual(["/a/0/wildcard wildcard"]);
    const inside = `{"a": [{"anything-but": {"wildcard": "${operand}"}}]}`;
    expect(faults(inside)).toEqual(["/a/0/anything-but/wildcard wildcard"]);
  });

  test.each([
    ['["x", {"all-of": ["y"]}]', "/a/1 all-of"],
    ['[{"all-of": []}]', "/a/0/all-of all-of"],
    ['[{"all-of": "x"}]', "/a/0/all-of all-of"],
    ['[{"all-of": ["x", {"exists": false}]}]', "/a/0/all-of/1 all-of"],
    ['[{"all-of": [{"all-of": ["x"]}]}]', "/a/0/all-of/0 all-of"],
    ['[{"all-of": ["x", {"prefix": 1}]}]', "/a/0/all-of/1/prefix operand"],
  ])("of all-of that are refused: %s", (leaf, fault) => {
    expect(faults(`{"a": ${leaf}}`)).toEqual([fault]);
  });
});

describe("$or", () => {
  test.each([
    ['{"$or": [{"a": [1]}]}', "/$or or"],
    ['{"$or": {"a": 1}}', "/$or or"],
    ['{"$or": [{"a": [1]}, 5]}', "/$or/1 or"],
    ['{"$or": [{"a": [1]}, {}]}', "/$or/1 empty-object"],
    ['{"$or": [{"a": [1]}, {"b": {"regex": [2]}}]}', "/$or/1/b/regex or-reserved-name"],
    ['{"$or": [{"a": [1]}, {"b": 2}]}', "/$or/1/b bare-value"],
    ['{"a": [1], "$or": [{"a": [2]}, {"b": [1]}]}', "/$or/0/a or-same-path"],
    ['{"x.a": [1], "x": {"$or": [{"a": [2]}, {"b": [1]}]}}', "/x/$or/0/a or-same-path"],
    [
      '{"$or": [{"a": [1], "$or": [{"a": [2]}, {"b": [1]}]}, {"c": [1]}]}',
      "/$or/0/$or/0/a or-same-path",
    ],
  ])("is refused in %s", (text, fault) => {
    expect(faults(text)).toEqual([fault]);
  });

  test.each([
    ['{"$or": ["x"]}', '{"$or": "x"}'],
    ['{"$or": {"a": ["x"]}}', '{"$or": {"a": "x"}}'],
    ['{"$or": [{"prefix": "x"}, {"prefix": "y"}]}', '{"$or": "yes"}'],
  ])("is the name of a field in %s, with a warning", (pattern, event) => {
    expect(matches(pattern, event)).toBe(true);
    expect(warnings(pattern)).toEqual(["/$or or-as-field"]);
  });

  test("is read as a field everywhere or nowhere", () => {
    const text = '{"$or": [{"a": ["x"]}, {"b": ["y"]}], "c": {"$or": ["z"]}}';
    expect(faults(text)).toEqual(["/c/$or or", "/c/$or/0 or"]);
  });
});

describe("caps", () => {
  const many = (count: number, one: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => one(index)).join(",");
  const choices = (count: number) =>
    `{${many(count, (i) => `"k${i}":{"$or":[{"a":[1]},{"b":[1]}]}`)}}`;

  test.each([
    ["too-long", `{"a": ["${"x".repeat(PATTERN_CHARACTERS_MAX)}"]}`],
    ["too-many-fields", `{${many(PATTERN_FIELDS_MAX + 1, (i) => `"k${i}": [1]`)}}`],
    ["too-many-alternatives", choices(6)],
  ])("refuse a pattern that is %s", (code, text) => {
    expect(faults(text)).toEqual([` ${code}`]);
  });

  test("refuse a pattern by what it is written in, not by how long that could be", () => {
    const longest = PATTERN_CHARACTERS_MAX - '{"a":[""]}'.length;
    expect(faults(`{"a": ["${"x".repeat(longest)}"]}`)).toEqual([]);
    expect(faults(`{"a": ["${"x".repeat(longest + 1)}"]}`)).toEqual([" too-long"]);
    expect(faults(`{"a": ["${"\\u0001".repeat(Math.floor(longest / 6) + 1)}"]}`)).toEqual([
      " too-long",
    ]);
  });

  test("refuse a pattern that nests too deep, at the level where it does", () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels)}["x"]${"}".repeat(levels)}`;
    expect(faults(nested(PATTERN_DEPTH_MAX))).toEqual([]);
    expect(faults(nested(PATTERN_DEPTH_MAX + 1))).toEqual([
      `${"/a".repeat(PATTERN_DEPTH_MAX)} too-deep`,
    ]);
  });

  test("refuse a wildcard with too many stars", () => {
    const wildcard = (stars: number) => `{"a": [{"wildcard": "${"a*".repeat(stars)}"}]}`;
    expect(faults(wildcard(WILDCARD_STARS_MAX))).toEqual([]);
    expect(faults(wildcard(WILDCARD_STARS_MAX + 1))).toEqual(["/a/0/wildcard wildcard"]);
  });

  test("let a pattern through that just fills them", () => {
    expect(2 ** 5).toBe(PATTERN_ALTERNATIVES_MAX);
    expect(faults(choices(5))).toEqual([]);
    expect(faults(`{${many(PATTERN_FIELDS_MAX, (i) => `"k${i}": [1]`)}}`)).toEqual([]);
  });
});

describe("warnings", () => {
  test.each([
    ['{"d": {"a": [{"exists": false}], "b": ["x"]}}', ["/d/a absence-in-array"]],
    ['{"d": {"b": ["x"], "c": [{"exists": false}]}}', []],
    ['{"a": [{"exists": false}], "b": ["x"]}', []],
    ['{"a": ["::1"]}', ["/a/0 address-as-text"]],
    ['{"a": ["10.0.0.1", "a:b", "12:30"]}', []],
  ])("of %s are %j", (text, expected) => {
    expect(warnings(text)).toEqual(expected);
  });
});

describe("what is kept of patterns", () => {
  test("tells places apart that are written alike, also after more of them than are kept", () => {
    const places = (root: string) => {
      const parsed = parse(`{${root}: ["x"], "$or": [{"b": ["x"]}, {"c": ["x"]}]}`);
      if (!parsed.ok) return [];
      return fieldsOf(parsed.pattern.root).map(({ path, pointer }) => `${path} ${pointer}`);
    };
    const inBranches = ["b /$or/0/b", "c /$or/1/c"];
    for (let at = 0; at < 20_000; at += 1) parse(`{"k${at}": {"a": ["x"]}}`);
    expect(places('"a.a"')).toEqual(["a.a /a.a", ...inBranches]);
    expect(places('"a/a"')).toEqual(["a/a /a~1a", ...inBranches]);
    expect(places('"0"')).toEqual(["0 /0", ...inBranches]);
    const long = "k".repeat(KNOWN_CHARACTERS_MAX + 1);
    for (const _ of ["read", "read again"]) {
      expect(places(`"${long}"`)).toEqual([`${long} /${long}`, ...inBranches]);
    }
  });

  test("is no fault or warning: those are told each time", () => {
    const text = '{"a": ["::1"], "b": [{"prefix": 5}]}';
    expect([faults(text), faults(text)]).toEqual([
      ["/b/0/prefix operand"],
      ["/b/0/prefix operand"],
    ]);
    expect(warnings('{"a": ["::1"]}')).toEqual(["/a/0 address-as-text"]);
    expect(warnings('{"a": ["::1"]}')).toEqual(["/a/0 address-as-text"]);
  });
});
