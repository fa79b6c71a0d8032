/** CloudEvents in structured mode: attributes, data, and each fault by its place. */
import { describe, expect, it } from "vitest";
import {
  ATTRIBUTES_COUNT_MAX,
  ATTRIBUTES_LENGTH_MAX,
  JSON_DEPTH_MAX,
  PARSED_BYTES_MAX,
} from "../../../src/core/ingest/limits.ts";
import {
  BATCH,
  REQUIRED,
  STRUCTURED,
  structured,
  structuredFaults,
  without,
} from "./cloudevent.ts";
import { eventOf, faultsOf, readingOf, textOf } from "./request.ts";

describe("structured mode", () => {
  it("keeps the whole document as body and its data as data", () => {
    const event = eventOf(STRUCTURED, ` ${structured({ data: [1] })} `);
    expect(event).toMatchObject({ data: [1], contentType: STRUCTURED["content-type"] });
    expect(textOf(event.body)).toBe(` ${structured({ data: [1] })} `);
  });

  it("writes attributes of every type in their canonical form and treats null as unset", () => {
    const more = {
      a: true,
      b: -5,
      c: "",
      constructor: "x",
      d: null,
      subject: null,
      data_base64: null,
    };
    expect(eventOf(STRUCTURED, structured(more)).cloudevent).toEqual({
      ...REQUIRED,
      a: "true",
      b: "-5",
      c: "",
      constructor: "x",
    });
  });

  it("reads data by its content type", () => {
    const dataOf = (more: object) => eventOf(STRUCTURED, structured(more)).data;
    expect(dataOf({})).toBeNull();
    expect(dataOf({ data: null })).toBeNull();
    expect(dataOf({ data: '{"a":1}' })).toBe('{"a":1}');
    expect(dataOf({ data: '{"a":1}', datacontenttype: "application/vnd.x+json" })).toBe('{"a":1}');
    expect(dataOf({ data: "<a/>", datacontenttype: "text/xml" })).toEqual({ text: "<a/>" });
    expect(dataOf({ data: { a: 1 }, datacontenttype: "text/xml" })).toEqual({ a: 1 });
    expect(dataOf({ data_base64: "eyJhIjoxfQ==" })).toEqual({ a: 1 });
    expect(dataOf({ data_base64: "/w==" })).toEqual({ base64: "/w==" });
    expect(dataOf({ data_base64: "" })).toEqual({ text: "" });
  });

  it.each(["specversion", "id", "source", "type"] as const)("is refused without %s", (name) => {
    expect(faultsOf(STRUCTURED, JSON.stringify(without(name)))).toEqual([[`/${name}`, "missing"]]);
    expect(structuredFaults({ [name]: null })).toEqual([[`/${name}`, "missing"]]);
    expect(structuredFaults({ [name]: "" })).toEqual([[`/${name}`, "format"]]);
    expect(structuredFaults({ [name]: 1 })).toEqual([[`/${name}`, "type"]]);
  });

  it.each(["0.3", "1", "1.0.2", "1.1", "2.0", " 1.0"])(
    "is refused in version %j",
    (specversion) => {
      expect(structuredFaults({ specversion })).toEqual([["/specversion", "format"]]);
    },
  );

  it.each(["a b", "/ü", "/%", "/%2", "/%zz", "<x>", "a\\b", '"'])(
    "is refused with a source that is no URI reference: %j",
    (source) => {
      expect(structuredFaults({ source })).toEqual([["/source", "format"]]);
    },
  );

  it.each(["urn:uuid:6e8bc430", "mailto:a@b.example", "1-555-123-4567", "//h/%C3%BC?q=[1]", "#"])(
    "is accepted with the source %j",
    (source) => {
      expect(structuredFaults({ source })).toEqual([]);
    },
  );

  it.each([
    "2018-04-05T17:31:00Z",
    "2018-04-05t17:31:00.123456789z",
    "2018-04-05T17:31:00+05:30",
    "2024-02-29T00:00:00-00:00",
    "2016-12-31T23:59:60Z",
  ])("is accepted with the time %s, which stays as written", (time) => {
    expect(eventOf(STRUCTURED, structured({ time })).time).toBe(time);
  });

  it.each([
    "",
    "now",
    "2018-04-05",
    "2018-04-05 17:31:00Z",
    "2018-04-05T17:31:00",
    "2018-04-05T17:31Z",
    "2018-4-5T17:31:00Z",
    "2018-13-05T17:31:00Z",
    "2018-00-05T17:31:00Z",
    "2018-04-31T17:31:00Z",
    "2018-04-00T17:31:00Z",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2018-04-05T24:00:00Z",
    "2018-04-05T17:60:00Z",
    "2018-04-05T17:31:61Z",
    "2018-04-05T17:31:00.Z",
    "2018-04-05T17:31:00+24:00",
    "2018-04-05T17:31:00+05:60",
    "2018-04-05T17:31:00+0530",
    "+02018-04-05T17:31:00Z",
    " 2018-04-05T17:31:00Z",
    "2018-04-05T17:31:00Z\n",
  ])("is refused with the time %j", (time) => {
    const code = time.endsWith("\n") ? "character" : "format";
    expect(structuredFaults({ time })).toEqual([["/time", code]]);
  });

  it("is refused with an empty subject, a relative schema or a content type that is none", () => {
    expect(
      structuredFaults({ subject: "", dataschema: "/schema", datacontenttype: "json" }),
    ).toEqual([
      ["/subject", "format"],
      ["/dataschema", "format"],
      ["/datacontenttype", "format"],
    ]);
  });

  it.each(["Foo", "foo_bar", "foo-bar", "föö", "foo bar", "", "a/b", "__proto__"])(
    "is refused with an attribute named %j",
    (name) => {
      const json = `${structured().slice(0, -1)},${JSON.stringify(name)}:"x"}`;
      expect(faultsOf(STRUCTURED, json)).toEqual([[`/${name.replace("/", "~1")}`, "name"]]);
    },
  );

  it.each(["{}", "[]", "1.5", "2147483648", "-2147483649", "9007199254740993", "1e400"])(
    "is refused with an attribute that is %s",
    (value) => {
      const json = `${structured().slice(0, -1)},"ext":${value}}`;
      expect(faultsOf(STRUCTURED, json)).toEqual([["/ext", "type"]]);
    },
  );

  it.each(["\\u0000", "\\n", "\\u007f", "\\u0085", "\\ufdd0", "\\uffff", "\\ud800", "\\udead"])(
    "is refused with the character %s in an attribute",
    (escaped) => {
      const json = structured().replace("A234", `A${escaped}`);
      expect(faultsOf(STRUCTURED, json)).toEqual([["/id", "character"]]);
    },
  );

  it("is refused with data and data_base64 together, and with base64 that is none", () => {
    expect(structuredFaults({ data: null, data_base64: "" })).toEqual([
      ["/data_base64", "exclusive"],
    ]);
    for (const data_base64 of ["a", "a-_=", 5, {}, "YQ"]) {
      expect(structuredFaults({ data_base64 })).toEqual([["/data_base64", "format"]]);
    }
  });

  it("is refused when data inside base64 or text nests too deep", () => {
    const deep = "[".repeat(JSON_DEPTH_MAX + 1);
    const data_base64 = Buffer.from(deep).toString("base64");
    expect(structuredFaults({ data_base64 })).toEqual([["/data_base64", "too-deep"]]);
    expect(structuredFaults({ data: deep, datacontenttype: "text/plain" })).toEqual([
      ["/data", "too-deep"],
    ]);
  });

  it("is refused for one reason only when its attributes are too long or too many", () => {
    const names = Array.from({ length: ATTRIBUTES_COUNT_MAX }, (_, index) => [`Bad${index}`, 1]);
    for (const more of [
      { subject: "x".repeat(ATTRIBUTES_LENGTH_MAX) },
      { ["X".repeat(ATTRIBUTES_LENGTH_MAX)]: 1 },
      Object.fromEntries(names),
    ]) {
      expect(structuredFaults(more)).toEqual([["", "too-large"]]);
    }
  });

  it("is refused with all its faults at once", () => {
    const json = '{"specversion":"0.3","id":5,"time":"now","Ext":1,"data":1,"data_base64":"x"}';
    expect(faultsOf(STRUCTURED, json)).toEqual([
      ["/specversion", "format"],
      ["/id", "type"],
      ["/time", "format"],
      ["/Ext", "name"],
      ["/source", "missing"],
      ["/type", "missing"],
      ["/data_base64", "exclusive"],
    ]);
  });

  it.each(["[]", "null", '"x"', "1"])("is refused when the body is %s, not an object", (json) => {
    expect(faultsOf(STRUCTURED, json)).toEqual([["", "type"]]);
  });

  it.each([
    ["no JSON", "{"],
    ["empty", ""],
    ["no UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d)],
    ["nested too deep", structured().replace("}", `,"data":${"[".repeat(10_000)}`)],
  ])("is refused as malformed when the body is %s", (_, body) => {
    expect(readingOf(STRUCTURED, body)).toMatchObject({ problem: "malformed-request" });
    expect(readingOf(BATCH, body)).toMatchObject({ problem: "malformed-request" });
  });

  it("is refused as too large when the body is larger than what is parsed", () => {
    const body = " ".repeat(PARSED_BYTES_MAX) + structured();
    for (const headers of [STRUCTURED, BATCH]) {
      expect(readingOf(headers, body)).toMatchObject({
        problem: "payload-too-large",
        extensions: { bytesMax: PARSED_BYTES_MAX },
      });
    }
  });
});
