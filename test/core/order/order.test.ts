/** Which deliveries share a key, and what a target may ask for. */
import { describe, expect, it } from "vitest";
import { platformCrypto, platformText } from "../../../src/adapters/crypto.ts";
import type { Json } from "../../../src/core/json.ts";
import {
  compileOrder,
  type OrderDoc,
  orderFaults,
  placeOf,
} from "../../../src/core/order/order.ts";

const at = { tenant: "acme", target: "crm" };
const place = (doc: OrderDoc, data: Json, where = at) =>
  placeOf(
    compileOrder(doc),
    where,
    { receivedAt: "2026-01-01T00:00:00.000Z", data },
    platformCrypto,
    platformText,
  );
const fifo: OrderDoc = { key: "$.data.order", mode: "fifo" };

describe("the key of a delivery", () => {
  it("is the same for the same value, and short", () => {
    const one = place(fifo, { order: "o-1" });
    expect(one).toEqual({ mode: "fifo", key: expect.stringMatching(/^\w{20}$/), value: null });
    expect(place(fifo, { order: "o-1", more: 1 })).toEqual(one);
    expect(place(fifo, { order: 1 })?.key).not.toBe(place(fifo, { order: "1" })?.key);
    expect(place(fifo, { order: 100 })?.key).toBe(place(fifo, { order: 1e2 })?.key);
  });

  it("is another one of another value, target or tenant", () => {
    const keys = [
      place(fifo, { order: "o-1" }),
      place(fifo, { order: "o-2" }),
      place(fifo, { order: "o-1" }, { ...at, target: "erp" }),
      place(fifo, { order: "o-1" }, { ...at, tenant: "other" }),
      place(fifo, { order: true }),
    ].map((each) => each?.key);
    expect(new Set(keys).size).toBe(5);
  });

  it("is another one where another path says how new the event is, and no other in fifo", () => {
    const data = { order: "o-1", version: 7, at: "2026-01-01T00:00:00Z" };
    const keyBy = (more: Partial<OrderDoc>) => place({ ...fifo, ...more }, data)?.key;
    const byVersion = keyBy({ mode: "drop-older", by: "$.data.version" });
    expect(keyBy({ mode: "drop-older", by: '$["data"].version' })).toBe(byVersion);
    expect(keyBy({ mode: "drop-older", by: "$.data.at" })).not.toBe(byVersion);
    expect(keyBy({ mode: "drop-older" })).not.toBe(byVersion);
    expect(keyBy({ mode: "drop-older" })).toBe(keyBy({}));
    expect(keyBy({ by: "$.data.version" })).toBe(keyBy({}));
  });

  it.each([{}, { order: null }, { order: {} }, { order: ["o-1"] }])(
    "is missing where the event has no such value: %j",
    (data) => expect(place(fifo, data)).toBeNull(),
  );

  it("goes with how new the event says it is, or with its receipt", () => {
    const latest: OrderDoc = { key: "$.data.order", mode: "latest-wins" };
    const by = { ...latest, by: "$.data.version" };
    expect(place(latest, { order: 1 })?.value).toMatch(/^t\d+$/);
    expect(place(by, { order: 1, version: 7 })?.value).toBe(
      place(by, { order: 2, version: "7" })?.value,
    );
    expect(place(by, { order: 1 })).toBeNull();
    expect(place(by, { order: 1, version: "soon" })).toBeNull();
  });
});

describe("an order", () => {
  it("is refused with paths that lead nowhere, each named", () => {
    const faults = orderFaults({ key: "data.order", mode: "drop-older", by: "$" });
    expect(faults.map(({ pointer, code }) => [pointer, code])).toEqual([
      ["/order/key", "bad-path"],
      ["/order/by", "bad-path"],
    ]);
  });

  it("is refused a word of what is newer where the receipt alone counts", () => {
    expect(orderFaults({ ...fifo, by: "$.data.version" })).toMatchObject([
      { pointer: "/order/by", code: "not-used" },
    ]);
    expect(orderFaults(fifo)).toEqual([]);
  });

  it("holds nothing unless it says so", () => {
    expect(compileOrder(fifo).holdMs).toBe(0);
    expect(compileOrder({ ...fifo, holdSeconds: 5 }).holdMs).toBe(5_000);
  });
});
