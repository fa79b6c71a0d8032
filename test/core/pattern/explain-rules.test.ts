/** All rules beside one event: which come first, and what is left out. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/core/json.ts";
import { explainRule, nearestFirst } from "../../../src/core/pattern/explain-rules.ts";
import { matchesPattern, parsePattern } from "../../../src/core/pattern/index.ts";

function rulesOf(patterns: Readonly<Record<string, Json>>) {
  return Object.entries(patterns).map(([id, json]) => {
    const parsed = parsePattern(json);
    if (!parsed.ok) throw new Error(`The pattern of ${id} cannot be parsed.`);
    return { id, pattern: parsed.pattern };
  });
}

const explained = (patterns: Readonly<Record<string, Json>>, event: Json) =>
  rulesOf(patterns).map(({ id, pattern }) => explainRule(id, pattern, event));

const ids = (patterns: Readonly<Record<string, Json>>, event: Json, count = 100) =>
  nearestFirst(explained(patterns, event), count).map(({ id }) => id);

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

  const value = fc.integer({ min: 0, max: 2 });
  const event = fc.dictionary(fc.constantFrom("a", "b", "c"), value, { minKeys: 1 });
  const patterns = fc
    .array(event, { maxLength: 8 })
    .map((wanted) =>
      Object.fromEntries(
        wanted.map((fields, at) => [
          `rule-${at}`,
          Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, [each]])),
        ]),
      ),
    );

  it("are without fault exactly when they match", () => {
    fc.assert(
      fc.property(patterns, event, (wanted, came) => {
        const matched = rulesOf(wanted).filter(({ pattern }) => matchesPattern(pattern, came));
        const faultless = nearestFirst(explained(wanted, came), 8).filter((it) => it.faults === 0);
        expect(faultless.map(({ id }) => id)).toEqual(matched.map(({ id }) => id));
      }),
    );
  });

  it("are the same whether all are ranked at once or part by part", () => {
    const split = fc.nat({ max: 8 });
    fc.assert(
      fc.property(patterns, event, split, fc.nat({ max: 8 }), (wanted, came, at, count) => {
        const all = explained(wanted, came);
        const first = nearestFirst(all.slice(0, at), count);
        expect(nearestFirst([...first, ...all.slice(at)], count)).toEqual(nearestFirst(all, count));
      }),
    );
  });
});
