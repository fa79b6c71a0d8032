/** What an element becomes: derived whole, so that it is the same however often it is made. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { platformCrypto, platformText } from "../../../src/adapters/crypto.ts";
import {
  elementId,
  elementRange,
  elementRecord,
  type FanOutPlan,
  fanOutId,
} from "../../../src/core/fan-out/element.ts";
import { compileForEach, forEachFaults, pathInBody } from "../../../src/core/fan-out/for-each.ts";
import { FANOUT_ELEMENTS_MAX } from "../../../src/core/fan-out/limits.ts";
import { recordOf } from "../../support/memory-records.ts";

const TOOLS = { crypto: platformCrypto, text: platformText };
const index = fc.nat(FANOUT_ELEMENTS_MAX);
const parent = recordOf({
  headers: [
    ["content-type", "application/cloudevents+json"],
    ["x-hub-signature-256", "sha256=aa"],
    ["content-encoding", "identity"],
    ["idempotency-key", "list-1"],
  ],
  cloudevent: { id: "a", source: "/lists", type: "t", specversion: "1.0" },
  demoted: true,
  hops: 2,
});
const plan: FanOutPlan = {
  ...{ id: fanOutId(parent, "blast", TOOLS), event: parent.id, rule: "blast", total: 10 },
  ...{ createdAtMs: 1_790_000_000_000, priority: "bulk" },
  subscriptions: [{ rule: "blast", target: "mail", priority: "bulk" }],
};

describe("the id of an element", () => {
  it("is an event's, differs with list and index, and is in the order of the list", () => {
    fc.assert(
      fc.property(index, index, (a, b) => {
        const [one, other] = [elementId("fan_1", a, TOOLS), elementId("fan_1", b, TOOLS)];
        expect(one).toMatch(/^evt_[0-9a-z]{26}$/);
        expect(Math.sign(a - b)).toBe(one < other ? -1 : one > other ? 1 : 0);
        expect(one).not.toBe(elementId("fan_2", a, TOOLS));
      }),
    );
  });

  it("lies in a range exactly when its index does, and no other list's does", () => {
    fc.assert(
      fc.property(index, index, index, (from, until, at) => {
        const [first, end] = elementRange("fan_1", from, until, TOOLS);
        const isIn = (id: string) => id >= first && id < end;
        expect(isIn(elementId("fan_1", at, TOOLS))).toBe(at >= from && at < until);
        expect(isIn(elementId("fan_2", at, TOOLS))).toBe(false);
      }),
    );
  });
});

describe("the id of a fan-out", () => {
  it("follows from event and rule, and sorts by the time of the event", () => {
    const later = { ...parent, receivedAtMs: parent.receivedAtMs + 1 };
    expect(fanOutId(parent, "blast", TOOLS)).toBe(plan.id);
    expect(fanOutId(parent, "other", TOOLS)).not.toBe(plan.id);
    expect(fanOutId(later, "a", TOOLS) > plan.id).toBe(true);
  });
});

describe("the event of an element", () => {
  const record = elementRecord(parent, plan, 3, TOOLS);

  it("is the same however often it is made", () => {
    expect(elementRecord(parent, plan, 3, TOOLS)).toEqual(record);
    const other = elementRecord(parent, plan, 4, TOOLS);
    expect([other.id, other.receipt, other.key]).not.toContain(record.id);
    expect(other.receipt).not.toBe(record.receipt);
  });

  it("says which element of which list it is, and goes where its rule sends it", () => {
    expect(record).toMatchObject({
      ...{ tenant: parent.tenant, source: parent.source, type: parent.type, hops: 2 },
      demoted: true,
      ...{ receivedAtMs: plan.createdAtMs, contentType: "application/json" },
      ...{ key: `${parent.id}/blast/3`, keyFrom: "fan-out", priority: "bulk" },
      subscriptions: plan.subscriptions,
      elementOf: { fanOut: plan.id, event: parent.id, rule: "blast", index: 3, count: 10 },
      cloudevent: { id: record.id, source: "/lists" },
    });
  });

  it("has none of the list's headers: its proof, its digest, its idempotency key", () => {
    expect(record.headers).toEqual([]);
  });
});

describe("the place of a list", () => {
  it("is a path into the body, in a CloudEvent's envelope as well", () => {
    const forEach = compileForEach("$.data.mail.recipients");
    expect(forEachFaults("$.data")).toEqual([]);
    expect(pathInBody(forEach, "application/json")).toEqual(["mail", "recipients"]);
    expect(pathInBody(forEach, "application/cloudevents+json; charset=utf-8")).toEqual([
      ...["data", "mail", "recipients"],
    ]);
    expect(compileForEach({ path: "$.data", perSecond: 5 }).perSecond).toBe(5);
  });

  it.each(["data.list", "$.headers.x", "$", "$.data[*]", ""])(
    "is refused elsewhere: %s",
    (path) => {
      expect(forEachFaults(path)).toMatchObject([{ pointer: "/forEach", code: "bad-path" }]);
      expect(forEachFaults({ path })).toMatchObject([{ pointer: "/forEach/path" }]);
    },
  );
});
