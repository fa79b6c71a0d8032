/** An event as patterns see it: the same at ingest and when it is read back. */
import { describe, expect, it } from "vitest";
import { eventOf } from "../../src/core/event.ts";
import { recordOf } from "../support/memory-records.ts";

describe("an event", () => {
  it("shows what the contract says and nothing else", () => {
    const record = recordOf({
      subject: "order/1",
      headers: [["x-github-event", "push"]],
    });
    expect(eventOf(record, { data: { a: 1 } })).toEqual({
      id: record.id,
      tenant: "acme",
      source: "shop",
      type: "order.created",
      subject: "order/1",
      time: "2026-01-01T00:00:00.000Z",
      receivedAt: "2026-01-01T00:00:00.000Z",
      headers: { "x-github-event": "push" },
      data: { a: 1 },
    });
  });

  it("has the sender's own time beside ours when there is one", () => {
    const time = "2025-12-31T23:59:59+01:00";
    expect(eventOf(recordOf({ time }), { data: null })).toMatchObject({
      time,
      receivedAt: "2026-01-01T00:00:00.000Z",
    });
  });

  it("says that its data is left out, and which CloudEvents attributes it came with", () => {
    const cloudevent = { specversion: "1.0", id: "1", source: "/s", type: "t" };
    const event = eventOf(recordOf({ cloudevent }), { data: {}, omitted: "too-large" });
    expect(event).toMatchObject({ cloudevent, dataOmitted: "too-large" });
  });

  it("hides signatures, also in the header that its own source signs in", () => {
    const headers = [
      ["x-hub-signature-256", "sha256=1"],
      ["x-acme", "sha256=2"],
      ["x-shop", "1"],
    ] as const;
    const verification = { scheme: "hmac", secretIndex: 0, header: "x-acme" };
    expect(eventOf(recordOf({ headers, verification }), { data: null })).toMatchObject({
      headers: { "x-shop": "1" },
    });
  });

  it.each([
    "receipt",
    "key",
    "keyFrom",
    "verification",
    "traceparent",
    "subscriptions",
    "revision",
  ])("does not let rules depend on %s", (member) => {
    expect(eventOf(recordOf(), { data: null })).not.toHaveProperty(member);
  });
});
