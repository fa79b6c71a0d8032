/** Reading only what is named: beside JSON.parse, of whose value the rest is taken away afterwards. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isJsonArray,
  isJsonObject,
  type Json,
  joinNames,
  type Names,
  namesOfPointers,
  parseJson,
  parseNamedJson,
} from "../../src/core/json.ts";

const DEEP = { depthMax: 64 };

function read(text: string, ...pointers: string[]): Json {
  const parsed = parseNamedJson(text, namesOfPointers(pointers), DEEP);
  if (!parsed.ok) throw new Error(`${parsed.reason} at ${parsed.offset}: ${text}`);
  return parsed.value;
}

/** What is left of a value when only the named is looked at. */
function namedOf(value: Json, names: Names): Json {
  if (names.whole) return value;
  if (isJsonArray(value)) return value.map((element) => namedOf(element, names));
  if (!isJsonObject(value)) return value;
  const kept = Object.keys(value).flatMap((key): [string, Json][] => {
    const steps = key.split(".");
    const found = steps.reduce<Names | undefined>((at, step) => at?.next.get(step), names);
    const member = value[key];
    return found && member !== undefined ? [[key, namedOf(member, found)]] : [];
  });
  return Object.fromEntries(kept);
}

const key = fc.constantFrom("a", "b", "ab", "a.b", "", "__proto__", "constructor", "ü", 'q"', "0");
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
    ),
    fc.constantFrom(null, true, false, -0, 1e21, 5e-324, ""),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((members) => new Map(members)),
  ),
}));
/** Members in the order and number given, spaces and escapes as they come. */
const text = fc
  .tuple(value, fc.infiniteStream(fc.constantFrom("", "", "", " ", "\n\t", "\r")))
  .map(([made, spaces]) => write(made, () => spaces.next().value ?? ""));

function write(made: unknown, space: () => string): string {
  const list = (items: readonly string[]) => items.join(`${space()},${space()}`);
  const written =
    made instanceof Map
      ? `{${space()}${list([...made].map(([name, inner]) => `${quoted(name)}${space()}:${write(inner, space)}`))}${space()}}`
      : Array.isArray(made)
        ? `[${space()}${list(made.map((inner) => write(inner, space)))}]`
        : typeof made === "string"
          ? quoted(made)
          : String(Object.is(made, -0) ? "-0" : made);
  return `${space()}${written}${space()}`;
}

/** Some letters are escaped that need not be. */
const quoted = (plain: string): string => JSON.stringify(plain).replace(/a/, "\\u0061");

const pointers = fc.array(
  fc
    .array(fc.constantFrom("a", "b", "ab", "", "__proto__", "constructor", "ü", 'q"'), {
      minLength: 1,
      maxLength: 3,
    })
    .map((steps) => `/${steps.join("/")}`),
  { maxLength: 4 },
);

describe("parseNamedJson", () => {
  test("finds what JSON.parse finds, wherever names lead", () => {
    fc.assert(
      fc.property(text, pointers, (written, places) => {
        const names = namesOfPointers(places);
        expect(parseNamedJson(written, names, DEEP)).toEqual({
          ok: true,
          value: namedOf(JSON.parse(written), names),
        });
      }),
      { numRuns: 2_000 },
    );
  });

  test("refuses what JSON.parse refuses, named or not", () => {
    const piece = fc.constantFrom(
      ...'{ } [ ] , : " \\ \\u0 - . 0 1 e5 t true null "a" "a":1 \n \t a \u0001'.split(" "),
    );
    const broken = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(broken, pointers, (written, places) => {
        const expected = parseJson(written, DEEP);
        const found = parseNamedJson(written, namesOfPointers(places), DEEP);
        expect(found.ok).toBe(expected.ok);
        if (!expected.ok) expect(found).toEqual(expected);
      }),
      { numRuns: 5_000 },
    );
  });

  test("refuses every text that is cut off", () => {
    const whole = '{"a":[1.5e3,"x\\u0061\\n",true,{"b":null}],"c":{"d":[false,-0.25]}}';
    for (let length = 0; length < whole.length; length += 1) {
      for (const pointer of ["/a", "/c/d", "/z"]) {
        const names = namesOfPointers([pointer]);
        expect(parseNamedJson(whole.slice(0, length), names, DEEP).ok).toBe(false);
      }
    }
  });

  test("refuses nesting above the limit where nobody looks as well, and says where", () => {
    const nested = (levels: number) => `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    for (const pointer of ["/a", "/a/b", "/z"]) {
      const names = namesOfPointers([pointer]);
      expect(parseNamedJson(nested(63), names, DEEP).ok).toBe(true);
      const refused = { ok: false, reason: "too-deep", offset: 68 };
      expect(parseNamedJson(nested(64), names, DEEP)).toEqual(refused);
    }
  });

  test("leaves out what nobody names, and reads no more of it than its end", () => {
    const written = '{"a":{"x":1,"y":2},"b":[{"x":3,"z":"}"},4],"c":{"x":5}}';
    expect(read(written, "/a/x", "/b/x")).toEqual({ a: { x: 1 }, b: [{ x: 3 }, 4] });
    expect(read(written)).toEqual({});
  });

  test("takes the last of several values under one key", () => {
    expect(read('{"a":{"x":1},"a":{"y":2}}', "/a/x", "/a/y")).toEqual({ a: { y: 2 } });
    expect(read('{"\\u0061":1,"a":2}', "/a")).toEqual({ a: 2 });
  });

  test("goes through a key with dots as through levels", () => {
    expect(read('{"a.b":1,"a":{"b":2,"c":3},"a.c":4}', "/a/b")).toEqual({ "a.b": 1, a: { b: 2 } });
    expect(read('{"a.b":1}', "/a.b")).toEqual({ "a.b": 1 });
  });

  test("reads all that stands around an index, which may be a key as well", () => {
    const written = '{"a":[{"b":[1]},{"c":2}],"d":{"0":{"e":1e400},"f":[]},"g":1}';
    expect(read(written, "/a/0/b", "/d/0/e")).toMatchObject({
      a: [{ b: [1] }, { c: 2 }],
      d: { "0": { e: { text: "1e400" } }, f: [] },
    });
  });

  test("reads every number by its exact value", () => {
    const digits = fc.stringMatching(/^(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/);
    fc.assert(
      fc.property(digits, fc.boolean(), (number, isNegative) => {
        const literal = `${isNegative ? "-" : ""}${number}`;
        expect(read(`{"a":${literal}}`, "/a")).toEqual({ a: parseJsonOf(literal) });
      }),
      { numRuns: 3_000 },
    );
  });

  test("keeps a key called __proto__ a key", () => {
    const kept = read('{"__proto__":{"a":1}}', "/__proto__/a");
    expect(Object.keys(kept as object)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(kept)).toBe(Object.prototype);
  });
});

test("joined names lead wherever either did", () => {
  fc.assert(
    fc.property(text, pointers, pointers, (written, many, few) => {
      const joined = joinNames(namesOfPointers(many), namesOfPointers(few));
      const both = namesOfPointers([...many, ...few]);
      expect(parseNamedJson(written, joined, DEEP)).toEqual(parseNamedJson(written, both, DEEP));
    }),
  );
});

function parseJsonOf(written: string): Json {
  const parsed = parseJson(written, DEEP);
  if (!parsed.ok) throw new Error(written);
  return parsed.value;
}
