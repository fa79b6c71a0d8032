/** Events and patterns built to be expensive: what they cost is counted, never timed. */
import { describe, expect, test, vi } from "vitest";
import type { Json } from "../../../src/core/json.ts";
import { explainPattern } from "../../../src/core/pattern/explain.ts";
import { compileRules, matchesPattern, type Pattern } from "../../../src/core/pattern/index.ts";
import type { AllOf } from "../../../src/core/pattern/pattern.ts";
import { eventOf, matches, patternOf } from "./support.ts";

/** The same pattern, counting how often a value is compared with a candidate. */
function counted(pattern: Pattern): { readonly pattern: Pattern; readonly count: () => number } {
  let count = 0;
  const countIn = (all: AllOf): AllOf => ({
    choices: all.choices.map((choice) => choice.map(countIn)),
    fields: all.fields.map((field) => ({
      ...field,
      candidates: field.candidates.map((candidate) => ({
        ...candidate,
        get test() {
          count += 1;
          return candidate.test;
        },
      })),
    })),
  });
  return { pattern: { ...pattern, root: countIn(pattern.root) }, count: () => count };
}

function comparisons(text: string, event: Json): number {
  const { pattern, count } = counted(patternOf(text));
  matchesPattern(pattern, event);
  return count();
}

const SIBLINGS = '{"a": {"k": ["x"]}, "b": {"k": ["x"]}, "c": {"k": ["x"]}, "d": {"k": ["x"]}}';

describe("sibling arrays", () => {
  test.each([
    ["of objects", (value: string) => [{ k: value }]],
    ["of scalars", (value: string) => ({ k: [value] })],
    ["of arrays", (value: string) => [[{ k: [value] }]]],
  ])("%s are never combined: twice the elements cost twice, not eight times", (_, shape) => {
    const event = (length: number): Json => {
      const list = Array.from({ length }, () => shape("x"));
      return { a: list, b: list, c: list, d: shape("no") };
    };
    const [small, large] = [comparisons(SIBLINGS, event(300)), comparisons(SIBLINGS, event(600))];
    expect(small).toBeGreaterThan(0);
    expect(small).toBeLessThanOrEqual(2 * 3 * 300 + 10);
    expect(large).toBeLessThanOrEqual(2 * small);
  });

  test("with a match at the very end are searched once", () => {
    const list = [...Array.from({ length: 999 }, () => ({ k: "x", j: "n" })), { k: "x", j: "y" }];
    const cost = comparisons('{"a": {"k": ["x"], "j": ["y"]}}', { a: list });
    expect(cost).toBeLessThanOrEqual(4 * 1_000);
  });
});

test("an event with 10,000 keys costs one comparison for the one key that is named", () => {
  const keys = Array.from({ length: 10_000 }, (_, index) => [`key${index}`, index]);
  const cost = comparisons(
    '{"key9999": [9999], "other": [{"exists": false}]}',
    Object.fromEntries(keys),
  );
  expect(cost).toBeLessThanOrEqual(3);
});

test("arrays nested as deep as events may be are matched and explained", () => {
  const event = eventOf(`{"a": ${"[".repeat(990)}1${",2]".repeat(990)}}`);
  const pattern = patternOf('{"a": [1, {"anything-but": 2}], "b": [{"exists": false}]}');
  expect(matchesPattern(pattern, event)).toBe(true);
  expect(explainPattern(pattern, event)).toMatchObject([{ ok: true }, { ok: true }]);
});

test("every alternative of a full $or is refused without a search when no branch can hold", () => {
  const branches = '{"$or": [{"x": [1]}, {"y": [1]}]}';
  const keys = Array.from({ length: 5 }, (_, index) => `"k${index}": ${branches}`);
  expect(comparisons(`{${keys.join(",")}}`, { k0: { x: 2, y: 2 } })).toBeLessThanOrEqual(4);
});

describe("rules that nearly match, each by other branches", () => {
  const RULES = 40;
  const ELEMENTS = 300;
  const list = Array.from({ length: ELEMENTS }, (_, at) => ({ x: at, y: at }));
  /** Both are found, and never in one element. */
  const nearly = (at: number) => `{"x": [${at % ELEMENTS}], "y": [${(at + 1) % ELEMENTS}]}`;
  const inOne = (at: number) => `{"x": [${at % ELEMENTS}], "y": [${at % ELEMENTS}]}`;
  const choice = (count: number, at: number, branch: (at: number) => string) =>
    `{"$or": [${Array.from({ length: count }, (_, turn) => branch(at * 7 + turn)).join(", ")}]}`;

  /** How often the index looks at a test, for each rule. */
  function looks(event: Json, patternAt: (at: number) => string): number {
    const rules = Array.from({ length: RULES }, (_, at) => counted(patternOf(patternAt(at))));
    const set = compileRules(rules.map(({ pattern }, at) => ({ id: `${at}`, pattern })));
    const before = rules.reduce((sum, { count }) => sum + count(), 0);
    expect(set.match(event)).toEqual([]);
    return (rules.reduce((sum, { count }) => sum + count(), 0) - before) / RULES;
  }

  test.each<[string, Json, (at: number) => string]>([
    ["in an array", { list }, (at) => `{"list": ${choice(32, at, nearly)}}`],
    ["above it", { list }, (at) => choice(32, at, (turn) => `{"list": ${nearly(turn)}}`)],
    [
      "in three arrays",
      { a: list, b: list, c: list },
      (at) =>
        `{"a": ${choice(3, at, inOne)}, "b": ${choice(3, at, inOne)}, "c": ${choice(3, at, nearly)}}`,
    ],
  ])("a choice %s of 300 costs no look at each element", (_, event, patternAt) => {
    expect(looks(event, patternAt)).toBeLessThan(100);
  });
});

describe("a wildcard built to blow up", () => {
  test("looks through the text once per star", () => {
    const search = vi.spyOn(String.prototype, "indexOf");
    const wildcard = `${"*a".repeat(30)}*b*c`;
    const event: Json = { a: `${"a".repeat(100_000)}c` };
    const pattern = patternOf(`{"a": [{"wildcard": "${wildcard}"}]}`);
    search.mockClear();
    expect(matchesPattern(pattern, event)).toBe(false);
    // The matcher asks twice: whether the field can hold alone, and whether all hold together.
    expect(search.mock.calls.length).toBeLessThanOrEqual(2 * 32);
    search.mockRestore();
  });

  test("ends on a text of a million characters, whatever the case", () => {
    const wildcard = `{"equals-ignore-case": "${"*aaaaaaaaaab".repeat(30)}*"}`;
    const event = JSON.stringify({ a: "a".repeat(1_000_000) });
    expect(matches(`{"a": [{"wildcard": ${wildcard}}]}`, event)).toBe(false);
  });
});

test("numbers of a million digits are compared", () => {
  const digits = "1".repeat(1_000_000);
  expect(matches('{"a": [{"numeric": [">", 1e999]}]}', `{"a": ${digits}}`)).toBe(true);
  expect(matches('{"a": [{"numeric": [">", 1e999]}]}', `{"a": 0.${digits}}`)).toBe(false);
});
