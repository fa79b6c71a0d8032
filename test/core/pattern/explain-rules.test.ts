/** All rules beside one event: which come first, and what is left out. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/core/json.ts";
import { explainRules, matchesPattern, parsePattern } from "../../../src/core/pattern/index.ts";

function rulesOf(patterns: Readonly<Record<string, Json>>) {
  return Object.entries(patterns).map(([id, json]) => {
    const parsed = parsePattern(json);
    if (!parsed.ok) throw new Error(`The pattern of ${id} cannot be parsed.`);
    return { id, pattern: parsed.pattern };
  });
}

const ids = (patterns: Readonly<Record<string, Json>>, event: Json, count = 100) =>
  explainRules(rulesOf(patterns), event, count).map(({ id }) => id);

describe("rules beside an event", () => {
  it("come as they were given when they match, however many fields they have", () => {
    expect(
      ids({ one: { a: [1] }, two: { a: [1], b: [2] }, all: { b: [2] } }, { a: 1, b: 2 }),
    ).toEqual(["one", "two", "all"]);
  });

  it("that miss by one field come before those that miss by two, and the longer ones first", () => {
    const patterns = { two: { a: [0], b: [0] }, one: { a: [0] }, most: { a: [1], b: [2], c: [0] } };
    expect(ids({ ...patterns, hit: { a: [1] } }, { a: 1, b: 2, c: 3 })).toEqual([
      ...["hit", "most", "one", "two"],
    ]);
  });

  it("beyond the number that is wished are left out, the furthest first", () => {
    expect(ids({ far: { a: [0], b: [0] }, near: { a: [0] } }, { a: 1, b: 1 }, 1)).toEqual(["near"]);
  });

  it("are called matched exactly when they match", () => {
    const value = fc.integer({ min: 0, max: 2 });
    const record = fc.dictionary(fc.constantFrom("a", "b", "c"), value, { minKeys: 1 });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), record, (wanted, event) => {
        const rules = rulesOf(
          Object.fromEntries(
            wanted.map((fields, at) => [
              `rule-${at}`,
              Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, [each]])),
            ]),
          ),
        );
        const explained = explainRules(rules, { ...event }, rules.length);
        const matched = rules.filter(({ pattern }) => matchesPattern(pattern, { ...event }));
        expect(explained).toHaveLength(rules.length);
        expect(explained.filter(({ matched: it }) => it).map(({ id }) => id)).toEqual(
          matched.map(({ id }) => id),
        );
      }),
    );
  });
});
