/** A list is found, counted and split exactly as JSON.parse reads it, in whatever parts its bytes come. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { platformText } from "../../../src/adapters/crypto.ts";
import { createListFinder, type FoundList } from "../../../src/core/fan-out/find.ts";
import { FANOUT_ELEMENT_BYTES_MAX, FANOUT_ELEMENTS_MAX } from "../../../src/core/fan-out/limits.ts";
import { createSplitter } from "../../../src/core/fan-out/split.ts";
import { type Json, parsePath, valueAt } from "../../../src/core/json.ts";

/** Cuts bytes into parts of these lengths, again and again. */
function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = Math.max(1, lengths[turn % lengths.length] ?? 1);
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

function find(json: string, path: string, lengths: readonly number[] = [1e9]): FoundList {
  const finder = createListFinder(parsePath(path) ?? [], path, platformText);
  for (const part of cut(platformText.encode(json), lengths)) if (!finder.take(part)) break;
  return finder.end();
}

/** The elements from `offset` on, a few at a time as pages read them. */
function split(json: string, offset: number, lengths: readonly number[], page: number): string[] {
  const bytes = platformText.encode(json);
  const elements: string[] = [];
  for (let from = offset, isEnded = false; !isEnded; ) {
    let count = 0;
    let taken = 0;
    const splitter = createSplitter(FANOUT_ELEMENT_BYTES_MAX, (element, so) => {
      elements.push(platformText.decode(element) ?? "");
      taken = so;
      count += 1;
      return count < page;
    });
    for (const part of cut(bytes.subarray(from), lengths)) {
      for (let at = 0; at < part.length && count < page && !splitter.isEnded; ) {
        at = splitter.take(part, at);
      }
    }
    from += taken;
    isEnded = splitter.isEnded;
    if (count === 0 && !isEnded) throw new Error("a page without an element");
  }
  return elements;
}

const reasonOf = (json: string, path = "$.list"): string => {
  const found = find(json, path);
  return found.ok ? `found ${found.total}` : found.reason;
};

/** Names that a path may ask for, among others, and lists at every depth. */
const { doc } = fc.letrec<{ doc: unknown }>((tie) => ({
  doc: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, false, 0, -1.5, "", 'a"b\\', "}]{[,:", "é€😀"),
    fc.array(tie("doc"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("a", "b", 'q"', "é", "list", "__proto__"), tie("doc"), {
      maxKeys: 4,
    }),
  ),
}));
const part = fc.constantFrom(".a", ".b", '["q\\""]', '["é"]', ".list", "[0]", "[1]");
const path = fc.array(part, { maxLength: 3 }).map((parts) => `$${parts.join("")}`);
const lengths = fc.array(fc.nat(7), { minLength: 1, maxLength: 4 });

describe("the list at a path", () => {
  it("is the one that JSON.parse has there, element by element, however the bytes are cut", () => {
    let lists = 0;
    fc.assert(
      fc.property(doc, path, lengths, fc.nat(3), fc.nat(2), (value, at, parts, page, indent) => {
        const json = JSON.stringify(value, null, indent);
        const expected = valueAt(JSON.parse(json) as Json, parsePath(at) ?? []);
        const found = find(json, at, parts);
        if (!Array.isArray(expected)) return !found.ok;
        lists += 1;
        expect(found).toMatchObject({ ok: true, total: expected.length });
        if (!found.ok) return false;
        const elements = split(json, found.offset, parts, page + 1);
        expect(elements.map((each) => JSON.parse(each))).toEqual(expected);
        return true;
      }),
      { numRuns: 2_000 },
    );
    expect(lists).toBeGreaterThan(100);
  });

  it("keeps the spelling of its elements", () => {
    const json = '\uFEFF{"list": [ 1.50 , 12345678901234567890,"\\u00e9" ]}';
    const found = find(json, "$.list");
    expect(found).toMatchObject({ ok: true, total: 3 });
    const offset = found.ok ? found.offset : 0;
    expect(split(json, offset, [3], 2)).toEqual(["1.50", "12345678901234567890", '"\\u00e9"']);
  });

  it("may be empty", () => {
    expect(find('{"list":[ ]}', "$.list")).toMatchObject({ ok: true, total: 0 });
  });

  it("is the last one where a name stands twice", () => {
    expect(reasonOf('{"list":[1,2],"list":[3]}')).toBe("found 1");
    expect(reasonOf('{"list":[1,2],"list":null}')).toBe("$.list is null, and no list");
    expect(reasonOf('{"a":{"list":[1]},"a":{}}', "$.a.list")).toBe("there is nothing at $.a.list");
  });

  it.each([
    ['{"other":[1]}', "there is nothing at $.list"],
    ["[[1]]", "there is nothing at $.list"],
    ['{"list":{"a":[1]}}', "$.list is an object, and no list"],
    ['{"list":"[1]"}', "$.list is a text, and no list"],
    ['{"list":7}', "$.list is a number, and no list"],
    ['{"list":true}', "$.list is true, and no list"],
    ['{"list":[1,2', "the body ends before its JSON does"],
    ['{"list":[1,2]', "the body ends before its JSON does"],
    ["", "there is nothing at $.list"],
    ["list=1&list=2", "there is nothing at $.list"],
    ['{"list":[1,,2]}', "the body is no JSON: the fault is at byte 11"],
    ['{"list":[1,2,]}', "the body is no JSON: the fault is at byte 13"],
    ['{"list":[1}]', "the body is no JSON: the fault is at byte 11"],
    ['{"list":[1]}]', "the body is no JSON: the fault is at byte 12"],
    ['{"list":[1,{"a":}]}', "element 1 is no JSON"],
    ['{"list":[1,yes]}', "element 1 is no JSON"],
    [`{"list":[${"[".repeat(65)}${"]".repeat(65)}]}`, "element 0 nests deeper than 64 levels"],
    [
      `{"list":[1,"${"x".repeat(FANOUT_ELEMENT_BYTES_MAX)}"]}`,
      `element 1 has more than ${FANOUT_ELEMENT_BYTES_MAX} bytes`,
    ],
    [
      `{"list":[${"1,".repeat(FANOUT_ELEMENTS_MAX)}1]}`,
      `the list has ${FANOUT_ELEMENTS_MAX + 1} elements; ${FANOUT_ELEMENTS_MAX} at most`,
    ],
  ])("is refused with its reason: %.60s", (json, reason) => {
    expect(reasonOf(json)).toBe(reason);
  });

  it("is refused where its bytes are no UTF-8", () => {
    const finder = createListFinder(["list"], "$.list", platformText);
    finder.take(Uint8Array.from([...platformText.encode('{"list":["'), 0xff, 0x22, 0x5d, 0x7d]));
    expect(finder.end()).toEqual({ ok: false, reason: "element 0 is no JSON" });
  });
});
