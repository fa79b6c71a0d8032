/** The webhook door under bad input: each request is refused with its reason, or accepted and untouched. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted } from "../support/ingest-answer.ts";
import { problemOf } from "../support/problem.ts";
import { postInChunks, postRaw } from "../support/raw-http.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver()]);
  const { admin } = router;
  await admin.put("tenants/acme", {});
  await admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
  await admin.put("tenants/acme/sources/small", { verify: { scheme: "none" }, bytesMax: 100 });
  await admin.put("tenants/acme/targets/sink", { kind: "http", url: receiver.url });
  await admin.put("tenants/acme/rules/polluted", {
    pattern: JSON.parse('{"data":{"__proto__":{"admin":[true]}}}'),
    priority: "critical",
    targets: ["sink"],
  });
  await admin.put("tenants/acme/rules/all", {
    pattern: { source: [{ prefix: "" }] },
    priority: "critical",
    targets: ["sink"],
  });
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

/** Sends to a source that takes anything; answers what its target got of it, and the event. */
async function through(body: RequestInit["body"], headers: Record<string, string> = {}) {
  const sending = router.send("acme/open", { body: body ?? null, headers });
  const { id, deliveries } = await accepted(sending);
  const came = await eventually(
    async () => receiver.received.find((one) => one.headers["signalbox-event"] === id),
    (found) => found !== undefined,
  );
  const event = await eventually(
    () => router.admin.get(`tenants/acme/events/${id}`),
    ({ body }) => body.archived === true && body.deliveries.length === deliveries,
  );
  return { came, event: event.body.event, rules: rulesOf(event.body.deliveries) };
}

const rulesOf = (deliveries: { rule: string }[]) => deliveries.map(({ rule }) => rule).sort();

const bytes = (...values: number[]) => new Uint8Array(values);
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

