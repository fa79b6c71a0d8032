/** References of templates: what they name, and what a template becomes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/core/json.ts";
import { referencesIn, render } from "../../../src/core/saga/references.ts";

const SCOPE: Json = {
  input: { data: { id: "a/b", n: 3, list: [{ sku: "s" }], "odd name": true, none: null } },
  steps: { pay: { output: { id: "p-1" } } },
};

describe("a template", () => {
  it("takes a value whole, with its type", () => {
    const template = { n: "$.input.data.n", all: "$.input.data.list", none: "$.input.data.none" };
    expect(render(template, SCOPE)).toEqual({
      ok: true,
      value: { n: 3, all: [{ sku: "s" }], none: null },
    });
  });

  it("takes texts into a longer one, escaped as its place needs it", () => {
    const url = "https://x.example/{{$.input.data.id}}/{{ $.input.data.n }}";
    expect(render(url, SCOPE, encodeURIComponent)).toEqual({
      ok: true,
      value: "https://x.example/a%2Fb/3",
    });
  });

  it("names what is not there", () => {
    expect(render(["$.input.data.n", "$.steps.pay.output.no"], SCOPE)).toEqual({
      ok: false,
      missing: "$.steps.pay.output.no",
    });
  });

  it("says a text that begins like a reference with another dollar", () => {
    expect(render("$$.input", SCOPE)).toEqual({ ok: true, value: "$.input" });
  });

  it("puts no value in a second time", () => {
    const scope = { input: { evil: "{{$.input.secret}} $.input.secret", secret: "s" } };
    expect(render("{{$.input.evil}}", scope)).toEqual({ ok: true, value: scope.input.evil });
  });

  it("without references is what it was", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(referencesIn(value as Json).length === 0 && !JSON.stringify(value).includes("$$."));
        expect(render(value as Json, SCOPE)).toEqual({ ok: true, value });
      }),
    );
  });
});
