/** JSON reading and writing: against JSON.parse where it is right, beyond it where it is not. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareNumbers,
  DOCUMENT_DEPTH_MAX,
  ExactNumber,
  formatPointer,
  JSON_DEPTH_MAX,
  type Json,
  parseJson,
  parseJsonDocument,
  parsePointer,
  resolvePointer,
  sliceArrayElements,
  stringifyJson,
} from "../../src/core/json.ts";

const DEEP = { depthMax: 100 };

function read(text: string): Json {
  const parsed = parseJson(text, DEEP);
  if (!parsed.ok) throw new Error(`${parsed.reason} at ${parsed.offset}: ${text}`);
  return parsed.value;
}

describe("parseJson", () => {
  test("reads what JSON.parse reads, on both of its ways", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(read(text)).toEqual(JSON.parse(text));
        // The exact number makes the own parser read the rest as well.
        expect(read(`[${text}, 1e400]`)).toMatchObject([JSON.parse(text), { text: "1e400" }]);
      }),
    );
  });

  test("refuses what JSON.parse refuses, on both of its ways", () => {
    const piece = fc.constantFrom(
      ...'{ } [ ] , : " \\ \\u0 - . 0 1 e5 t true null \n \t a'.split(" "),
    );
    const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(text, (broken) => {
        const expected = accepts(() => JSON.parse(broken));
        expect(parseJson(broken, DEEP).ok).toBe(expected);
        expect(parseJsonDocument(broken).ok).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["", 0],
    ["{", 1],
    ['{"a":1,}', 7],
    ["[1 2]", 3],
    ["[01]", 2],
    ["NaN", 0],
    ['"\u0007"', 1],
    ['"\\x"', 1],
    ['"abc', 4],
    ["[1] []", 4],
    ["{'a':1}", 1],
    ["\ufeff{}", 0],
  ])("refuses %j and says where", (text, offset) => {
    expect(parseJson(text, DEEP)).toEqual({ ok: false, reason: "syntax", offset });
  });

  test("refuses nesting above the limit before it reads anything", () => {
    const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    expect(parseJson(nested(100), DEEP).ok).toBe(true);
    expect(parseJson(nested(101), DEEP)).toEqual({ ok: false, reason: "too-deep", offset: 100 });
    expect(parseJson(`${nested(101)} 1e400`, DEEP)).toMatchObject({ reason: "too-deep" });
    expect(parseJson('{"a":'.repeat(1_000_000), DEEP)).toMatchObject({ reason: "too-deep" });
  });

  test("refuses a million levels also from a caller that allows them", () => {
    const text = "[".repeat(1_000_000) + "]".repeat(1_000_000);
    const parsed = parseJson(text, { depthMax: Number.POSITIVE_INFINITY });
    expect(parsed).toEqual({ ok: false, reason: "too-deep", offset: JSON_DEPTH_MAX });
  });

  test("does not count brackets inside strings", () => {
    expect(read('["[[[\\"[[[", "\\\\", "]"]')).toEqual(['[[["[[[', "\\", "]"]);
  });

  test.each(["", ", 1e400"])("keeps __proto__ and constructor as plain keys (…%s)", (rest) => {
    const [value] = read(`[{"__proto__": {"polluted": 1}, "constructor": 2}${rest}]`) as [object];
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect("polluted" in value).toBe(false);
  });

  test.each(["", ", 1e400"])("lets the last of two equal keys win (…%s)", (rest) => {
    expect(resolvePointer(read(`[{"a": 1, "a": 2}${rest}]`), "/0/a")).toBe(2);
  });
});

describe("numbers", () => {
  test.each([
    "9007199254740993",
    "1e400",
    "-1E+400",
    "0.1000000000000000055",
    "1e-400",
    "-0.1e-999",
  ])("keeps %s exactly, as an array element and after a round trip", (literal) => {
    const value = read(literal);
    expect(value).toBeInstanceOf(ExactNumber);
    expect(stringifyJson([value, "x", { a: value }])).toBe(`[${literal},"x",{"a":${literal}}]`);
  });

  test.each([
    "0.1",
    "1e23",
    "9007199254740992.0",
    "5e-324",
    "1.7976931348623157e308",
    "0e999",
    "-0.0",
  ])("reads %s as an ordinary number, because its shortest form has the same value", (literal) => {
    expect(read(literal)).toBe(Number(literal));
  });

  test("keep their value wherever they stand and whatever stands around them", () => {
    const digits = fc.stringMatching(/^[0-9]{1,40}$/);
    const literal = fc
      .tuple(fc.constantFrom("", "-"), digits, fc.option(digits), fc.constantFrom("", "e5", "E-30"))
      .map(([sign, whole, fraction, power]) => {
        const integer = whole.replace(/^0+(?=\d)/, "");
        return `${sign}${integer}${fraction === null ? "" : `.${fraction}`}${power}`;
      });
    const text = fc.stringMatching(/^[0-9.eE a:,[{-]{0,40}$/).map((inner) => JSON.stringify(inner));
    const space = fc.constantFrom("", " ", "\n", "\t");
    const member = fc
      .tuple(text, space, fc.oneof(literal, text), space)
      .map(([key, before, value, after]) => `${key}:${before}${value}${after}`);
    const document = fc.oneof(
      literal,
      fc.array(fc.oneof(literal, text), { maxLength: 5 }).map((all) => `[${all.join(",")}]`),
      fc.array(member, { maxLength: 5 }).map((all) => `{${all.join(",")}}`),
    );
    fc.assert(
      fc.property(document, (json) => {
        const exact = parseJsonDocument(json);
        if (!exact.ok) throw new Error(`no JSON: ${json}`);
        expect(read(json)).toEqual(exact.value);
      }),
      { numRuns: 2_000 },
    );
  });

  test("do not turn into a JSON object for anyone who asks", () => {
    expect(resolvePointer(read("1e400"), "/text")).toBeUndefined();
    expect(JSON.stringify(read("[1e400]"))).toBe('["1e400"]');
  });

  test("compare by exact decimal value", () => {
    const literal = fc
      .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: -2, max: 2 }))
      .map(([mantissa, exponent]) => ({
        text: `${mantissa}e${exponent}`,
        scaled: mantissa * 10n ** BigInt(exponent + 2),
      }));
    fc.assert(
      fc.property(literal, literal, (left, right) => {
        const order = compareNumbers(readNumber(left.text), readNumber(right.text));
        const expected = left.scaled < right.scaled ? -1 : left.scaled > right.scaled ? 1 : 0;
        expect(Math.sign(order)).toBe(expected);
      }),
    );
  });

  test.each([
    ["1e400", "10e399"],
    ["1e400", "0.00001e405"],
    ["9007199254740993", "9007199254740993.000"],
    ["0.000e400", "-0"],
    ["-99999999999999999981e1", "-999999999999999999810"],
  ])("%s equals %s", (left, right) => {
    expect(compareNumbers(readNumber(left), readNumber(right))).toBe(0);
  });

  test.each([
    ["9007199254740992", "9007199254740993"],
    ["9007199254740993", "9007199254740993.5"],
    ["1e400", "2e400"],
    ["-2e400", "-1e400"],
    ["-1e400", "1e-400"],
    ["0", "1e-400"],
    ["-1e-400", "0"],
    ["9e399", "1e400"],
  ])("%s is less than %s, and not the other way round", (less, more) => {
    expect(compareNumbers(readNumber(less), readNumber(more))).toBeLessThan(0);
    expect(compareNumbers(readNumber(more), readNumber(less))).toBeGreaterThan(0);
  });

  test("with an exponent of a million digits are still compared", () => {
    const huge = readNumber(`1e${"9".repeat(1_000_000)}`);
    expect(compareNumbers(huge, Number.MAX_VALUE)).toBeGreaterThan(0);
  });

  function readNumber(text: string): number | ExactNumber {
    const value = read(text);
    if (typeof value !== "number" && !(value instanceof ExactNumber)) throw new Error(text);
    return value;
  }
});

describe("parseJsonDocument", () => {
  test("names every duplicate key by its pointer", () => {
    const text = '{"a": {"x/y": 1, "x/y": 2}, "b": [{"k": 1, "k": 2}], "a": 3}';
    expect(parseJsonDocument(text)).toEqual({
      ok: true,
      value: { a: 3, b: [{ k: 2 }] },
      duplicates: ["/a/x~1y", "/b/0/k", "/a"],
    });
  });

  test("does not take equal keys of different objects for duplicates", () => {
    expect(parseJsonDocument('[{"a": 1}, {"a": {"a": 1}}]')).toMatchObject({ duplicates: [] });
  });

  test.each([
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3, '"," or "}"'],
    ['{"a" 1}', 1, 6, '":" after the key'],
    ["{a: 1}", 1, 2, "a key in double quotes"],
    ["[1, ]", 1, 5, "a value"],
    ['["a\nb"]', 1, 4, "an escaped control character"],
    ['["abc]', 1, 7, "a closing double quote"],
    ['{"a": 1} {"b": 2}', 1, 10, "the end of the text"],
  ])("refuses %j at line %i, column %i: %s was expected", (text, line, column, expected) => {
    expect(parseJsonDocument(text)).toMatchObject({ ok: false, line, column, expected });
  });

  test("refuses a million levels without an overflow", () => {
    const refused = parseJsonDocument('{"a":'.repeat(1_000_000));
    expect(refused).toMatchObject({ reason: "too-deep", offset: 5 * DOCUMENT_DEPTH_MAX });
  });
});

describe("stringifyJson", () => {
  test("writes what JSON.stringify writes when no number is exact", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = read(JSON.stringify(value));
        expect(stringifyJson(json)).toBe(JSON.stringify(json));
        const beside = stringifyJson([json, read("1e400")]);
        expect(beside).toBe(`[${JSON.stringify(json)},1e400]`);
      }),
    );
  });
});

describe("sliceArrayElements", () => {
  test("gives every element its original text", () => {
    const element = fc.oneof(
      fc.json(),
      fc.constantFrom('"]"', '"\\","', "{ }", "[ [1] , 2 ]", "1.50"),
    );
    const space = fc.constantFrom("", " ", "\n\t");
    fc.assert(
      fc.property(fc.array(element), space, (elements, gap) => {
        const text = `${gap}[${gap}${elements.join(`${gap},${gap}`)}${gap}]${gap}`;
        const slices = sliceArrayElements(text)?.map(({ start, end }) => text.slice(start, end));
        expect(slices).toEqual(elements.map((one) => one.trim()));
      }),
    );
  });

  test.each(["{}", "1", "", "[1", "[,1]", "[1, [2}"])("refuses %j, which is no array", (text) => {
    expect(sliceArrayElements(text)).toBeUndefined();
  });
});

describe("JSON Pointer", () => {
  // The document and the pointers of RFC 6901 section 5.
  const document = read(
    '{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\\\j":5,"k\\"l":6," ":7,"m~n":8}',
  );

  test.each([
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
  ])("finds %s", (pointer, value) => {
    expect(resolvePointer(document, pointer)).toBe(value);
    expect(formatPointer(parsePointer(pointer) ?? [])).toBe(pointer);
  });

  test.each([
    "foo",
    "/foo/2",
    "/foo/00",
    "/foo/-",
    "/foo/length",
    "/constructor",
    "/__proto__",
    "/a~b",
    "/m~2n",
  ])("finds nothing at %s", (pointer) => {
    expect(resolvePointer(document, pointer)).toBeUndefined();
  });

  test("finds the whole value at the empty pointer", () => {
    expect(resolvePointer(document, "")).toBe(document);
  });
});

function accepts(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