describe("an address", () => {
  it("of an unknown tenant is answered like that of an unknown source", async () => {
    const answers = await Promise.all(
      ["nobody/open", "acme/nothing", "__proto__/constructor", "%ff/open", "acme/%E0%A4%A"].map(
        (path) => problemOf(router.send(path, { body: "{}" })),
      ),
    );
    for (const { status, slug, title, detail } of answers) {
      expect({ status, slug }).toEqual({ status: 404, slug: "source-unknown" });
      expect({ title, detail }).toEqual({ title: answers[0]?.title, detail: answers[0]?.detail });
    }
  });

  it.each(["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])(
    "takes no %s, and says what it takes",
    async (method) => {
      const problem = await problemOf(router.send("acme/open", { method }));
      expect(problem.status).toBe(405);
      expect(problem.headers.get("allow")).toBe("POST");
    },
  );

  it("beyond the source is no address", async () => {
    const problem = await problemOf(router.send("acme/open/more", { body: "{}" }));
    expect(problem).toMatchObject({ status: 404, slug: "not-found" });
  });
});

describe("a body larger than the source takes", () => {
  it("is refused with the limit, and one byte less is accepted", async () => {
    const problem = await problemOf(router.send("acme/small", { body: "x".repeat(101) }));
    expect(problem).toMatchObject({ status: 413, slug: "payload-too-large", bytesMax: 100 });
    await accepted(router.send("acme/small", { body: "x".repeat(100) }));
  });

  it("is refused at 1 MB and a byte where the source sets no limit", async () => {
    const body = new Uint8Array(1_000_001);
    const problem = await problemOf(router.send("acme/open", { body }));
    expect(problem).toMatchObject({ status: 413, bytesMax: 1_000_000 });
    await accepted(router.send("acme/open", { body: body.subarray(1) }));
  });

  it("is refused also when it comes in chunks and does not say how long it is", async () => {
    expect(await postInChunks(`${router.url}/in/acme/small`, 101)).toBe(413);
    expect(await postInChunks(`${router.url}/in/acme/small`, 100)).toBe(202);
  });
});

describe("JSON", () => {
  it.each([
    ["that calls itself so", { "content-type": "application/json" }],
    ["that only looks so", { "content-type": "text/plain" }],
  ])("of 10,000 levels %s is refused, and the router goes on", async (_, headers) => {
    for (const body of [nested(10_000), `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`]) {
      const problem = await problemOf(router.send("acme/open", { body, headers }));
      expect(problem).toMatchObject({ status: 400, slug: "malformed-request" });
      expect(problem.detail).toMatch(/deeper than 64 levels/);
    }
    await accepted(router.send("acme/open", { body: nested(64), headers }));
  });

  it("with a key twice is delivered as it came, and the last value counts", async () => {
    const body = '{"a":1,"a":2}';
    const { came, event } = await through(body);
    expect(came?.body.toString()).toBe(body);
    expect(event.data).toEqual({ a: 2 });
  });

  it("with a __proto__ key is matched by that key and shown with it; nothing inherits it", async () => {
    const { event, rules } = await through('{"__proto__":{"admin":true},"constructor":{"x":1}}');
    expect(rules).toEqual(["all", "polluted"]);
    expect(Object.keys(event.data)).toEqual(["__proto__", "constructor"]);
    const other = await through('{"plain":1}');
    expect(other.rules).toEqual(["all"]);
  });

  it("that is cut off is no error: it is text, delivered as it came", async () => {
    const body = '{"half":';
    const { came, event } = await through(body, { "content-type": "application/json" });
    expect(came?.body.toString()).toBe(body);
    expect(event.data).toEqual({ text: body });
  });
});

describe("a body that is no JSON", () => {
  it("but not UTF-8 either arrives byte by byte and is base64 to patterns", async () => {
    const body = bytes(0x7b, 0xff, 0xfe, 0x00, 0xc0, 0x80, 0x7d);
    const { came, event } = await through(body);
    expect(came?.body).toEqual(Buffer.from(body));
    expect(event.data).toEqual({ base64: Buffer.from(body).toString("base64") });
  });

  it("but empty is an event with an empty text", async () => {
    const { came, event } = await through(null);
    expect(came?.body).toHaveLength(0);
    expect(event.data).toEqual({ text: "" });
  });

  it.each([
    "nonsense",
    "multipart/form-data",
    "application/json; charset=utf-16",
    `x/${"y".repeat(5_000)}`,
  ])(
    "whatever it calls itself (%.40s) keeps that name and arrives as it came",
    async (contentType) => {
      const body = `"${contentType.length}`;
      const { came } = await through(body, { "content-type": contentType });
      expect(came?.headers["content-type"]).toBe(contentType);
      expect(came?.body.toString()).toBe(body);
    },
  );
});

describe("a CloudEvent", () => {
  const structured = (
    body: string | Uint8Array<ArrayBuffer>,
    type = "application/cloudevents+json",
  ) => router.send("acme/open", { body, headers: { "content-type": type } });

  it("with several faults is refused with all of them", async () => {
    const body = JSON.stringify({ specversion: "0.3", source: "", type: 7, time: "soon", UP: 1 });
    const problem = await problemOf(structured(body));
    expect(problem).toMatchObject({ status: 422, slug: "cloudevent-invalid" });
    const pointers = problem.errors?.map(({ pointer }) => pointer).sort();
    expect(pointers).toEqual(["/UP", "/id", "/source", "/specversion", "/time", "/type"]);
  });

  it("in headers is held to the same, all faults at once", async () => {
    const headers = { "ce-specversion": "2.0", "ce-source": "/s", "ce-time": "soon" };
    const problem = await problemOf(router.send("acme/open", { body: "{}", headers }));
    expect(problem.status).toBe(422);
    const pointers = problem.errors?.map(({ pointer }) => pointer).sort();
    expect(pointers).toEqual(["/id", "/specversion", "/time", "/type"]);
  });

  it.each([
    ["no JSON", "{", "application/cloudevents+json", 400],
    ["no UTF-8", bytes(0x5b, 0xff, 0x5d), "application/cloudevents-batch+json", 400],
    ["no array", "{}", "application/cloudevents-batch+json", 400],
    ["too deep", nested(10_000), "application/cloudevents-batch+json", 400],
    ["no object", "[]", "application/cloudevents+json", 422],
    ["a batch of what is none", "[1]", "application/cloudevents-batch+json", 422],
    ["in XML", "<event/>", "application/cloudevents+xml", 415],
    ["in a format not told", "{}", "application/cloudevents", 415],
  ])("that is %s is refused", async (_, body, type, status) => {
    expect((await problemOf(structured(body, type))).status).toBe(status);
  });
});

describe("a webhook that is not verified", () => {
  it("is refused with its reason, and not asked for a bearer token, which would not help", async () => {
    const verify = { scheme: "basic", username: "u", password: "p" };
    await router.admin.put("tenants/acme/sources/basic", { verify });
    const { headers, ...problem } = await problemOf(router.send("acme/basic", { body: "{}" }));
    expect(problem).toMatchObject({ slug: "signature-invalid", reason: "missing-header" });
    expect(headers.get("www-authenticate")).toBe('Webhook realm="signalbox"');
  });
});

describe("headers", () => {
  it.each([
    ["too many", 150, 10],
    ["too long together", 20, 1_000],
    ["far too many", 20_000, 10],
    ["far too long", 2, 1_000_000],
  ])("that are %s are refused, and the router goes on", async (_, count, length) => {
    const lines = Array.from({ length: count }, (_, at) => `x-${at}: ${"v".repeat(length)}\r\n`);
    expect(
      await postRaw(`${router.url}/in/acme/open`, `${lines.join("")}content-length: 2\r\n\r\n{}`),
    ).toMatch(/ (400|431) |^closed$/);
    await accepted(router.send("acme/open", { body: '{"after":"headers"}' }));
  });

  it.each([
    ["a name with a space", "bad name: 1\r\ncontent-length: 0\r\n\r\n"],
    ["a length that is none", "content-length: -1\r\n\r\n"],
  ])("with %s are refused", async (_, rest) => {
    expect(await postRaw(`${router.url}/in/acme/open`, rest)).toMatch(/ 400 /);
  });
});
