/** The type and the idempotency key of an event: who says them, who is not believed. */
import { createHash } from "node:crypto";
import examples from "@octokit/webhooks-examples";
import { describe, expect, it } from "vitest";
import type { EventSource } from "../../../src/core/ingest/events.ts";
import { KEY_LENGTH_MAX, TYPE_LENGTH_MAX } from "../../../src/core/ingest/limits.ts";
import { BATCH, BINARY, STRUCTURED, structured } from "./cloudevent.ts";
import { eventOf, eventsOf, namedEventOf } from "./request.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const JSON_TYPE = { "content-type": "application/json" };
/** The same for one whose body is read no further than the source looks. */
const identityOf = (...request: Parameters<typeof eventOf>) => {
  const { key, keyFrom, type } = eventOf(...request);
  const named = namedEventOf(...request);
  expect({ key: named.key, keyFrom: named.keyFrom, type: named.type }).toEqual({
    key,
    keyFrom,
    type,
  });
  return { key, keyFrom, type };
};
const HASHED = /^sha256:[0-9a-f]{64}$/;

describe("GitHub", () => {
  const source: EventSource = { scheme: "github" };
  const payloads = examples.flatMap(({ name, examples: bodies }) =>
    bodies.map((body, index) => ({ name, body, delivery: `${name}-${index}` })),
  );

  it("names every example's type and delivery, and its data is the payload", () => {
    expect(payloads.length).toBeGreaterThan(300);
    for (const { name, body, delivery } of payloads) {
      const headers = { ...JSON_TYPE, "X-GitHub-Event": name, "X-GitHub-Delivery": delivery };
      const json = JSON.stringify(body);
      const event = eventOf(headers, json, source);
      const identity = { type: name, key: delivery, keyFrom: "header:x-github-delivery" };
      expect(event).toMatchObject(identity);
      expect(event.data).toEqual(body);
      const form = new URLSearchParams({ payload: json }).toString();
      expect(eventOf({ ...headers, ...FORM }, form, source)).toMatchObject(identity);
      expect(eventOf({ ...headers, ...FORM }, form, source).data).toEqual(body);
    }
  });

  it("falls back to the body's hash without its delivery header", () => {
    const event = identityOf({ "x-github-event": "ping" }, "{}", source);
    expect(event).toMatchObject({ type: "ping", keyFrom: "body-hash" });
  });
});

