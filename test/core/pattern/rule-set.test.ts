/** What a rule set does besides matching: it changes rule by rule, tests only what may match. */
import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/core/json.ts";
import { compileRules, matchesPattern, type Pattern } from "../../../src/core/pattern/index.ts";
import type { AllOf, Field, Test } from "../../../src/core/pattern/pattern.ts";
import { eventOf, patternOf } from "./support.ts";

function rulesOf(...patterns: readonly string[]) {
  return patterns.map((text, index) => ({ id: `rule-${index}`, pattern: patternOf(text) }));
}

function matching(event: string, ...patterns: readonly string[]): readonly string[] {
  return compileRules(rulesOf(...patterns)).match(eventOf(event));
}

describe("a choice beside a field that may be absent", () => {
  test("chooses the element in which the field is absent, as the rule alone does", () => {
    const written = `{"a": [{"exists": true}], "b": {"b": [{"exists": false}]}, "$or": [
      {"b": [{"anything-but": {"suffix": "x"}}]}, {"b": {"c": [{"regex": "[A-Z]+"}]}}]}`;
    const event = '{"a": "1", "b": [[0], {"b": [["s"]]}]}';
    expect(matchesPattern(patternOf(written), eventOf(event))).toBe(true);
    expect(matching(event, written)).toEqual(["rule-0"]);
  });
});

describe("a rule", () => {
  test("set again has its new pattern only, in its old place", () => {
    const ruleSet = compileRules(rulesOf('{"a": [1]}', '{"a": [2, 3]}'));
    ruleSet.set("rule-0", patternOf('{"a": [3]}'));
    expect(ruleSet.match({ a: 1 })).toEqual([]);
    expect(ruleSet.match({ a: 3 })).toEqual(["rule-0", "rule-1"]);
  });

  test("set after it was deleted comes last", () => {
    const ruleSet = compileRules(rulesOf('{"a": [1]}', '{"a": [1]}'));
    expect(ruleSet.delete("rule-0")).toBe(true);
    expect(ruleSet.match({ a: 1 })).toEqual(["rule-1"]);
    ruleSet.set("rule-0", patternOf('{"a": [1]}'));
    expect(ruleSet.match({ a: 1 })).toEqual(["rule-1", "rule-0"]);
  });

  test("that is not there is not deleted, and no other is", () => {
    const ruleSet = compileRules(rulesOf('{"a": [1]}'));
    expect(ruleSet.delete("rule-1")).toBe(false);
    expect(ruleSet.match({ a: 1 })).toEqual(["rule-0"]);
  });

  test("given twice under one id counts as given last", () => {
    const [first, second] = rulesOf('{"a": [1]}', '{"a": [2]}').map(({ pattern }) => pattern);
    if (!first || !second) throw new Error("both are given");
    const ruleSet = compileRules([
      { id: "same", pattern: first },
      { id: "same", pattern: second },
    ]);
    expect([ruleSet.match({ a: 1 }), ruleSet.match({ a: 2 })]).toEqual([[], ["same"]]);
  });

  test("that many values reach is named once", () => {
    const event = '{"a": ["x", "xy", "x", 1, 2], "b": "x"}';
    expect(matching(event, '{"a": ["x", {"prefix": "x"}, "x", 1, 2]}')).toEqual(["rule-0"]);
  });
});

describe("rules that ask for an absence", () => {
  test("match while nothing stands there, and are refused while something does", () => {
    const patterns = ['{"a": [{"exists": false}]}', '{"a": ["x", {"exists": false}]}'];
    expect(matching("{}", ...patterns)).toEqual(["rule-0", "rule-1"]);
    expect(matching('{"a": "x"}', ...patterns)).toEqual(["rule-1"]);
    expect(matching('{"a": null}', ...patterns)).toEqual([]);
  });

  test("in an array of objects are decided for the element that a value chooses", () => {
    const pattern = '{"a": {"b": [0], "c": [{"exists": false}]}}';
    expect(matching('{"a": [{"c": 1}, {"b": 0}]}', pattern)).toEqual(["rule-0"]);
    expect(matching('{"a": [{"c": 1, "b": 0}, {"b": 1}]}', pattern)).toEqual([]);
  });

  test("in some alternative of a choice only, are found through each of them", () => {
    const pattern = '{"$or": [{"a": [{"exists": false}]}, {"b": [1], "c": [{"exists": false}]}]}';
    expect(matching("{}", pattern)).toEqual(["rule-0"]);
    expect(matching('{"a": 1, "b": 1}', pattern)).toEqual(["rule-0"]);
    expect(matching('{"a": 1}', pattern)).toEqual([]);
    expect(matching('{"a": 1, "b": 1, "c": 1}', pattern)).toEqual([]);
  });
});

describe("an event", () => {
  test("leaves nothing behind for the next one", () => {
    const ruleSet = compileRules(rulesOf('{"a": ["x"], "b": ["y"]}', '{"c": [{"exists": false}]}'));
    expect(ruleSet.match({ a: "x", c: 1 })).toEqual([]);
    expect(ruleSet.match({ b: "y", c: 1 })).toEqual([]);
    expect(ruleSet.match({ a: "x", b: "y" })).toEqual(["rule-0", "rule-1"]);
  });

  test("too deep for the stack is refused by an error, and harms no later one", () => {
    const ruleSet = compileRules(rulesOf('{"a": ["x"], "b": ["y"]}'));
    let deep: Json = "y";
    for (let depth = 0; depth < 200_000; depth += 1) deep = [deep];
    expect(() => ruleSet.match({ a: "x", b: deep })).toThrow();
    expect(ruleSet.match({ b: "y" })).toEqual([]);
    expect(ruleSet.match({ a: "x", b: "y" })).toEqual(["rule-0"]);
  });
});

