/** Targets with an order on the built Worker: what a receiver sees of a key, and what an operator is told. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere, status } from "../support/answers.ts";
import { accepted } from "../support/ingest-answer.ts";
import type { Answer, Received } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const dataOf = ({ body }: Received) => JSON.parse(body.toString());
const fifo = { key: "$.data.order", mode: "fifo" } as const;

/** Refuses the first attempt of the first of each key. */
const failingOnce = (): Answer => {
  const seen = new Set<string>();
  return (request, response) => {
    const { order, number } = dataOf(request);
    const isFirst = number === 1 && !seen.has(order);
    seen.add(order);
    status(isFirst ? 503 : 200)(request, response);
  };
};

async function prepare(id: string, order: object, answer?: Answer) {
  const receiver = await receiverHere(answer);
  const target = { url: receiver.url, retry: { delaysSeconds: [4, 4] }, order };
  const tenant = await prepareTenant(router, id, { crm: target });
  const send = (order: string, number: number) =>
    accepted(router.send(`${id}/open`, { body: JSON.stringify({ to: ["crm"], order, number }) }));
  return { receiver, tenant, send };
}

describe("a target with a fifo", () => {
  it("gets what is of one key one after the other although the first is retried, and others at once", async () => {
    const { receiver, tenant, send } = await prepare("ordered", fifo, failingOnce());
    const first = await send("a", 1);
    await receiver.waitFor(1);
    const later: Awaited<ReturnType<typeof send>>[] = [];
    for (const number of [2, 3, 4]) later.push(await send("a", number));
    const other = await send("b", 2);
    await tenant.delivery(other.id, "crm", "delivered");
    const shown = await eventually(
      () => router.admin.get(`${tenant.path}/events/${later[0]?.id}`),
      ({ body }) => body.deliveries[0]?.state === "parked",
    );
    expect(shown.body.deliveries[0].lastError).toBe(`order: waits for ${first.id}`);
    for (const { id } of [first, ...later]) await tenant.delivery(id, "crm", "delivered");
    const ofA = receiver.received.map(dataOf).filter(({ order }) => order === "a");
    expect(ofA.map(({ number }) => number)).toEqual([1, 1, 2, 3, 4]);
    const at = (key: string) => receiver.received.findIndex((each) => dataOf(each).order === key);
    expect(at("b")).toBeLessThan(
      receiver.received.findLastIndex((each) => dataOf(each).number === 1),
    );
  });

  it("is refused with paths that lead nowhere, a mode that there is not, and a hold without end", async () => {
    const { tenant, receiver } = await prepare("refused", fifo);
    const put = (order: object) =>
      router.admin.request("PUT", `${tenant.path}/targets/crm`, {
        ...{ kind: "http", url: receiver.url, order },
      });
    for (const [order, pointer] of [
      [{ ...fifo, key: "order" }, "/order/key"],
      [{ ...fifo, by: "$.data.version" }, "/order/by"],
      [{ ...fifo, mode: "lifo" }, "/order/mode"],
      [{ ...fifo, holdSeconds: 61 }, "/order/holdSeconds"],
    ] as const) {
      const { status: code, body } = await put(order);
      expect([code, body.errors?.[0]?.pointer]).toEqual([422, pointer]);
    }
    const batched = { kind: "http", url: receiver.url, order: fifo, batch: { events: 10 } };
    const both = await router.admin.request("PUT", `${tenant.path}/targets/crm`, batched);
    expect(both.body.errors).toMatchObject([{ pointer: "/order", code: "not-with-batch" }]);
    const shown = await router.admin.get(`${tenant.path}/targets/crm`);
    expect(shown.body.order).toEqual(fifo);
  });
});

describe("a target that wants the latest alone", () => {
  it("gets the newest in the end, and the others say by what they were superseded", async () => {
    const order = { key: "$.data.order", mode: "latest-wins", by: "$.data.number" };
    const { receiver, tenant, send } = await prepare("latest", order, failingOnce());
    const first = await send("a", 1);
    await receiver.waitFor(1);
    const newest = await send("a", 9);
    await tenant.delivery(newest.id, "crm", "delivered");
    const stale = await send("a", 5);
    for (const { id } of [first, stale]) {
      expect(await tenant.delivery(id, "crm", "cancelled")).toMatchObject({
        lastError: `superseded by ${newest.id}`,
      });
    }
    expect(receiver.received.map((each) => dataOf(each).number)).toEqual([1, 9]);
  });
});
