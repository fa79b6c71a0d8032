/** Explanations: the verdict of every field, and the near misses that cost people hours. */
import { describe, expect, test } from "vitest";
import { explainPattern } from "../../../src/core/pattern/explain.ts";
import { eventOf, patternOf } from "./support.ts";

function explain(pattern: string, event: string) {
  return explainPattern(patternOf(pattern), eventOf(event));
}

function reason(pattern: string, event: string): string | undefined {
  return explain(pattern, event).find(({ ok }) => !ok)?.reason;
}

test("there is one verdict for each field, fitting or not", () => {
  const pattern =
    '{"type": ["paid", "sent"], "data": {"amount": [{"numeric": [">", 100]}], "note": [{"exists": false}]}}';
  expect(explain(pattern, '{"type": "sent", "data": {"amount": 20}}')).toEqual([
    {
      path: "/type",
      operator: "exact",
      expected: "sent",
      actual: "sent",
      ok: true,
      reason: 'the string "sent" fits',
    },
    {
      path: "/data/amount",
      operator: "numeric",
      expected: [">", 100],
      actual: 20,
      ok: false,
      reason: '20 is not in the range [">",100]',
    },
    {
      path: "/data/note",
      operator: "exists",
      expected: false,
      ok: true,
      reason: "no value stands here, and none is needed",
    },
  ]);
});

describe("a near miss is named:", () => {
  test.each([
    ["[100]", '"100"', '"100" is a string, the pattern wants the number 100'],
    ['["100"]', "100", '100 is a number, the pattern wants the string "100"'],
    ["[true]", '"true"', '"true" is a string, the pattern wants true'],
    ['["null"]', "null", 'null is the literal null, the pattern wants the string "null"'],
    [
      '["abc"]',
      '"ABC"',
      '"ABC" differs from "abc" only in case; {"equals-ignore-case": "abc"} would fit',
    ],
    ['["abc"]', '"abc "', '"abc " differs from "abc" only in the space around it'],
    ['["é"]', '"e\\u0301"', '"e\u0301" differs from "é" only in its Unicode normal form'],
    [
      '["::1"]',
      '"0::1"',
      '"0::1" differs from "::1" only in how the address is written; "cidr" would fit',
    ],
    ['[{"numeric": ["<", 5]}]', '"3"', '"3" is a string, and "numeric" compares numbers only'],
    [
      '[{"prefix": "ab"}]',
      '"ABC"',
      '"ABC" differs from "ab" only in case; {"prefix":{"equals-ignore-case":"ab"}} would fit',
    ],
    [
      '[{"wildcard": "a*c"}]',
      '"ABC"',
      '"ABC" differs from "a*c" only in case; {"wildcard":{"equals-ignore-case":"a*c"}} would fit',
    ],
    [
      '["x", 5, {"prefix": "y"}]',
      '["q", "5"]',
      'none of 3 candidates fits; nearest: "5" is a string, the pattern wants the number 5',
    ],
  ])("%s meets %s", (leaf, value, expected) => {
    expect(reason(`{"a": ${leaf}}`, `{"a": ${value}}`)).toBe(expected);
  });
});

describe("a plain miss is described:", () => {
  test.each([
    ["[5]", "6", "6 is not 5"],
    ['["x"]', '"y"', '"y" is not "x"'],
    ['[{"suffix": "x"}]', '"y"', '"y" does not end with "x"'],
    ['[{"equals-ignore-case": "x"}]', '"y"', '"y" does not equal, whatever the case, "x"'],
    [
      '[{"prefix": {"equals-ignore-case": "x"}}]',
      '"y"',
      '"y" does not start with {"equals-ignore-case":"x"}',
    ],
    ['[{"numeric": ["=", 1]}]', "2", '2 is not in the range ["=",1]'],
    [
      '[{"cidr": "10.0.0.0/8"}]',
      '"11.0.0.1"',
      '"11.0.0.1" is an IPv4 address outside "10.0.0.0/8"',
    ],
    ['[{"cidr": "10.0.0.0/8"}]', '"here"', '"here" is no IP address in a form that patterns read'],
    ['[{"anything-but": "x"}]', '"x"', '"x" is what {"anything-but":"x"} excludes'],
    ['[{"exists": false}]', "null", "null stands here, but none may"],
  ])("%s meets %s", (leaf, value, expected) => {
    expect(reason(`{"a": ${leaf}}`, `{"a": ${value}}`)).toBe(expected);
  });
});

describe("a missing value is traced:", () => {
  test.each([
    ['{"b": 1}', 'the event has no "data"'],
    ['{"Data": {}}', 'the event has no "data", but "Data": names are compared with their case'],
    ['{"data": {"b": 1}}', '/data has no "a"'],
    ['{"data": "text"}', "/data holds no object, so nothing stands below it"],
    ['{"data": [1, 2]}', "/data holds no object, so nothing stands below it"],
    ['{"data": [{"b": 1}]}', '/data has no "a"'],
    [
      '{"data": {"a": {"b": 1}}}',
      "an object stands here; patterns compare single values, so name a field inside it",
    ],
    ['{"data": {"a": []}}', "the array here holds no single value to compare"],
    ["5", "the event holds no object, so nothing stands below it"],
  ])("in %s", (event, expected) => {
    const [verdict] = explain('{"data": {"a": ["x"]}}', event);
    expect(verdict?.reason).toBe(expected);
    expect(verdict && "actual" in verdict).toBe(false);
  });
});

describe("in an array", () => {
  test("the element in which most fields hold is used and named", () => {
    const pattern = '{"items": {"sku": ["A"], "count": [1], "free": [false]}}';
    const event = '{"items": [{"sku": "B", "count": 1}, {"sku": "A", "count": 2, "free": false}]}';
    expect(explain(pattern, event).map(({ ok, reason: why }) => [ok, why])).toEqual([
      [true, 'the string "A" fits in element 1 of /items'],
      [
        false,
        "2 is not 1 in element 1 of /items; a value that fits stands in an array element that the other fields do not fit",
      ],
      [true, "false fits in element 1 of /items"],
    ]);
  });

  test("an absence that fails shows the value that is there", () => {
    const pattern = '{"items": {"sku": ["A"], "off": [{"exists": false}]}}';
    expect(reason(pattern, '{"items": [{"sku": "A", "off": 5}]}')).toBe(
      "the number 5 stands here in element 0 of /items, but none may",
    );
    expect(reason('{"items": {"off": [{"exists": false}]}}', '{"items": [{"off": 5}]}')).toBe(
      "the number 5 stands here, but none may",
    );
  });
});

describe("of a choice", () => {
  const pattern = '{"$or": [{"a": [1], "b": [1]}, {"c": [1], "d": [1], "e": [1]}, {"f": [1]}]}';

  test("the branch with the fewest faults is explained", () => {
    const paths = explain(pattern, '{"c": 1, "d": 1}').map(({ path, ok }) => `${path} ${ok}`);
    expect(paths).toEqual(["/c true", "/d true", "/e false"]);
  });

  test("a branch that holds is explained, whatever the others miss", () => {
    expect(explain(pattern, '{"a": 1, "f": 1}')).toMatchObject([{ path: "/f", ok: true }]);
  });
});
