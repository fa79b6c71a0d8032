/** Targets of kind event over HTTP: a webhook becomes another event, which says what it was made of. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import { accepted } from "../support/ingest-answer.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const rule = (source: string, target: string) => ({
  ...{ pattern: { source: [source] }, priority: "normal", targets: [target] },
});

async function tenant(name: string) {
  const path = `tenants/${name}`;
  await router.admin.put(path, {});
  await router.admin.put(`${path}/sources/shop`, { verify: { scheme: "none" } });
  return path;
}

describe("a target of kind event", () => {
  it("makes a new event, and both say where it went and where it came from", async () => {
    const receiver = await receiverHere();
    const path = await tenant("made");
    await router.admin.put(`${path}/targets/mail`, { kind: "http", url: receiver.url });
    await router.admin.put(`${path}/targets/billing`, { kind: "event", type: "order.paid" });
    await router.admin.put(`${path}/rules/paid`, rule("shop", "billing"));
    await router.admin.put(`${path}/rules/told`, rule("billing", "mail"));
    const { id } = await accepted(router.send("made/shop", { body: '{"order":7}' }));
    const [got] = await receiver.waitFor(1);
    expect(got?.headers).toMatchObject({
      ...{ "ce-type": "order.paid", "ce-source": "/made/billing" },
    });
    const child = String(got?.headers["signalbox-event"]);
    const { body: event } = await eventually(
      () => router.admin.get(`${path}/events/${child}`),
      ({ status, body }) => status === 200 && body.archived,
    );
    const { body: deliveries } = await router.admin.get(`${path}/deliveries?event=${id}`);
    const [delivery] = deliveries.items;
    expect(event).toMatchObject({
      parent: { event: id, delivery: delivery.id },
      event: { source: "billing", type: "order.paid", data: { order: 7 } },
      idempotencyKey: { value: delivery.id, from: "delivery" },
    });
    expect(event.timeline).toContainEqual({
      ...{
        at: event.receivedAt,
        hop: "published",
        detail: `of ${id}, by its delivery ${delivery.id}`,
      },
    });
    const { body: read } = await router.admin.get(`${path}/deliveries/${delivery.id}`);
    expect(JSON.parse(read.attempts[0].answer)).toEqual({ id: child, deliveries: 1 });
    const { body: parent } = await router.admin.get(`${path}/events/${id}`);
    expect(parent.parent).toBeNull();
  });

  it("whose events meet it again ends in a dead letter that says why", async () => {
    const path = await tenant("circle");
    await router.admin.put(`${path}/targets/again`, { kind: "event", source: "shop" });
    await router.admin.put(`${path}/rules/again`, rule("shop", "again"));
    await router.send("circle/shop", { body: "{}" });
    const { body } = await eventually(
      () => router.admin.get(`${path}/deliveries?state=dead`),
      ({ body: found }) => found.items.length === 1,
    );
    expect(body.items[0].lastError).toMatch(/^refused: 10 published events have led to it/);
  });

  it.each([
    ["no name of a source", { source: "Not a slug" }, "/source"],
    ["an empty type", { type: "" }, "/type"],
    ["a url", { url: "https://x.example/" }, "/url"],
  ])("is not saved with %s", async (_, more, pointer) => {
    const path = await tenant("refused");
    const { status, body } = await router.admin.request("PUT", `${path}/targets/again`, {
      ...{ kind: "event", ...more },
    });
    expect(status).toBe(422);
    expect(body.errors).toMatchObject([{ pointer }]);
  });

  it("is none that a step of a saga can call", async () => {
    const path = await tenant("steps");
    await router.admin.put(`${path}/targets/again`, { kind: "event" });
    const { status, body } = await router.admin.request("PUT", `${path}/sagas/order`, {
      steps: [{ name: "a", action: { http: { target: "again" } } }],
    });
    expect(status).toBe(422);
    expect(body.errors).toMatchObject([{ detail: expect.stringMatching(/is of kind event/) }]);
  });
});