describe("the other presets", () => {
  it.each<[string, EventSource["scheme"], Record<string, string>, string, object]>([
    [
      "Stripe in the body",
      "stripe",
      {},
      '{"id":"evt_1","type":"invoice.paid"}',
      { type: "invoice.paid", key: "evt_1", keyFrom: "body:/id" },
    ],
    [
      "Standard Webhooks in the signed id",
      "standard-webhooks",
      { "webhook-signature": "v1,x", "webhook-id": "msg_1" },
      '{"type":"user.created"}',
      { type: "user.created", key: "msg_1", keyFrom: "header:webhook-id" },
    ],
    [
      "Svix under its own names",
      "standard-webhooks",
      { "svix-signature": "v1,x", "svix-id": "msg_2" },
      "{}",
      { type: "webhook", key: "msg_2", keyFrom: "header:svix-id" },
    ],
    [
      "a Slack event in the event",
      "slack",
      {},
      '{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}',
      { type: "app_mention", key: "Ev1", keyFrom: "body:/event_id" },
    ],
    [
      "a Slack interaction in the payload of a form",
      "slack",
      FORM,
      "payload=%7B%22type%22%3A%22block_actions%22%7D",
      { type: "block_actions", keyFrom: "body-hash" },
    ],
    [
      "Shopify in headers",
      "shopify",
      { "X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "w1" },
      "{}",
      { type: "orders/create", key: "w1", keyFrom: "header:x-shopify-webhook-id" },
    ],
    [
      "Shopify's Events deliveries in headers without x-",
      "shopify",
      { "shopify-topic": "orders/update", "shopify-webhook-id": "w2" },
      "{}",
      { type: "orders/update", key: "w2", keyFrom: "header:shopify-webhook-id" },
    ],
  ])("are identified by what they say: %s", (_, scheme, headers, body, expected) => {
    expect(identityOf(headers, body, { scheme })).toMatchObject(expected);
  });

  it.each<EventSource["scheme"]>(["github", "stripe", "standard-webhooks", "slack", "shopify"])(
    "do not believe headers that nobody signed: a repeat to %s stays a repeat",
    (scheme) => {
      const unsigned = {
        "idempotency-key": "new",
        "webhook-id": "new",
        "svix-id": "new",
        ...BINARY,
      };
      const { key, keyFrom } = identityOf(unsigned, "{}", { scheme });
      expect({ key, keyFrom }).toEqual({
        key: identityOf({}, "{}", { scheme }).key,
        keyFrom: "body-hash",
      });
    },
  );

  it("do not believe an id under the names whose signature was not the one verified", () => {
    const source: EventSource = { scheme: "standard-webhooks" };
    const svix = { "svix-signature": "v1,x", "svix-id": "msg_1" };
    const both = { "webhook-id": "new", "webhook-signature": "v1,y", ...svix };
    expect(identityOf({ "webhook-id": "new", ...svix }, "{}", source).key).toBe("msg_1");
    expect(identityOf(both, "{}", source).key).toBe("msg_1");
  });
});

describe("CloudEvents on a preset's source", () => {
  const signed = { "webhook-signature": "v1,x", "webhook-id": "msg_1" };

  const source: EventSource = { scheme: "standard-webhooks" };

  it("in headers keep the signed id as key, and their type where the preset has none", () => {
    const identity = (body: string) => identityOf({ ...signed, ...BINARY }, body, source);
    expect(identity("{}")).toMatchObject({ key: "msg_1", type: "com.acme.made" });
    expect(identity('{"type":"made"}')).toMatchObject({ key: "msg_1", type: "made" });
  });

  it("in the signed body say themselves what they are", () => {
    const headers = { ...signed, ...STRUCTURED, "x-github-event": "push" };
    for (const scheme of ["standard-webhooks", "github", "stripe"] as const) {
      expect(identityOf(headers, structured(), { scheme })).toMatchObject({
        key: '["/mycontext","A234-1234"]',
        type: "com.acme.made",
      });
    }
  });

  it("are told apart within a batch, whose headers speak of all at once", () => {
    for (const scheme of ["github", "standard-webhooks", "stripe", "shopify"] as const) {
      const headers = { ...BATCH, ...signed, "x-github-delivery": "d", "shopify-webhook-id": "w" };
      const events = eventsOf(headers, `[${structured()},${structured({ id: "2" })}]`, { scheme });
      expect(events.map((event) => event.key)).toEqual([
        '["/mycontext","A234-1234"]',
        '["/mycontext","2"]',
      ]);
    }
  });
});

describe("any other source", () => {
  it("takes a usual header as key, else the body's hash, and is called webhook", () => {
    const both = { "Idempotency-Key": "a", "Webhook-Id": "b" };
    for (const scheme of ["none", "hmac", "basic", "api-key"] as const) {
      const identity = (headers: Record<string, string>) => identityOf(headers, "{}", { scheme });
      expect(identity(both)).toEqual({
        key: "a",
        keyFrom: "header:idempotency-key",
        type: "webhook",
      });
      expect(identity({ "webhook-id": "b" }).key).toBe("b");
      expect(identity({ "idempotency-key": "", "webhook-id": "b" }).key).toBe("b");
      expect(identity({})).toMatchObject({ keyFrom: "body-hash", type: "webhook" });
    }
  });

  it("gives one body one hash, and another to another body or another type", () => {
    const typeFrom = { from: "header", name: "X-Event" } as const;
    const key = (event: string, body: string) =>
      identityOf({ "x-event": event }, body, { scheme: "none", typeFrom }).key;
    const digest = createHash("sha256").update("7:created{}").digest("hex");
    expect(key("created", "{}")).toBe(`sha256:${digest}`);
    expect(new Set([key("created", "{}"), key("created", "{} "), key("deleted", "{}")]).size).toBe(
      3,
    );
  });
});

describe("a source's own idempotencyKey", () => {
  const own = (idempotencyKey: EventSource["idempotencyKey"]): EventSource => ({
    scheme: "stripe",
    idempotencyKey,
  });
  const body = '{"id":"evt_1","a/b":{"n":9007199254740993},"no":false,"o":{},"e":""}';

  it("wins over the preset", () => {
    expect(identityOf({ "x-id": "7" }, body, own({ from: "header", name: "X-Id" }))).toMatchObject({
      key: "7",
      keyFrom: "header:x-id",
    });
    expect(identityOf({}, body, own({ from: "body", pointer: "/a~1b/n" }))).toMatchObject({
      key: "9007199254740993",
      keyFrom: "body:/a~1b/n",
    });
    expect(identityOf({}, body, own({ from: "body-hash" })).key).toMatch(HASHED);
  });

  it.each(["/missing", "/no", "/o", "/e", "id", "/id/x"])(
    "falls back to the body's hash, never to the preset, when %s holds no text and no number",
    (pointer) => {
      const source = own({ from: "body", pointer });
      expect(identityOf({}, body, source).keyFrom).toBe("body-hash");
      expect(identityOf({}, "not json", source).keyFrom).toBe("body-hash");
    },
  );

  it("falls back to the body's hash when the header is absent or empty", () => {
    const source = own({ from: "header", name: "x-id" });
    expect(identityOf({}, body, source).keyFrom).toBe("body-hash");
    expect(identityOf({ "x-id": "" }, body, source).keyFrom).toBe("body-hash");
  });

  it("is read from each element of a batch, where a header can identify none", () => {
    const batch = `[${structured({ data: { n: 1 } })},${structured({ data: { n: 2 } })}]`;
    const keys = (idempotencyKey: EventSource["idempotencyKey"]) =>
      eventsOf({ ...BATCH, "x-id": "7" }, batch, own(idempotencyKey)).map((event) => event.key);
    expect(keys({ from: "body", pointer: "/data/n" })).toEqual(["1", "2"]);
    expect(new Set(keys({ from: "body-hash" })).size).toBe(2);
    expect(keys({ from: "header", name: "x-id" })).toEqual(
      Array(2).fill('["/mycontext","A234-1234"]'),
    );
  });

  it("hashes a key that is too long, and does not cut it", () => {
    const key = (value: string) =>
      identityOf({ "x-id": value }, "{}", own({ from: "header", name: "x-id" })).key;
    const longest = "k".repeat(KEY_LENGTH_MAX);
    expect(key(longest)).toBe(longest);
    expect(key(`${longest}1`)).toMatch(HASHED);
    expect(key(`${longest}1`)).not.toBe(key(`${longest}2`));
  });
});

describe("a source's typeFrom", () => {
  const type = (typeFrom: EventSource["typeFrom"], headers: Record<string, string>, body = "{}") =>
    identityOf(headers, body, { scheme: "hmac", typeFrom }).type;

  it("names a header, a place in the body, or the type itself", () => {
    expect(type({ from: "header", name: "X-Event" }, { "x-event": "push" })).toBe("push");
    expect(type({ from: "body", pointer: "/e/0" }, {}, '{"e":["made"]}')).toBe("made");
    expect(type({ from: "body", pointer: "/e" }, FORM, "e=made")).toBe("made");
    expect(type("acme.made", {})).toBe("acme.made");
  });

  it("does not override a CloudEvent's own type", () => {
    expect(type("acme.made", BINARY)).toBe("com.acme.made");
  });

  it("is passed over when there is nothing, or nothing that could be a name", () => {
    const long = "x".repeat(TYPE_LENGTH_MAX + 1);
    expect(type({ from: "header", name: "x-event" }, {})).toBe("webhook");
    expect(type({ from: "header", name: "x-event" }, { "x-event": long })).toBe("webhook");
    expect(type({ from: "body", pointer: "/type" }, {}, '{"type":{}}')).toBe("webhook");
  });
});
