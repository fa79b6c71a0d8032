/** What decides a match where fields, arrays, absences and choices meet. */
import { describe, expect, test } from "vitest";
import { compileRules, matchesPattern } from "../../../src/core/pattern/index.ts";
import { eventOf, matches, patternOf } from "./support.ts";

describe("fields of an array of objects", () => {
  const both = '{"items": {"sku": ["A"], "count": [1]}}';

  test.each([
    '{"items": [{"sku": "B", "count": 1}, {"sku": "A", "count": 1}]}',
    '{"items": [{"sku": ["B", "A"], "count": [2, 1]}]}',
    '{"items": [[{"sku": "A", "count": 1}]]}',
  ])("hold together in one element of %s", (event) => {
    expect(matches(both, event)).toBe(true);
  });

  test.each([
    '{"items": [{"sku": "A", "count": 2}, {"sku": "B", "count": 1}]}',
    '{"items": [[{"sku": "A"}], [{"count": 1}]]}',
    '{"items": [{"sku": "A"}, {"count": 1}]}',
  ])("do not add up over the elements of %s", (event) => {
    expect(matches(both, event)).toBe(false);
  });

  test("add up over sibling arrays, which share no element", () => {
    const pattern = '{"a": {"k": ["x"]}, "b": {"k": ["x"]}}';
    expect(matches(pattern, '{"a": [{"k": "y"}, {"k": "x"}], "b": [{"k": "x"}]}')).toBe(true);
  });

  test("do not add up over inner arrays of different elements", () => {
    const pattern = '{"a": {"b": {"k": ["x"]}, "c": {"k": ["x"]}}}';
    expect(matches(pattern, '{"a": [{"b": [{"k": "x"}]}, {"c": [{"k": "x"}]}]}')).toBe(false);
    expect(matches(pattern, '{"a": [{"b": [{"k": "x"}], "c": [{"k": "x"}]}]}')).toBe(true);
  });
});

describe("an absence", () => {
  test.each([
    ['{"d": {"b": ["x"], "c": [{"exists": false}]}}', '{"d": [{"c": 1}, {"b": "x"}]}'],
    ['{"d": {"a": [{"exists": false}], "b": ["x"]}}', '{"d": [{"a": 1}, {"b": "x"}]}'],
  ])("%s is decided for the element that the other fields choose", (pattern, event) => {
    expect(matches(pattern, event)).toBe(true);
  });

  test("is refused when that element has a value, even one that would not fit", () => {
    const pattern = '{"d": {"a": ["y", {"exists": false}], "b": ["x"]}}';
    expect(matches(pattern, '{"d": [{"a": "z", "b": "x"}, {"b": "n"}]}')).toBe(false);
  });

  test("is refused when nothing chooses an element and any of them has a value", () => {
    expect(matches('{"d": {"a": [{"exists": false}]}}', '{"d": [{"b": 1}, {"a": 1}]}')).toBe(false);
  });

  test("is refused when an inner array, of which nothing is chosen, has a value anywhere", () => {
    const pattern = '{"d": {"k": ["x"], "e": {"a": [{"exists": false}]}}}';
    expect(matches(pattern, '{"d": [{"k": "x", "e": [{"b": 1}, {"a": 1}]}]}')).toBe(false);
    expect(matches(pattern, '{"d": [{"k": "x", "e": [{"b": 1}]}, {"e": [{"a": 1}]}]}')).toBe(true);
  });
});

describe("a path", () => {
  test.each([
    ['{"a": {"b": ["x"]}}', '{"a.b": "x"}'],
    ['{"a.b": ["x"]}', '{"a": {"b": "x"}}'],
    ['{"a": {"b": ["x"], "c": ["y"]}}', '{"a.b": "x", "a": {"c": "y"}}'],
    ['{"a": {"b": ["x"]}}', '{"a.b": "y", "a": {"b": "x"}}'],
    ['{"a": {"": ["x"]}}', '{"a": {"": "x"}}'],
    ['{"a": [1], "a.b": ["k"]}', '{"a.b": "k", "a": [[1, {"b": 5}]]}'],
    ['{"__proto__": {"toString": ["x"]}}', '{"__proto__": {"toString": "x"}}'],
  ])("%s leads to the value in %s", (pattern, event) => {
    expect(matches(pattern, event)).toBe(true);
  });

  test.each([
    ['{"constructor": [{"exists": true}]}', "{}"],
    ['{"__proto__": {"toString": [{"exists": true}]}}', "{}"],
    ['{"a": {"length": [{"exists": true}]}}', '{"a": ["x"]}'],
    ['{"a": {"0": ["x"]}}', '{"a": ["x"]}'],
    ['{"a": {"length": [{"exists": true}]}}', '{"a": "text"}'],
  ])("%s finds nothing that %s merely inherits", (pattern, event) => {
    expect(matches(pattern, event)).toBe(false);
  });

  test("spelled twice into arrays of objects makes them count as one array", () => {
    const pattern = '{"a": {"b": {"c": [1], "d": [2]}}}';
    expect(matches(pattern, '{"a.b": [{"c": 1, "d": 0}], "a": {"b": [{"d": 2}]}}')).toBe(false);
    expect(matches(pattern, '{"a.b": [{"c": 1}], "a": {"b": [{"c": 1, "d": 2}]}}')).toBe(true);
  });
});

describe("a choice", () => {
  test("holds with any branch, together with what stands beside it in one element", () => {
    const pattern = '{"d": {"k": ["x"], "$or": [{"a": [1]}, {"b": [2]}]}}';
    expect(matches(pattern, '{"d": [{"k": "x", "b": 2}]}')).toBe(true);
    expect(matches(pattern, '{"d": [{"k": "x"}, {"b": 2}]}')).toBe(false);
  });

  test("of several at different levels combines every branch with every other", () => {
    const pattern = '{"$or": [{"a": [1]}, {"b": [1]}], "d": {"$or": [{"e": [1]}, {"f": [1]}]}}';
    expect(matches(pattern, '{"b": 1, "d": {"f": 1}}')).toBe(true);
    expect(matches(pattern, '{"b": 1, "d": {"g": 1}}')).toBe(false);
    expect(matches(pattern, '{"d": {"e": 1, "f": 1}}')).toBe(false);
  });
});

test.each(["null", "1", '"x"', "[]", '[{"a": "x"}]'])("%s, no object, matches nothing", (event) => {
  const pattern = patternOf('{"a": [{"exists": false}]}');
  expect(matchesPattern(pattern, eventOf(event))).toBe(false);
  expect(compileRules([{ id: "rule", pattern }]).match(eventOf(event))).toEqual([]);
});
