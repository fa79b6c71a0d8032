/** Targets of kind queue and service: what each gets of an event, what their failures mean, and what is too large. */
import { beforeEach, describe, expect, it } from "vitest";
import type { OtherTarget } from "../../src/core/tenant.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import type { RuleSketch } from "../support/memory-tenants.ts";
import { response } from "../support/memory-transport.ts";
import { consume, messageWith, rowOf, sendThrough } from "./consumer.ts";

let world: World;

const QUEUE: OtherTarget = { kind: "queue", queue: "orders" };
const METHOD: OtherTarget = { kind: "service", service: "billing", method: "take" };
const REQUEST: OtherTarget = { kind: "service", service: "billing", method: null };

beforeEach(() => {
  world = createWorld();
});

function tenantWith(other: OtherTarget, rule: Partial<RuleSketch> = {}) {
  world.tenants.put("acme", {
    sources: { shop: {} },
    targets: { sink: { other, url: "https://billing/in", retry: { delaysSeconds: [60] } } },
    rules: { orders: { targets: ["sink"], ...rule } },
  });
}

const send = (body: string, transformed?: true) => {
  const to = { rule: "orders", target: "sink", priority: "normal" } as const;
  const bound = transformed === undefined ? to : { ...to, transformed };
  return consume(world, "normal", [messageWith({ to: [bound] }, body)]);
};
const row = () => rowOf(world, {}, "sink");
const got = () => world.bound.messages.map(({ to, message }) => [to, JSON.parse(message)]);

describe.each([
  ["queue", QUEUE, "orders"],
  ["method of a service", METHOD, "billing.take"],
])("a %s", (_, other, to) => {
  it("gets the event as a CloudEvent, with its data as rules saw it", async () => {
    tenantWith(other);
    await send('{"order":7}');
    expect(got()).toMatchObject([
      [to, { specversion: "1.0", source: "/acme/shop", data: { order: 7 }, signalboxattempt: 1 }],
    ]);
    expect(row()).toMatchObject({ state: "delivered", attempts: 1 });
    expect(world.transport.sent).toEqual([]);
  });

  it("gets no number that is not exact, but where it is", async () => {
    tenantWith(other);
    await send('{"id":12345678901234567890}');
    const [, event] = got()[0] ?? [];
    expect(event).toMatchObject({ dataref: expect.stringMatching(/^\/admin\/.*\/body$/) });
    expect(event).not.toHaveProperty("data");
  });

  it("gets nothing of what a transformer made with such a number", async () => {
    tenantWith(other, {
      transformers: {
        sink: { paths: { id: "$.data.id" }, template: { id: "<id>" }, missing: "refuse" as const },
      },
    });
    await send('{"id":12345678901234567891}', true);
    expect(row()).toMatchObject({
      state: "dead",
      lastError: expect.stringMatching(/gets doubles/),
    });
  });

  it("gets what the rule's transformer makes", async () => {
    const paths = { order: "$.data.order" };
    const transformers = (template: never) => ({
      sink: { paths, template, missing: "refuse" as const },
    });
    tenantWith(other, { transformers: transformers({ n: "<order>" } as never) });
    await send('{"order":7,"card":"4111"}', true);
    expect(got()[0]?.[1]).toMatchObject({ data: { n: 7 }, datacontenttype: "application/json" });
  });

  it("that fails is tried again, and its words stand in the ledger", async () => {
    tenantWith(other);
    world.bound.answer = () => ({ kind: "network", detail: "it has no order" });
    await send("{}");
    expect(row()).toMatchObject({ state: "retrying", lastError: "network: it has no order" });
  });

  it("is told where the data are that are too many for a message", async () => {
    tenantWith(other);
    // Six characters of JSON each.
    const body = "\u0001".repeat(30_000);
    const sketch = { to: ["sink"], contentType: "text/plain" };
    await consume(world, "normal", [messageWith(sketch, body)]);
    const [, event] = got()[0] ?? [];
    expect(event.dataref).toBe(`/admin/tenants/acme/events/${event.signalboxevent}/body`);
    expect(event).not.toHaveProperty("data");
    expect(row()).toMatchObject({ state: "delivered" });
  });

  it("is told the same of an event that came too large for a message, of which nothing is read", async () => {
    tenantWith(other);
    world.archive.frame = () => Promise.reject(new Error("the body is read"));
    await sendThrough(world, createIsolate(world), `{"text":"${"x".repeat(130_000)}"}`);
    const [, event] = got()[0] ?? [];
    expect(event).toMatchObject({ dataref: expect.stringMatching(/^\/admin\/.*\/body$/) });
    expect(event).not.toHaveProperty("data");
  });

  it("gets the data of an event that came too large for a pack, and is none too large for it", async () => {
    tenantWith(other);
    const data = { text: "x".repeat(70_000) };
    await sendThrough(world, createIsolate(world), JSON.stringify(data));
    expect(got()).toMatchObject([[to, { data }]]);
    expect(got()[0]?.[1]).not.toHaveProperty("dataref");
  });

  it("gets nothing of what a transformer made too large: a dead letter says so", async () => {
    const paths = { text: "$.data.text" };
    const template = { a: "<text>", b: "<text>", c: "<text>" };
    tenantWith(other, { transformers: { sink: { paths, template, missing: "refuse" } } });
    await send(`{"text":"${"x".repeat(50_000)}"}`, true);
    expect(row()).toMatchObject({
      state: "dead",
      lastError: expect.stringMatching(
        /^refused: a message of 150\d\d\d bytes is none for a \w+: 127000/,
      ),
    });
    expect(got()).toEqual([]);
  });
});

describe("a service without a method", () => {
  it("gets the request that a receiver at a URL gets, unsigned", async () => {
    tenantWith(REQUEST);
    await send('{"order":7}');
    const [request] = world.bound.requests;
    expect(request?.url).toBe("https://billing/in");
    expect(Object.fromEntries(request?.headers ?? [])).toMatchObject({
      ...{ "ce-type": "order.created", "signalbox-attempt": "1", "signalbox-rule": "orders" },
      "webhook-id": expect.stringMatching(/^dlv_/),
    });
    expect(request?.headers.has("webhook-signature")).toBe(false);
  });

  it("that answers 429 is left alone for as long as it asks", async () => {
    tenantWith(REQUEST);
    world.bound.answer = () => response(429, 600_000);
    await send("{}");
    const dueInMs = (row()?.dueAtMs ?? 0) - world.clock.nowMs();
    expect([row()?.state, dueInMs >= 600_000]).toEqual(["retrying", true]);
  });
});
