/** What a receiver's answer to OPTIONS permits (CloudEvents web hooks, section 4). */
import { describe, expect, it } from "vitest";
import { afterHandshake, handshakeOf } from "../../../src/core/deliver/handshake.ts";
import type { Answer } from "../../../src/core/deliver/outcome.ts";

const ORIGIN = "router.example.com";
const AT = "2026-01-01T00:00:00.000Z";

const answered = (status: number, headers: Record<string, string> = {}): Answer => ({
  kind: "response",
  ...{ status, retryAfterMs: null, body: "the receiver's own words" },
  headers: new Map(Object.entries(headers)),
});
const allowed = (origin: string, rate?: string): Answer =>
  answered(200, {
    "webhook-allowed-origin": origin,
    ...(rate === undefined ? {} : { "webhook-allowed-rate": rate }),
  });
const judge = (answer: Answer) => handshakeOf(answer, ORIGIN, AT);

describe("a receiver permits deliveries", () => {
  it.each<[string, Answer, string, number | null]>([
    ["to this router, 120 a minute", allowed(ORIGIN, "120"), ORIGIN, 120],
    ["to this router in other letters", allowed(" Router.Example.COM "), ORIGIN, null],
    ["to anybody", allowed("*", "*"), "*", null],
    [
      "with another success",
      { ...answered(204), ...allowed("*"), status: 204 } as Answer,
      "*",
      null,
    ],
  ])("%s", (_, answer, origin, ratePerMinute) => {
    expect(judge(answer)).toEqual({
      kind: "permitted",
      permission: { origin, ratePerMinute, at: AT },
    });
  });
});

describe("a receiver refuses deliveries when it answers", () => {
  it.each<[string, Answer]>([
    ["that it knows no OPTIONS", answered(405)],
    ["without the header", answered(200)],
    ["with another's name", allowed("other.example.com")],
    ["with a list", allowed(`${ORIGIN}, other.example.com`)],
    ["with a redirect", answered(307, { "webhook-allowed-origin": "*" })],
    ["with an error and the header", answered(403, { "webhook-allowed-origin": "*" })],
    ["with a rate of nothing", allowed("*", "0")],
    ["with a rate that is no number", allowed("*", "fast")],
    ["at an address that may not be called", { kind: "refused", detail: "not public" }],
  ])("%s", (_, answer) => {
    const handshake = judge(answer);
    expect(handshake.kind).toBe("refused");
    expect(JSON.stringify(handshake)).not.toMatch(/own words|other\.example/);
  });
});

describe("a receiver that says nothing", () => {
  const SILENT: [string, Answer][] = [
    ["hangs", { kind: "timeout" }],
    ["cannot be reached", { kind: "network", detail: "connection refused" }],
    ["fails", answered(503)],
  ];
  const permission = { origin: "*", ratePerMinute: 60, at: AT };

  it.each(SILENT)("and %s has permitted nothing", (_, answer) => {
    expect(afterHandshake(judge(answer), undefined, AT)).toEqual({
      disabled: {
        reason: expect.stringMatching(/^the receiver has not permitted deliveries: it /),
        at: AT,
      },
    });
  });

  it.each(SILENT)("and %s has not taken back what it permitted before", (_, answer) => {
    expect(afterHandshake(judge(answer), permission, AT)).toEqual({ permission });
  });

  it("is not one that refuses: that takes it back", () => {
    expect(afterHandshake(judge(answered(405)), permission, AT)).toMatchObject({
      disabled: { reason: "the receiver has not permitted deliveries: it answered 405" },
    });
  });
});