describe("half a character in a pattern that ignores case", () => {
  test.each([
    ['{"a": [{"prefix": {"equals-ignore-case": "x\\ud801"}}]}', '{"a": "X\\ud801\\udc28"}'],
    ['{"a": [{"suffix": {"equals-ignore-case": "\\udc28x"}}]}', '{"a": "\\ud801\\udc28X"}'],
    ['{"a": [{"equals-ignore-case": "\\ud801"}]}', '{"a": "\\ud801"}'],
  ])("%s is found in %s", (pattern, event) => {
    expect(matching(event, pattern)).toEqual(["rule-0"]);
  });
});

/** Patterns that look alike: number 0 matches, none of the others does. */
const FAMILIES: readonly (readonly [string, (number: number) => Json, Json])[] = [
  ["exact strings", (n) => ({ a: [`x${n}`] }), { a: "x0" }],
  ["exact numbers", (n) => ({ a: [n] }), { a: 0 }],
  ["prefixes", (n) => ({ a: [{ prefix: `${n}-` }] }), { a: "0-x" }],
  ["suffixes", (n) => ({ a: [{ suffix: `-${n}` }] }), { a: "x-0" }],
  ["texts in any case", (n) => ({ a: [{ "equals-ignore-case": `xß${n}` }] }), { a: "XSS0" }],
  ["prefixes in any case", (n) => ({ a: [{ prefix: ignoreCase(`x${n}-`) }] }), { a: "X0-y" }],
  ["suffixes in any case", (n) => ({ a: [{ suffix: ignoreCase(`-${n}x`) }] }), { a: "y-0X" }],
  ["wildcards with a start", (n) => ({ a: [{ wildcard: `${n}-*x` }] }), { a: "0-yx" }],
  ["wildcards with an end", (n) => ({ a: [{ wildcard: `*x*-${n}` }] }), { a: "yxy-0" }],
  ["wildcards with a middle", (n) => ({ a: [{ wildcard: `*-${pad(n)}-*` }] }), { a: "y-0000-y" }],
  ["ranges", (n) => ({ a: [{ numeric: [">=", n, "<", n + 0.5] }] }), { a: 0 }],
  ["address ranges", (n) => ({ a: [{ cidr: `10.${n >> 8}.${n & 255}.0/24` }] }), { a: "10.0.0.9" }],
  [
    "values beside anything-but",
    (n) => ({ a: [n], b: [{ "anything-but": "x" }] }),
    { a: 0, b: "y" },
  ],
  ["values beside an absence", (n) => ({ a: [n], b: [{ exists: false }] }), { a: 0 }],
  ["pairs of values", (n) => ({ a: [n % 40], b: [Math.floor(n / 40)] }), { a: 0, b: 0 }],
  ["values beside a common one", (n) => ({ a: ["x"], b: [n], c: ["y"] }), { a: "x", b: 0, c: "y" }],
  ["values in arrays", (n) => ({ a: { b: [n], c: ["x"] } }), { a: [{ b: 0, c: "x" }, { c: "x" }] }],
  ["choices", (n) => ({ $or: [{ a: [n] }, { b: [n] }] }), { a: 0, b: -1 }],
];

test.each(FAMILIES)("%s that cannot match are not tested, however many", (_, pattern, event) => {
  const [few, many] = [testsFor(20, pattern, event), testsFor(1_600, pattern, event)];
  expect(few.matched).toEqual(["0"]);
  expect(many.matched).toEqual(["0"]);
  expect(many.tests).toBeLessThanOrEqual(few.tests + 12);
});

test("one test that many rules share is made once, and refuses all of them", () => {
  const pattern = () => ({ a: [{ "anything-but": "x" }] });
  expect(testsFor(1_600, pattern, { a: "x" })).toMatchObject({ matched: [], tests: 1 });
});

test("rules that came first are not tested either, once it shows what tells rules apart", () => {
  const pattern = (number: number): Json => ({ a: ["x"], b: [number] });
  expect(testsFor(4, pattern, { a: "x", b: -1 })).toMatchObject({ matched: [], tests: 0 });
  expect(testsFor(1, pattern, { a: "x", b: -1 }).tests).toBeGreaterThan(0);
});

/** How often a value is tested, of `count` rules that are like the given one. */
function testsFor(count: number, patternFor: (number: number) => Json, event: Json) {
  let tests = 0;
  const counted = ({ ...test }: Test): Test => {
    const { kind } = test;
    const count = () => {
      tests += 1;
      return kind;
    };
    return Object.defineProperty(test, "kind", { get: count, enumerable: true });
  };
  const rules = Array.from({ length: count }, (_, number) => ({
    id: String(number),
    pattern: withTests(patternOf(JSON.stringify(patternFor(number))), counted),
  }));
  const ruleSet = compileRules(rules);
  tests = 0;
  return { matched: ruleSet.match(event), tests };
}

function withTests(pattern: Pattern, change: (test: Test) => Test): Pattern {
  const inField = (field: Field): Field => ({
    ...field,
    candidates: field.candidates.map((one) => ({ ...one, test: change(one.test) })),
  });
  const inAll = (all: AllOf): AllOf => ({
    fields: all.fields.map(inField),
    choices: all.choices.map((choice) => choice.map(inAll)),
  });
  return { ...pattern, root: inAll(pattern.root) };
}

function ignoreCase(text: string): Json {
  return { "equals-ignore-case": text };
}

function pad(number: number): string {
  return String(number).padStart(4, "0");
}
