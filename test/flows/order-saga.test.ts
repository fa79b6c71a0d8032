/** The order of docs/sagas.md, taken out of the document: each row of its table is what happens. */
import { describe, expect, it } from "vitest";
import { sagaFaults } from "../../src/core/saga/check.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { readOrderSaga } from "../../src/local/order-saga.ts";
import { idle } from "../support/fake-clock.ts";
import { createSagaWorld, LIVES, liveSo } from "./saga-instance.ts";

const DAY_MS = 86_400_000;
const ORDER = { data: { orderId: "o-7", sku: "lamp", amount: 49, email: "ada@shop.example" } };
const CAPTURED = { type: "payment.captured", data: { orderId: "o-7" } };

/** The order runs until its payment is asked for; `statuses` by the path of a participant, else 200. */
async function place(statuses: Readonly<Record<string, number>> = {}) {
  const world = createSagaWorld();
  world.transport.answer = ({ url }) => {
    const status = statuses[new URL(url).pathname.slice(1)] ?? 200;
    return { kind: "response", status, retryAfterMs: null, body: '{"id":"x-1"}' };
  };
  const doc = readOrderSaga("https://here.example") as SagaDoc;
  await world.start(doc.steps, doc, ORDER);
  return {
    ...world,
    async capture() {
      await world.receive("evt_1", CAPTURED);
      await idle();
    },
  };
}

const FORWARD = ["finance/orders", "stock/reserve", "pay/authorise"];
const UNDONE = ["pay/void", "stock/release", "finance/refusals"];
const SHIPPED = "ship/orders/o-7";

describe.each(LIVES)("the order in the document$life", ({ dies }) => {
  liveSo(dies);

  it("has no fault", () => {
    expect(sagaFaults(readOrderSaga("https://here.example") as SagaDoc)).toEqual([]);
  });

  it("goes through all its participants, and ships only what is paid", async () => {
    const order = await place();
    expect(order.paths()).toEqual(FORWARD);
    await order.capture();
    expect(order.paths()).toEqual([...FORWARD, SHIPPED, "mail/send"]);
    expect((await order.view()).status).toBe("COMPLETED");
  });

  it("whose payment is refused is undone, and finance hears of it last", async () => {
    const order = await place({ "pay/authorise": 402 });
    expect(order.paths()).toEqual([...FORWARD, "stock/release", "finance/refusals"]);
    expect(await order.view()).toMatchObject({
      ...{ status: "COMPENSATED", reason: "authorise: status 402" },
    });
  });

  it("whose money does not come within a day is undone", async () => {
    const order = await place();
    await order.clock.advance(DAY_MS - 2_000);
    await order.pass(1);
    expect(order.paths()).toEqual(FORWARD);
    await order.pass(1);
    expect(order.paths()).toEqual([...FORWARD, ...UNDONE]);
    expect((await order.view()).status).toBe("COMPENSATED");
  });

  it("that the parcel service refuses is undone", async () => {
    const order = await place({ [SHIPPED]: 422 });
    await order.capture();
    expect(order.paths()).toEqual([...FORWARD, SHIPPED, ...UNDONE]);
    expect((await order.view()).status).toBe("COMPENSATED");
  });

  it("that may have been shipped is not undone, and waits for a person", async () => {
    const order = await place({ [SHIPPED]: 503 });
    await order.capture();
    await order.pass(120);
    expect(order.paths().slice(0, 4)).toEqual([...FORWARD, SHIPPED]);
    expect(new Set(order.paths().slice(3))).toEqual(new Set([SHIPPED]));
    expect((await order.view()).status).toBe("STUCK");
  });

  it("completes although its mail is not taken", async () => {
    const order = await place({ "mail/send": 400 });
    await order.capture();
    expect(await order.view()).toMatchObject({ status: "COMPLETED" });
    expect(order.paths().at(-1)).toBe("mail/send");
  });
});
