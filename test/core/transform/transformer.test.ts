/** Input transformers: what is made of an event, whatever stands in it, and what is refused when saved. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Json, parseJsonDocument } from "../../../src/core/json.ts";
import { TRANSFORMED_CHARACTERS_MAX } from "../../../src/core/transform/limits.ts";
import {
  compileTransformer,
  type TransformerDoc,
  transform,
  transformerFaults,
} from "../../../src/core/transform/transformer.ts";

const EVENT: Json = {
  id: "evt_1",
  type: "order",
  receivedAt: "2026-01-01T00:00:00.000Z",
  data: { id: 7, name: 'A "quoted" <id> name', list: [1, { a: 2 }], none: null, on: true },
};

const make = (
  doc: Omit<TransformerDoc, "missing"> & Partial<TransformerDoc>,
  event: Json = EVENT,
) => transform(compileTransformer({ missing: "refuse", ...doc }), event);
const bodyOf = (...parameters: Parameters<typeof make>): string => {
  const made = make(...parameters);
  return made.ok ? made.body : `refused: ${made.reason}`;
};

const PATHS = {
  id: "$.data.id",
  name: "$.data.name",
  list: "$.data.list",
  inner: "$.data.list[1].a",
  none: "$.data.none",
};

describe("a template of JSON", () => {
  it("takes a value whole, with its type, or its text into a longer one", () => {
    const template = { id: "<id>", all: ["<list>", "<none>"], note: "order <id> by <name>", n: 1 };
    expect(make({ paths: PATHS, template })).toEqual({
      ok: true,
      contentType: "application/json",
      body: '{"id":7,"all":[[1,{"a":2}],null],"note":"order 7 by A \\"quoted\\" <id> name","n":1}',
    });
  });

  it("may be written as EventBridge has it, variables bare or in a text", () => {
    const template = '{"id": <id>, "note": "<inner> of <id>", "deep": {"list": <list>}}';
    expect(bodyOf({ paths: PATHS, template })).toBe(
      '{"id":7,"note":"2 of 7","deep":{"list":[1,{"a":2}]}}',
    );
  });

  it("knows the event, and names that EventBridge has for it", () => {
    for (const name of ["event", "aws.events.event", "aws.events.event.json"]) {
      expect(JSON.parse(bodyOf({ template: `<${name}>` }))).toEqual(EVENT);
    }
    expect(bodyOf({ template: { at: "<aws.events.event.ingestion-time>" } })).toBe(
      '{"at":"2026-01-01T00:00:00.000Z"}',
    );
  });

  it("says a sign that is none with a backslash", () => {
    expect(bodyOf({ paths: PATHS, template: { a: "1 \\< <id>", b: "\\<id>" } })).toBe(
      '{"a":"1 < 7","b":"<id>"}',
    );
  });

  it("is JSON with exactly the values, whatever they are", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (value, text) => {
        const event = { data: { value: value as Json, text } };
        const paths = { value: "$.data.value", text: "$.data.text" };
        const template = '{"value": <value>, "said": "say <text>!", "list": [<text>]}';
        const read = parseJsonDocument(bodyOf({ paths, template }, event));
        if (!read.ok) throw new Error("no JSON");
        expect(read.value).toEqual(
          JSON.parse(JSON.stringify({ value, said: `say ${text}!`, list: [text] })),
        );
      }),
    );
  });

  it("keeps a number that a double cannot hold", () => {
    const read = parseJsonDocument('{"data":{"n":12345678901234567890.5}}');
    if (!read.ok) throw new Error("no JSON");
    const doc = { paths: { n: "$.data.n" }, template: { n: "<n>", text: "n is <n>" } };
    expect(bodyOf(doc, read.value)).toBe(
      '{"n":12345678901234567890.5,"text":"n is 12345678901234567890.5"}',
    );
  });
});

describe("a template of text", () => {
  it("in quotes or not makes a body of text", () => {
    for (const template of ['"Order <id>: <name>"', "Order <id>: <name>"]) {
      expect(make({ paths: PATHS, template })).toEqual({
        ok: true,
        contentType: "text/plain; charset=utf-8",
        body: 'Order 7: A "quoted" <id> name',
      });
    }
  });
});

describe("a variable without a value", () => {
  const doc = {
    paths: { gone: "$.data.gone", id: "$.data.id" },
    template: { gone: "<gone>", list: ["<gone>", "<id>"], text: "[<gone>]" },
  };

  it.each([
    ["refuse", "refused: the event has no value for <gone>"],
    ["null", '{"gone":null,"list":[null,7],"text":"[]"}'],
    ["omit", '{"list":[7],"text":"[]"}'],
  ] as const)("%s", (missing, body) => {
    expect(bodyOf({ ...doc, missing })).toBe(body);
  });

  it("is nothing that objects inherit", () => {
    const paths = { a: "$.data.constructor", b: "$.data.__proto__", c: "$.data.list.length" };
    const template = ["<a>", "<b>", "<c>"];
    expect(bodyOf({ paths, template, missing: "null" })).toBe("[null,null,null]");
  });
});

it("a small template cannot ask for more than there may be", () => {
  const event = { data: { big: "x".repeat(1_000) } };
  const template = Array<string>(500).fill("<big>");
  expect(TRANSFORMED_CHARACTERS_MAX).toBeLessThan(500 * 1_000);
  expect(bodyOf({ paths: { big: "$.data.big" }, template }, event)).toMatch(/^refused: the result/);
});

describe("when it is saved", () => {
  const codes = (doc: Omit<TransformerDoc, "missing">) =>
    transformerFaults({ ...doc, missing: "null" }, "/t").map(
      ({ pointer, code }) => `${pointer} ${code}`,
    );

  it("without a fault it is taken", () => {
    expect(codes({ paths: { id: "$.data.id" }, template: { id: "<id>", all: "<event>" } })).toEqual(
      [],
    );
  });

  it.each([
    [{ paths: { id: "data.id" }, template: "<id>" }, ["/t/paths/id bad-path"]],
    [{ paths: { id: "$" }, template: "<id>" }, ["/t/paths/id bad-path"]],
    [{ paths: { id: "$.detail.id" }, template: "<id>" }, ["/t/paths/id bad-path"]],
    [{ paths: { id: "$.data.id" }, template: "none" }, ["/t/paths/id unused-variable"]],
    [{ paths: { event: "$.data" }, template: "<event>" }, ["/t/paths/event reserved-name"]],
    [
      { paths: { "a/b": "$.data" }, template: "x" },
      ["/t/paths/a~1b bad-name", "/t/paths/a~1b unused-variable"],
    ],
    [
      { template: { a: "<one> and <two>" } },
      ["/t/template unknown-variable", "/t/template unknown-variable"],
    ],
    [{ template: "x".repeat(9_000) }, ["/t/template too-long"]],
    [
      {
        paths: Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`v${at}`, "$.data"])),
        template: Array.from({ length: 101 }, (_, at) => `<v${at}>`),
      },
      ["/t/paths too-many-paths"],
    ],
  ])("%j is refused, each fault at its place", (doc, faults) => {
    expect(codes(doc as Omit<TransformerDoc, "missing">)).toEqual(faults);
  });
});
