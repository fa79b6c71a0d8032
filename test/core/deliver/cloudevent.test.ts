/** An event as one CloudEvent in JSON: its own identity, and which delivery of it this is. */
import { describe, expect, it } from "vitest";
import { attributesOf, cloudEventOf } from "../../../src/core/deliver/cloudevent.ts";
import { recordOf } from "../../support/memory-records.ts";

const receivedAt = "2026-01-01T00:00:00.000Z";
const record = recordOf({ subject: "o-7" });
const input = {
  ...{ record, deliveryId: "dlv_1", rule: "orders", replay: undefined, attempt: 2, receivedAt },
};

describe("an event as a CloudEvent", () => {
  it("has the four attributes that each must have, and the delivery's as extensions", () => {
    const data = { contentType: "application/json", data: { total: 1 } };
    expect(cloudEventOf(input, data)).toEqual({
      ...{ specversion: "1.0", id: record.id, source: "/acme/shop", type: "order.created" },
      ...{ time: receivedAt, subject: "o-7", traceparent: record.traceparent },
      ...{ signalboxevent: record.id, signalboxdelivery: "dlv_1", signalboxrule: "orders" },
      ...{ signalboxattempt: 2, datacontenttype: "application/json", data: { total: 1 } },
    });
  });

  it("names its extensions as CloudEvents may be named, and replays by theirs", () => {
    const event = cloudEventOf({ ...input, replay: "rpl_1" }, { dataref: "/a" }) as object;
    expect(event).toMatchObject({ signalboxreplay: "rpl_1", dataref: "/a" });
    for (const name of Object.keys(event)) expect(name).toMatch(/^[a-z0-9]{1,20}$/);
    expect(event).not.toHaveProperty("data");
    expect(event).not.toHaveProperty("datacontenttype");
  });

  it("keeps the identity that it came with, and says anew what its data are", () => {
    const cloudevent = { specversion: "1.0", id: "1", source: "/theirs", type: "t", tenant: "x" };
    const own = recordOf({ cloudevent: { ...cloudevent, datacontenttype: "text/xml" } });
    expect(attributesOf(own, receivedAt)).toEqual({ ...cloudevent, time: receivedAt });
  });
});
