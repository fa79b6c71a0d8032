/** What becomes of the sender's headers: for the record, for rules, for targets. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  eventHeaders,
  forwardedHeaders,
  type Headers,
  isCredentialHeader,
  keptHeaders,
  ownSignatureHeader,
} from "../../../src/core/ingest/headers.ts";
import { HEADERS_COUNT_MAX, HEADERS_LENGTH_MAX } from "../../../src/core/ingest/limits.ts";
import type { VerifyConfig } from "../../../src/core/verify/config.ts";
import { presets } from "../../../src/core/verify/presets.ts";
import { readingOf } from "./request.ts";

const NONE: VerifyConfig = { scheme: "none" };

/** Where one header ends up: "event", "target", both or neither. */
function fateOf(name: string, verify: VerifyConfig = NONE, value = "v"): string {
  const kept = keptHeaders([[name, value]], verify);
  const isSeen = Object.keys(eventHeaders(kept, ownSignatureHeader(verify))).includes(
    name.toLowerCase(),
  );
  const isForwarded = forwardedHeaders(kept).some(([each]) => each === name.toLowerCase());
  return [isSeen && "event", isForwarded && "target"].filter(Boolean).join(" ");
}

describe("the sender's headers", () => {
  it.each(["X-GitHub-Event", "X-Shopify-Topic", "x-request-id", "Content-Encoding", "tracestate"])(
    "are seen by rules and go on to targets: %s",
    (name) => {
      expect(fateOf(name)).toBe("event target");
    },
  );

  it.each([
    "Authorization",
    "Cookie",
    "Proxy-Authorization",
    "X-Api-Key",
    "apikey",
    "X-Gitlab-Token",
    "x-telegram-bot-api-secret-token",
    "X-Amz-Security-Token",
    "aeg-sas-key",
    "x-auth-token",
  ])("are dropped when they are credentials: %s", (name) => {
    expect(keptHeaders([[name, "v"]], NONE)).toEqual([]);
    expect(isCredentialHeader(name.toLowerCase())).toBe(true);
  });

  it.each([
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Host",
    "Content-Length",
    "Expect",
    "Accept",
    "Accept-Encoding",
    "If-Match",
    "Forwarded",
    "Via",
    "CF-Ray",
    "CF-Connecting-IP",
    "CDN-Loop",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Real-IP",
    "True-Client-IP",
    "X-HTTP-Method-Override",
    "X-Original-URL",
  ])("are dropped when they are the connection's or the network's: %s", (name) => {
    expect(keptHeaders([[name, "v"]], NONE)).toEqual([]);
    expect(isCredentialHeader(name.toLowerCase())).toBe(false);
  });

  const signatures = Object.values(presets)
    .flatMap(({ headers }) => headers.map(({ signature }) => signature))
    .filter((name) => name !== "webhook-signature");
  it.each([
    ...signatures,
    "X-Hub-Signature",
    "Paddle-Signature",
    "X-Twilio-Signature",
    "Signature-Input",
  ])(
    "are not seen by rules but reach a target that checks them when they are signatures: %s",
    (name) => {
      expect(fateOf(name)).toBe("target");
    },
  );

  it.each([
    "Content-Type",
    "User-Agent",
    "traceparent",
    "webhook-id",
    "webhook-timestamp",
    "ce-type",
    "ce-comacme",
    "signalbox-event",
  ])("are not sent on where the delivery writes its own: %s", (name) => {
    expect(fateOf(name)).toBe("event");
  });

  it("lose a signature under the name of our own", () => {
    expect(fateOf("Webhook-Signature")).toBe("");
  });

  it("lose the source's own API key, and keep the header elsewhere", () => {
    const verify: VerifyConfig = { scheme: "api-key", header: "X-Acme", keys: ["k"] };
    expect(keptHeaders([["x-acme", "k"]], verify)).toEqual([]);
    expect(fateOf("x-acme")).toBe("event target");
  });

  it("hide the source's own HMAC from rules, not from targets", () => {
    const hmac = { scheme: "hmac", algorithm: "sha256", encoding: "hex", secrets: ["s"] } as const;
    expect(fateOf("x-acme", { ...hmac, header: "X-Acme" })).toBe("target");
  });

  it("lose what Connection names, which is for one hop only", () => {
    const headers: Headers = [
      ["Connection", "close, X-Hop"],
      ["x-hop", "v"],
      ["x-stay", "v"],
    ];
    expect(keptHeaders(headers, NONE)).toEqual([["x-stay", "v"]]);
  });

  it("are joined for rules when they repeat, and stay apart for targets", () => {
    const kept = keptHeaders(
      [
        ["X-A", "1"],
        ["x-b", "2"],
        ["x-a", "3"],
      ],
      NONE,
    );
    expect(eventHeaders(kept, null)).toEqual({ "x-a": "1, 3", "x-b": "2" });
    expect(forwardedHeaders(kept)).toEqual([
      ["x-a", "1"],
      ["x-b", "2"],
      ["x-a", "3"],
    ]);
  });

  it("may be called like a member of every object", () => {
    const kept = keptHeaders(
      [
        ["__proto__", "x"],
        ["constructor", "y"],
      ],
      NONE,
    );
    const seen = eventHeaders(kept, null);
    expect(Object.entries(seen)).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(Object.getPrototypeOf(seen)).toBe(Object.prototype);
  });

  it.each(["line\r\nx-injected: 1", "nul\0", "caf\u00e9", "\u{1f600}", "del\u007f"])(
    "do not reach a target with a value it could misread: %j",
    (value) => {
      expect(fateOf("x-a", NONE, value)).toBe("event");
    },
  );

  it("never carry a credential further, whatever stands around it", () => {
    const names = fc.constantFrom("Authorization", "COOKIE", "x-a", "X-Api-Key", "Proxy-X", "cf-a");
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fc.string())), (headers) => {
        const kept = keptHeaders(headers, NONE);
        const left = new Set([
          ...Object.keys(eventHeaders(kept, null)),
          ...kept.map(([name]) => name),
        ]);
        expect([...left].filter((name) => name !== "x-a")).toEqual([]);
      }),
    );
  });
});

describe("a request with too many headers", () => {
  const many = (count: number): Headers =>
    Array.from({ length: count }, (_, index) => [`x-${index}`, "v"] as const);
  const long = (length: number): Headers => [["x-a", "v".repeat(length - "x-a".length)]];

  it("is accepted up to the limits, not counting what the network adds", () => {
    const network: Headers = Array.from({ length: 200 }, (_, index) => [`cf-${index}`, "v"]);
    expect(readingOf([...many(HEADERS_COUNT_MAX), ...network], "{}").ok).toBe(true);
    expect(readingOf(long(HEADERS_LENGTH_MAX), "{}").ok).toBe(true);
  });

  it("is refused above the count and above the length, and told the limit", () => {
    expect(readingOf(many(HEADERS_COUNT_MAX + 1), "{}")).toMatchObject({
      problem: "malformed-request",
      detail: expect.stringContaining(String(HEADERS_COUNT_MAX)),
    });
    expect(readingOf(long(HEADERS_LENGTH_MAX + 1), "{}")).toMatchObject({
      problem: "malformed-request",
      detail: expect.stringContaining(String(HEADERS_LENGTH_MAX)),
    });
  });
});
