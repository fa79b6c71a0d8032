/** What becomes of a body: JSON, a form, text, bytes, and what is refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FORM_FIELDS_MAX,
  JSON_DEPTH_MAX,
  PARSED_BYTES_MAX,
} from "../../../src/core/ingest/limits.ts";
import { ExactNumber, isJsonObject, resolvePointer } from "../../../src/core/json.ts";
import { eventOf, readingOf } from "./request.ts";

const JSON_TYPE = { "content-type": "application/json" };
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const dataOf = (headers: Record<string, string>, body: string | Uint8Array) =>
  eventOf(headers, body).data;

describe("JSON", () => {
  it("is read from a body that is called a form, as `curl -d` calls everything", () => {
    expect(dataOf(FORM, '{"kind":"order","note":"a+b=c&d"}')).toEqual({
      kind: "order",
      note: "a+b=c&d",
    });
  });

  it.each([
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/vnd.acme.v2+json",
    "text/json",
  ])("is read from a body that is called %s", (type) => {
    expect(dataOf({ "content-type": type }, '{"a":[1]}')).toEqual({ a: [1] });
  });

  it.each(["text/plain", "application/octet-stream", "application/xml", "nonsense"])(
    "is recognised in a body that is called %s",
    (type) => {
      expect(dataOf({ "content-type": type }, ' \r\n\t{"a":1}')).toEqual({ a: 1 });
      expect(dataOf({ "content-type": type }, "[1]")).toEqual([1]);
    },
  );

  it("is recognised without a content type", () => {
    expect(dataOf({}, '{"a":1}')).toEqual({ a: 1 });
  });

  it("may be a scalar where the type says JSON; elsewhere a lone word stays text", () => {
    for (const [json, value] of [
      ["42", 42],
      ["true", true],
      ["null", null],
      ['"a"', "a"],
    ] as const) {
      expect(dataOf(JSON_TYPE, json)).toEqual(value);
      expect(dataOf({ "content-type": "text/plain" }, json)).toEqual({ text: json });
      expect(dataOf({}, json)).toEqual({ text: json });
    }
  });

  it("may begin with a byte order mark, which stays in the body", () => {
    const event = eventOf(JSON_TYPE, '\uFEFF{"a":1}');
    expect(event.data).toEqual({ a: 1 });
    expect([...event.body.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
  });

  it("keeps numbers that a double cannot hold", () => {
    const data = dataOf(JSON_TYPE, '{"id":9007199254740993,"big":1e400}');
    const id = resolvePointer(data, "/id");
    const big = resolvePointer(data, "/big");
    expect(id instanceof ExactNumber && id.text).toBe("9007199254740993");
    expect(big instanceof ExactNumber && big.text).toBe("1e400");
  });

  it("takes the last of duplicate keys", () => {
    expect(dataOf(JSON_TYPE, '{"a":1,"a":2}')).toEqual({ a: 2 });
  });

  it("holds __proto__ as a key like any other and pollutes nothing", () => {
    const data = dataOf(JSON_TYPE, '{"__proto__":{"polluted":true},"constructor":1}');
    if (!isJsonObject(data)) throw new Error("not an object");
    expect(Object.keys(data)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect("polluted" in {}).toBe(false);
  });

  it.each(["{", '{"a":1}x', "{'a':1}", "[1,]", "\u00a0{}", "{}\0"])(
    "is not guessed at: %j is text",
    (body) => {
      expect(dataOf(JSON_TYPE, body)).toEqual({ text: body });
    },
  );

  it("is accepted up to the deepest nesting allowed", () => {
    const deep = "[".repeat(JSON_DEPTH_MAX) + "]".repeat(JSON_DEPTH_MAX);
    expect(readingOf(JSON_TYPE, deep).ok).toBe(true);
  });

  it.each([
    ["one level too deep", `${"[".repeat(JSON_DEPTH_MAX + 1)}${"]".repeat(JSON_DEPTH_MAX + 1)}`],
    ["10,000 levels deep", "[".repeat(10_000) + "]".repeat(10_000)],
    ["a million objects deep, never closed", '{"a":'.repeat(600_000)],
  ])("is refused when it is %s, and the answer tells the limit", (_, body) => {
    for (const headers of [JSON_TYPE, {}]) {
      expect(readingOf(headers, body)).toMatchObject({
        ok: false,
        problem: "malformed-request",
        detail: expect.stringContaining(String(JSON_DEPTH_MAX)),
      });
    }
  });
});

describe("other bodies", () => {
  it("keeps text as text", () => {
    expect(dataOf({ "content-type": "text/plain" }, "Grüße €😀")).toEqual({ text: "Grüße €😀" });
    expect(dataOf({ "content-type": "application/xml" }, "<a/>")).toEqual({ text: "<a/>" });
    expect(dataOf({}, "")).toEqual({ text: "" });
    expect(dataOf(JSON_TYPE, "")).toEqual({ text: "" });
  });

  it.each([
    ["a lone continuation byte", [0x7b, 0x80, 0x7d]],
    ["an overlong form", [0xc0, 0xa0]],
    ["an encoded surrogate", [0xed, 0xa0, 0x80]],
    ["a cut sequence", [0xe2, 0x82]],
    ["UTF-16", [0xff, 0xfe, 0x7b, 0x00]],
  ])("keeps bytes that are no UTF-8 as base64: %s", (_, bytes) => {
    const body = Uint8Array.from(bytes);
    for (const headers of [JSON_TYPE, FORM, {}]) {
      expect(dataOf(headers, body)).toEqual({ base64: Buffer.from(body).toString("base64") });
    }
  });

  it("hands on every body byte for byte, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        expect(eventOf(JSON_TYPE, body).body).toEqual(body);
      }),
    );
  });

  it("throws for no body and no content type", () => {
    const types = ["", "application/json", "application/x-www-form-urlencoded", "text/plain"];
    const suffixes = ["+json", "-batch+json", "+xml"].map((end) => `application/cloudevents${end}`);
    const type = fc.constantFrom(...types, ...suffixes);
    const body = fc.oneof(
      fc.uint8Array(),
      fc.json({ maxDepth: 3 }).map((json) => Buffer.from(json)),
      fc
        .string({ unit: fc.constantFrom(...'[]{},:"\\%+&=1e\ufeff\0') })
        .map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(type, body, fc.boolean(), (contentType, bytes, isBinaryMode) => {
        const more = isBinaryMode ? { "ce-specversion": "1.0" } : {};
        const reading = readingOf({ "content-type": contentType, ...more }, bytes);
        expect(typeof reading.ok).toBe("boolean");
      }),
      { numRuns: 1_000 },
    );
  });

  it("leaves data out above the bound, says so, and still reads the headers", () => {
    const body = new Uint8Array(PARSED_BYTES_MAX + 1).fill(0x20);
    const event = eventOf({ ...JSON_TYPE, "idempotency-key": "k" }, body);
    expect(event).toMatchObject({ data: {}, dataOmitted: "too-large", key: "k", type: "webhook" });
    expect(event.body).toBe(body);
    expect(eventOf(JSON_TYPE, body.subarray(1)).dataOmitted).toBeUndefined();
  });
});

describe("forms", () => {
  it("become objects, repeated names arrays", () => {
    expect(dataOf(FORM, "a=1&b=x+y%20z&a=2&c=&d&=e&&a=%E2%82%AC")).toEqual({
      a: ["1", "2", "€"],
      b: "x y z",
      c: "",
      d: "",
      "": "e",
    });
    expect(dataOf(FORM, "")).toEqual({});
  });

  it("are read as URLSearchParams reads them", () => {
    const pair = fc.tuple(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 5 }), (pairs) => {
        const body = new URLSearchParams(pairs).toString();
        const fields = new URLSearchParams(body);
        const expected = [...new Set(fields.keys())].map((name) => {
          const values = fields.getAll(name);
          return [name, values.length === 1 ? values[0] : values];
        });
        fc.pre(fields.size !== 1 || !fields.has("payload"));
        expect(dataOf(FORM, body)).toEqual(Object.fromEntries(expected));
      }),
    );
  });

  it("keep broken percent sequences as they were written", () => {
    expect(dataOf(FORM, "a=100%&b=%zz&c=%4&d=%FF+x")).toEqual({
      a: "100%",
      b: "%zz",
      c: "%4",
      d: "%FF+x",
    });
  });

  it("hold __proto__ as a name like any other", () => {
    const data = dataOf(FORM, "__proto__=x&a=1");
    expect(isJsonObject(data) && Object.keys(data)).toEqual(["__proto__", "a"]);
  });

  it("give the JSON in a lone payload field, as GitHub and Slack post it", () => {
    const body = new URLSearchParams({ payload: '{"type":"block_actions"}' }).toString();
    expect(dataOf(FORM, body)).toEqual({ type: "block_actions" });
  });

  it("are not unwrapped when payload is no JSON object or has company", () => {
    expect(dataOf(FORM, "payload=[1]")).toEqual({ payload: "[1]" });
    expect(dataOf(FORM, "payload={x")).toEqual({ payload: "{x" });
    expect(dataOf(FORM, "payload={}&a=1")).toEqual({ payload: "{}", a: "1" });
    expect(dataOf(FORM, "payload={}&payload={}")).toEqual({ payload: ["{}", "{}"] });
  });

  it("are refused when the JSON in payload nests too deep", () => {
    const payload = '{"a":'.repeat(JSON_DEPTH_MAX + 1);
    expect(readingOf(FORM, `payload=${payload}`)).toMatchObject({ problem: "malformed-request" });
  });

  it("are left out of data when they have more fields than the limit", () => {
    expect(eventOf(FORM, "a&".repeat(FORM_FIELDS_MAX))).toMatchObject({
      data: {},
      dataOmitted: "too-large",
    });
  });
});
