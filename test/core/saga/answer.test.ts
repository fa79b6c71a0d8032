/** What an answer of a participant means, and what is sent to one. */
import { describe, expect, it } from "vitest";
import { outcomeOf } from "../../../src/core/saga/answer.ts";
import { compileSaga } from "../../../src/core/saga/definition.ts";
import { startInstance } from "../../../src/core/saga/instance.ts";
import { SAGA_HEAD_CHARACTERS_MAX } from "../../../src/core/saga/limits.ts";
import { renderRequest } from "../../../src/core/saga/request.ts";
import { response } from "../../support/memory-transport.ts";

describe("an answer", () => {
  it.each([
    ["succeeded", [200, 201, 204, 299]],
    ["rejected", [301, 307, 308, 400, 401, 403, 404, 410, 422, 499]],
    ["unknown", [100, 300, 302, 303, 304, 408, 409, 425, 429, 500, 502, 503, 599]],
  ] as const)("is %s by its status", (kind, statuses) => {
    for (const status of statuses) {
      expect([status, outcomeOf(response(status), null).kind]).toEqual([status, kind]);
    }
  });

  it("that never came leaves the step in doubt, unless nothing was sent", () => {
    expect(outcomeOf({ kind: "timeout" }, null).kind).toBe("unknown");
    expect(outcomeOf({ kind: "network", detail: "cut off" }, null).kind).toBe("unknown");
    expect(outcomeOf({ kind: "refused", detail: "private" }, null).kind).toBe("rejected");
  });
});

describe("a rendered request", () => {
  const rendered = (trace: string | number) => {
    const headers = { "x-trace": "$.input.trace" };
    const http = { url: "https://x.example/", headers };
    const saga = compileSaga({ steps: [{ name: "a", action: { http } }] });
    return renderRequest(startInstance(saga, { trace }, 0), { step: 0, direction: "action" });
  };

  it("has headers from the event, numbers as they were spelt", () => {
    expect(rendered("t-1")).toMatchObject({ ok: true, request: { headers: { "x-trace": "t-1" } } });
    expect(rendered(12)).toMatchObject({ ok: true, request: { headers: { "x-trace": "12" } } });
  });

  it("has in its URL what has no percent-encoding of its own, such as half of an emoji", () => {
    const http = { url: "https://x.example/{{$.input.name}}" };
    const saga = compileSaga({ steps: [{ name: "a", action: { http } }] });
    const cut = startInstance(saga, { name: "Ann \ud83d" }, 0);
    expect(renderRequest(cut, { step: 0, direction: "action" })).toMatchObject({
      request: { url: "https://x.example/Ann%20%EF%BF%BD" },
    });
  });

  it("is refused when the event makes its URL and headers longer than any server takes", () => {
    expect(rendered("x".repeat(SAGA_HEAD_CHARACTERS_MAX - 40))).toMatchObject({ ok: true });
    expect(rendered("x".repeat(SAGA_HEAD_CHARACTERS_MAX))).toMatchObject({
      ...{ ok: false, error: expect.stringMatching(/^URL and headers have 164\d\d characters/) },
    });
  });

  it("is refused before it is put together when a short template names a long value very often", () => {
    const often = Array<string>(13_000).fill("$.input.data");
    const input = { data: "x".repeat(60_000) };
    for (const http of [
      { url: "https://x.example/", body: often },
      { url: "https://x.example/", body: `{{${often.join("}}{{")}}}` },
      { url: "https://x.example/", headers: { "x-all": `{{${often.join("}}{{")}}}` } },
      { url: `https://x.example/{{${often.join("}}{{")}}}` },
    ]) {
      const saga = compileSaga({ steps: [{ name: "a", action: { http } }] });
      const answer = renderRequest(startInstance(saga, input, 0), { step: 0, direction: "action" });
      expect(answer).toMatchObject({
        ...{ ok: false, error: expect.stringMatching(/ha(s|ve) 780000000 characters/) },
      });
    }
  });

  it.each(["a\r\nx-admin: 1", "a\u0000", "caf\u00e9", "\ud83d\ude00"])(
    "is refused when the event brings a header value that is none: %j",
    (trace) => {
      expect(rendered(trace)).toEqual({ ok: false, error: "x-trace would be no header value" });
    },
  );
});
