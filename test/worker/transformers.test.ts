/** Input transformers over HTTP: saved, previewed, and what the target gets. */
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

const TRANSFORMER = {
  paths: { id: "$.data.order.id", total: "$.data.order.total" },
  template:
    '{"order": <id>, "text": "Order <id> is <total>", "at": "<aws.events.event.ingestion-time>"}',
  missing: "refuse",
};

async function tenantAt(name: string, url: string) {
  const path = `tenants/${name}`;
  await router.admin.put(path, {});
  await router.admin.put(`${path}/sources/shop`, { verify: { scheme: "none" } });
  await router.admin.put(`${path}/targets/sink`, { kind: "http", url });
  const put = (rule: object) =>
    router.admin.request("PUT", `${path}/rules/orders`, {
      ...{ pattern: { source: ["shop"] }, priority: "normal", targets: ["sink"] },
      ...rule,
    });
  const send = (body: object) =>
    accepted(router.send(`${name}/shop`, { body: JSON.stringify(body) }));
  return { path, put, send };
}

describe("a rule with a transformer", () => {
  it("sends its target what the transformer makes, and says so when it is read", async () => {
    const receiver = await receiverHere();
    const { path, put, send } = await tenantAt("made", receiver.url);
    expect((await put({ transformers: { sink: TRANSFORMER } })).status).toBe(201);
    const { body: rule } = await router.admin.get(`${path}/rules/orders`);
    expect(rule.transformers).toEqual({ sink: TRANSFORMER });
    await send({ order: { id: 12, total: "9.90", card: "4111" } });
    const [got] = await receiver.waitFor(1);
    expect(JSON.parse(`${got?.body}`)).toMatchObject({ order: 12, text: "Order 12 is 9.90" });
    expect(`${got?.body}`).not.toContain("4111");
    expect(got?.headers["content-type"]).toBe("application/json");
  });

  it("that finds no value makes a dead letter, which is sent once the rule is mended", async () => {
    const receiver = await receiverHere();
    const { path, put, send } = await tenantAt("mended", receiver.url);
    await put({ transformers: { sink: TRANSFORMER } });
    const { id } = await send({ order: { id: 12 } });
    const dead = await eventually(
      () => router.admin.get(`${path}/deliveries?state=dead`),
      ({ body }) => body.items.length === 1,
    );
    const [letter] = dead.body.items;
    expect(letter.eventId).toBe(id);
    expect(letter.lastError).toBe("not transformed: the event has no value for <total>");
    expect(receiver.received).toEqual([]);
    await put({ transformers: { sink: { ...TRANSFORMER, missing: "null" } } });
    await router.admin.post(`${path}/deliveries/${letter.id}/redrive`);
    const [got] = await receiver.waitFor(1);
    expect(JSON.parse(`${got?.body}`)).toMatchObject({ order: 12, text: "Order 12 is " });
  });

  it("is refused with every fault at its place", async () => {
    const receiver = await receiverHere();
    const { put } = await tenantAt("faulty", receiver.url);
    const template = { a: "<one>" };
    const refused = await put({
      transformers: {
        sink: { paths: { id: "$.detail.id" }, template, missing: "null" },
        other: TRANSFORMER,
      },
    });
    expect(refused.status).toBe(422);
    const faults = refused.body.errors.map(
      ({ pointer, code }: { pointer: string; code: string }) => `${pointer} ${code}`,
    );
    expect(faults).toEqual([
      "/transformers/sink/paths/id bad-path",
      "/transformers/sink/paths/id unused-variable",
      "/transformers/sink/template unknown-variable",
      "/transformers/other no-target-of-it",
    ]);
    const { missing: _, ...undecided } = TRANSFORMER;
    expect((await put({ transformers: { sink: undecided } })).status).toBe(422);
  });
});

describe("a transformer that is tried", () => {
  it("shows what a target would get, or why it would get nothing", async () => {
    const { path } = await tenantAt("tried", "http://127.0.0.1:9/");
    const ask = (event: object) =>
      router.admin.post(`${path}/rules/test`, {
        ...{ pattern: { source: ["shop"] }, event, transformer: TRANSFORMER },
      });
    const event = { source: "shop", receivedAt: "now", data: { order: { id: 1, total: "2" } } };
    expect((await ask(event)).body).toMatchObject({
      matched: true,
      transformed: {
        contentType: "application/json",
        body: '{"order":1,"text":"Order 1 is 2","at":"now"}',
      },
    });
    expect((await ask({ source: "shop", data: {} })).body.transformed).toEqual({
      reason: "the event has no value for <id>",
    });
  });
});
