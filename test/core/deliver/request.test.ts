/** The headers a target receives: whose word counts for which of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deliveryHeaders } from "../../../src/core/deliver/request.ts";
import type { EventRecord } from "../../../src/core/enqueue/record.ts";
import { recordOf } from "../../support/memory-records.ts";

type Input = Parameters<typeof deliveryHeaders>[0];

const RESERVED = [
  "webhook-id",
  "webhook-timestamp",
  "webhook-signature",
  "signalbox-event",
  "signalbox-rule",
  "signalbox-attempt",
  "traceparent",
  "user-agent",
  "ce-id",
  "ce-source",
  "ce-type",
  "ce-time",
  "ce-specversion",
] as const;

function headersOf(sketch: Partial<EventRecord> = {}, more: Partial<Input> = {}) {
  return deliveryHeaders({
    record: recordOf(sketch),
    deliveryId: "dlv_1",
    rule: "orders",
    attempt: 2,
    timestampSeconds: 1_700_000_000,
    signatures: ["v1,a", "v1,b"],
    targetHeaders: {},
    otherContentType: null,
    receivedAt: "2026-01-01T00:00:00.000Z",
    ...more,
  });
}

describe("a delivery", () => {
  it("says what it is, in the contract's headers", () => {
    const record = recordOf();
    expect(Object.fromEntries(headersOf())).toEqual({
      "content-type": "application/json",
      "webhook-id": "dlv_1",
      "webhook-timestamp": "1700000000",
      "webhook-signature": "v1,a v1,b",
      "signalbox-event": record.id,
      "signalbox-rule": "orders",
      "signalbox-attempt": "2",
      traceparent: record.traceparent,
      "user-agent": "Signalbox/0.1",
      "ce-specversion": "1.0",
      "ce-id": record.id,
      "ce-source": "/acme/shop",
      "ce-type": "order.created",
      "ce-time": "2026-01-01T00:00:00.000Z",
    });
  });

  it("carries the sender's own headers, those of one name joined in order", () => {
    const headers = headersOf({
      headers: [
        ["x-shop", "1"],
        ["x-tag", "a"],
        ["x-tag", "b"],
        ["stripe-signature", "t=1,v1=2"],
      ],
    });
    expect(headers.get("x-shop")).toBe("1");
    expect(headers.get("x-tag")).toBe("a, b");
    expect(headers.get("stripe-signature")).toBe("t=1,v1=2");
  });

  it("has no type of content where the sender named none, and no subject", () => {
    const headers = headersOf({ contentType: null, subject: null });
    expect(headers.has("content-type")).toBe(false);
    expect(headers.has("ce-subject")).toBe(false);
  });

  it("is unsigned where there is no secret, whatever the sender or the target says", () => {
    const headers = headersOf(
      { headers: [["webhook-signature", "v1,forged"]] },
      { signatures: [], targetHeaders: { "Webhook-Signature": "v1,forged" } },
    );
    expect(headers.has("webhook-signature")).toBe(false);
  });

  it("takes the target's own header over the sender's, whatever its case", () => {
    const headers = headersOf(
      { headers: [["x-region", "sender"]] },
      { targetHeaders: { "X-Region": "target" } },
    );
    expect(headers.get("x-region")).toBe("target");
  });

  it.each(RESERVED)("lets neither sender nor target say %s", (name) => {
    const honest = headersOf().get(name);
    const forged = headersOf(
      { headers: [[name, "forged"]] },
      { targetHeaders: { [name.toUpperCase()]: "forged" } },
    );
    expect(forged.get(name)).toBe(honest);
  });

  it("has lower-case names that fetch takes, for any kept header", () => {
    const name = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (headers) => {
        const sent = headersOf({ headers });
        expect(() => new Headers(Object.fromEntries(sent))).not.toThrow();
        for (const each of sent.keys()) expect(each).toBe(each.toLowerCase());
      }),
    );
  });
});

describe("CloudEvents attributes", () => {
  const cloudevent = {
    specversion: "1.0",
    id: "A-1",
    source: "//shop.example/orders",
    type: "com.example.order",
    subject: "o/1",
    comexampleext: "x",
    datacontenttype: "application/json",
  };

  it("are the event's own where it came as a CloudEvent: source and id are its identity", () => {
    const headers = headersOf({ cloudevent, type: "other", subject: "other" });
    expect(headers.get("ce-id")).toBe("A-1");
    expect(headers.get("ce-source")).toBe("//shop.example/orders");
    expect(headers.get("ce-type")).toBe("com.example.order");
    expect(headers.get("ce-subject")).toBe("o/1");
    expect(headers.get("ce-comexampleext")).toBe("x");
  });

  it("leave the type of content to its own header", () => {
    expect(headersOf({ cloudevent }).has("ce-datacontenttype")).toBe(false);
  });

  it("say when it was received where the event says no time", () => {
    expect(headersOf({ cloudevent }).get("ce-time")).toBe("2026-01-01T00:00:00.000Z");
    const time = "2020-02-02T00:00:00Z";
    expect(headersOf({ cloudevent: { ...cloudevent, time } }).get("ce-time")).toBe(time);
    expect(headersOf({ time }).get("ce-time")).toBe(time);
  });

  it.each([
    ["Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"],
    ['say "yes"', "say%20%22yes%22"],
    ["100%", "100%25"],
    ["a\tb\r\nx-forged: 1", "a%09b%0D%0Ax-forged:%201"],
    ["\ud800 alone", "%EF%BF%BD%20alone"],
    ["~!*'()/:;=", "~!*'()/:;="],
  ])("%j is written %s", (subject, written) => {
    expect(headersOf({ subject }).get("ce-subject")).toBe(written);
  });

  it("can be read back whatever they hold, and hold nothing but printable ASCII", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (subject) => {
        const written = headersOf({ subject }).get("ce-subject") ?? "";
        expect(written).toMatch(/^[\x21-\x7e]*$/);
        expect(decodeURIComponent(written)).toBe(subject.toWellFormed());
      }),
    );
  });
});
