/** Kinds of steps over HTTP: signed requests to targets, outcomes that come later, events, and other sagas. */
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import type { Answer } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const QUICK = { maxAttempts: 3, initialSeconds: 0.05, factor: 1, maxSeconds: 1 };

/** A tenant with a target "erp" that signs; `answer` is its receiver's. */
async function tenant(name: string, answer?: Answer) {
  const receiver = await receiverHere(answer);
  const path = `tenants/${name}`;
  await router.admin.put(path, {});
  await router.admin.put(`${path}/targets/erp`, {
    ...{ kind: "http", url: `${receiver.url}/v1`, secrets: [SECRET] },
    headers: { authorization: "Bearer erp-token" },
  });
  const save = (saga: string, definition: object) =>
    router.admin.request("PUT", `${path}/sagas/${saga}`, definition);
  return {
    ...{ path, receiver, save },
    async start(saga: string, definition: object, input: unknown = {}) {
      expect((await save(saga, definition)).status).toBe(201);
      const { body } = await router.admin.post(`${path}/sagas/${saga}/instances`, { input });
      const instance = `${path}/saga-instances/${body.id}`;
      const until = (status: string) =>
        eventually(
          () => router.admin.get(instance),
          (read) => read.body.status === status,
        ).then((read) => read.body);
      return { id: body.id as string, instance, until };
    },
  };
}

describe("a step that names a target", () => {
  it("is verified by the receiver's own SDK, and no secret is read back", async () => {
    const { receiver, start } = await tenant("signed");
    const http = { target: "erp", path: "/reserve", body: { sku: "$.input.sku" } };
    const steps = [{ name: "reserve", action: { http }, retry: QUICK }];
    const { id, until } = await start("order", { steps }, { sku: "s-1" });
    const done = await until("COMPLETED");
    const [sent] = receiver.received;
    expect(sent?.path).toBe("/v1/reserve");
    expect(sent?.headers.authorization).toBe("Bearer erp-token");
    expect(sent?.headers["webhook-id"]).toBe(`sbx_${id}_reserve_a_0`);
    const headers = sent?.headers as Record<string, string>;
    expect(new Webhook(SECRET).verify(`${sent?.body}`, headers)).toEqual({ sku: "s-1" });
    const read = JSON.stringify(done);
    for (const secret of ["erp-token", SECRET.slice(6), headers["webhook-signature"] ?? "none"])
      expect(read).not.toContain(secret);
  });

  it("waits while its target is paused, says why, and goes when a person has it tried again", async () => {
    const { path, receiver, start } = await tenant("waits");
    await router.admin.post(`${path}/targets/erp/pause`);
    const steps = [{ name: "ship", action: { http: { target: "erp" } } }];
    const { instance, until } = await start("order", { steps });
    const held = 'the target "erp" is paused';
    const waiting = await eventually(
      () => router.admin.get(instance),
      ({ body }) => body.steps[0].held !== null,
    );
    expect(waiting.body).toMatchObject({
      ...{ status: "RUNNING", steps: [{ state: "pending", attempts: 0, held, error: null }] },
    });
    await router.admin.post(`${path}/targets/erp/resume`);
    expect(receiver.received).toEqual([]);
    await router.admin.post(`${instance}/retry-step`, { reason: "it is open", step: "ship" });
    expect((await until("COMPLETED")).steps).toMatchObject([{ attempts: 1, held: null }]);
  });

  it("is called with the token of its target, which is read back nowhere", async () => {
    const idp = await receiverHere((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end('{"access_token":"t-1234","token_type":"Bearer","expires_in":600}');
    });
    const { path, receiver, start } = await tenant("tokens");
    await router.admin.put(`${path}/targets/crm`, {
      ...{ kind: "http", url: receiver.url },
      auth: { ...{ scheme: "oauth2", tokenUrl: idp.url }, clientId: "c", clientSecret: "s-1" },
    });
    const steps = ["a", "b"].map((name) => ({ name, action: { http: { target: "crm" } } }));
    const { until } = await start("order", { steps });
    const done = await until("COMPLETED");
    const seen = receiver.received.map(({ headers }) => headers.authorization);
    expect(seen).toEqual(["Bearer t-1234", "Bearer t-1234"]);
    expect(idp.received).toHaveLength(1);
    expect(JSON.stringify(done)).not.toContain("t-1234");
  });

  it("that is not there, or starts sagas, is refused at its place", async () => {
    const { path, save } = await tenant("nowhere");
    await save("order", { steps: [{ name: "a", delay: { seconds: 1 } }] });
    await router.admin.put(`${path}/targets/orders`, { kind: "saga", saga: "order" });
    const to = (target: string) => ({ http: { target } });
    const refused = await save("other", {
      steps: [
        { name: "a", action: to("erp"), compensate: to("none") },
        { parallel: [[{ name: "b", action: to("orders") }], [{ name: "c", action: to("erp") }]] },
      ],
    });
    expect(refused.status).toBe(422);
    expect(refused.body.errors).toMatchObject([
      { pointer: "/steps/0/compensate/http/target", code: "unknown-target" },
      { pointer: "/steps/1/parallel/0/0/action/http/target", code: "unknown-target" },
    ]);
  });
});

describe("an asynchronous step", () => {
  const steps = [
    {
      ...{ name: "pick", retry: QUICK },
      action: { http: { target: "erp", path: "/pick" }, async: { timeoutSeconds: 600 } },
    },
    {
      name: "ship",
      action: { http: { target: "erp", path: "/ship", body: "$.steps.pick.output" } },
    },
  ];
  const takesOn: Answer = ({ path }, response) => {
    response.writeHead(path.endsWith("/pick") ? 202 : 200).end();
  };
  const callback = (url: string, body: unknown) =>
    problemOrBody(fetch(url, { method: "POST", body: JSON.stringify(body) }));

  it("waits for its callback, which counts once", async () => {
    const { receiver, start } = await tenant("later", takesOn);
    const { id, until, instance } = await start("order", { steps });
    const [sent] = await receiver.waitFor(1);
    const url = `${router.url}${sent?.headers["signalbox-callback"]}`;
    await eventually(
      () => router.admin.get(instance),
      ({ body }) => body.steps[0].state === "waiting",
    );
    const output = { parcel: "p-1" };
    const first = await callback(url, { output });
    expect(first).toMatchObject({ status: 200, body: { instance: id, step: "pick" } });
    await until("COMPLETED");
    expect(await callback(url, { error: "no" })).toEqual(first);
    expect(receiver.received.map(({ path }) => path)).toEqual(["/v1/pick", "/v1/ship"]);
    expect(JSON.parse(`${receiver.received[1]?.body}`)).toEqual(output);
  });

  it("refuses callbacks that are forged, malformed, or for an attempt that is over", async () => {
    let asked = 0;
    const { receiver, start } = await tenant("forged", (_, response) => {
      asked += 1;
      response.writeHead(asked === 1 ? 503 : 202).end();
    });
    const { until } = await start("order", { steps: steps.slice(0, 1) });
    await receiver.waitFor(2);
    const [stale = "", url = ""] = receiver.received.map(
      ({ headers }) => `${router.url}${headers["signalbox-callback"]}`,
    );
    const slug = async (to: string, body: unknown) => (await callback(to, body)).slug;
    expect(await slug(`${url}0`, { output: 1 })).toBe("callback-unknown");
    expect(await slug(stale, { output: 1 })).toBe("callback-stale");
    expect(await slug(url, { result: 1 })).toBe("validation-failed");
    expect(await slug(url, { output: "x".repeat(70_000) })).toBe("payload-too-large");
    const get = await fetch(url);
    expect(get.status).toBe(405);
    expect(await callback(url, { error: "out of stock" })).toMatchObject({ status: 200 });
    expect((await until("COMPENSATED")).reason).toBe("pick: out of stock");
    expect(router.lines.filter((line) => line.includes(url.slice(-40)))).toEqual([]);
  });

  it("hands out whole addresses where the router knows its own", async () => {
    const known = await startRouter({ vars: { PUBLIC_URL: "https://router.example.com/box/" } });
    try {
      const receiver = await receiverHere(takesOn);
      await known.admin.put("tenants/known", {});
      await known.admin.put("tenants/known/targets/erp", { kind: "http", url: receiver.url });
      await known.admin.put("tenants/known/sagas/order", { steps: steps.slice(0, 1) });
      await known.admin.post("tenants/known/sagas/order/instances", { input: {} });
      const [sent] = await receiver.waitFor(1);
      expect(sent?.headers["signalbox-callback"]).toMatch(
        /^https:\/\/router\.example\.com\/box\/callbacks\/sga_/,
      );
    } finally {
      await known.stop();
    }
  });
});

describe("a step that publishes", () => {
  it("sends an event through the tenant's rules, to another saga and to a receiver", async () => {
    const { path, receiver, save, start } = await tenant("told");
    await save("billing", {
      ...{ key: "$.subject", correlation: "$.subject" },
      steps: [
        { name: "bill", action: { http: { target: "erp", path: "/bill", body: "$.input.data" } } },
      ],
    });
    await router.admin.put(`${path}/targets/billing`, { kind: "saga", saga: "billing" });
    await router.admin.put(`${path}/rules/shipped`, {
      ...{
        pattern: {
          source: ["shop"],
          type: ["order.shipped"],
          data: { total: [{ numeric: [">", 5] }] },
        },
      },
      ...{ priority: "critical", targets: ["billing", "erp"] },
    });
    const publish = {
      ...{ type: "order.shipped", source: "shop", subject: "{{$.input.order}}" },
      data: { order: "$.input.order", total: "$.input.total" },
    };
    const steps = [{ name: "tell", action: { publish }, retry: QUICK }];
    const { until } = await start("order", { steps }, { order: "o-1", total: 12.5 });
    const done = await until("COMPLETED");
    expect(done.steps[0].output).toMatchObject({ deliveries: 2 });
    await receiver.waitFor(2);
    const bodies = receiver.received.map(({ path: to, body }) => `${to} ${body}`).sort();
    const data = '{"order":"o-1","total":12.5}';
    expect(bodies).toEqual([`/v1 ${data}`, `/v1/bill ${data}`]);
    const event = await router.admin.get(`${path}/events/${done.steps[0].output.id}`);
    expect(event.body).toMatchObject({ type: "order.shipped", source: "shop" });
    const billed = await eventually(
      () => router.admin.get(`${path}/saga-instances?saga=billing&correlationId=o-1`),
      ({ body }) => body.items[0]?.status === "COMPLETED",
    );
    expect(billed.body.items).toHaveLength(1);
  });

  it("publishes for many instances at once, each event once", async () => {
    const { path, receiver, save } = await tenant("many");
    await router.admin.put(`${path}/rules/all`, {
      ...{ pattern: { type: ["told"] }, priority: "normal", targets: ["erp"] },
    });
    const publish = { type: "told", data: "$.input.n" };
    await save("order", { steps: [{ name: "tell", action: { publish }, retry: QUICK }] });
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    await Promise.all(
      numbers.map((n) => router.admin.post(`${path}/sagas/order/instances`, { input: { n } })),
    );
    await receiver.waitFor(numbers.length);
    await eventually(
      () => router.admin.get(`${path}/saga-instances?status=COMPLETED`),
      ({ body }) => body.items.length === numbers.length,
    );
    const told = receiver.received.map(({ body }) => Number(`${body}`)).sort((a, b) => a - b);
    expect(told).toEqual(numbers);
  });

  it("or does two things at once, or nothing, is refused when it is saved", async () => {
    const { save } = await tenant("unsaid");
    const http = { url: "https://x.example/" };
    const refused = await save("order", {
      steps: [
        { name: "a", action: { http, publish: { type: "x" } } },
        { name: "b", action: {} },
        { name: "c", action: { publish: { type: "x", data: "$.steps.d.output" } } },
      ],
    });
    expect(refused.status).toBe(422);
    expect(refused.body.errors).toMatchObject([
      { pointer: "/steps/0/action", code: "one-kind" },
      { pointer: "/steps/1/action", code: "one-kind" },
      { pointer: "/steps/2/action/publish/data", code: "unknown-step" },
    ]);
    expect((await save("order", { steps: [{ name: "a", action: { publish: {} } }] })).status).toBe(
      422,
    );
  });
});

describe("a step that is another saga", () => {
  const step = (name: string) => ({
    ...{ name, retry: QUICK },
    action: { http: { target: "erp", path: `/${name}`, body: "$.input" } },
    compensate: { http: { target: "erp", path: `/un-${name}` } },
  });
  const refuses = (path: string): Answer => {
    return (request, response) => {
      const { "signalbox-step": of } = request.headers;
      response.writeHead(request.path === path ? 422 : 200).end(JSON.stringify({ of }));
    };
  };
  const pack = { name: "pack", action: { saga: { name: "packing", input: { n: "$.input.n" } } } };

  it("runs to its end, knows its parent, and gives its outputs", async () => {
    const { path, receiver, save, start } = await tenant("nested", refuses("/none"));
    await save("packing", { steps: [step("box")] });
    const use = {
      ...step("ship"),
      action: { http: { target: "erp", path: "/ship", body: "$.steps.pack.output.steps.box" } },
    };
    const { id, until } = await start("order", { steps: [pack, use] }, { n: 3 });
    const done = await until("COMPLETED");
    expect(receiver.received.map(({ path: to, body }) => `${to} ${body}`)).toEqual([
      '/v1/box {"n":3}',
      '/v1/ship {"output":{"of":"box"}}',
    ]);
    const child = await router.admin.get(`${path}/saga-instances/${done.steps[0].output.instance}`);
    expect(child.body).toMatchObject({
      ...{ saga: "packing", status: "COMPLETED", parent: { id, step: "pack" } },
    });
  });

  it("is undone with its parent, the last first", async () => {
    const { receiver, save, start } = await tenant("unnested", refuses("/v1/ship"));
    await save("packing", { steps: [step("box"), step("label")] });
    const { until } = await start("order", { steps: [pack, step("ship")] }, { n: 3 });
    expect((await until("COMPENSATED")).reason).toBe("ship: status 422");
    expect(receiver.received.map(({ path }) => path)).toEqual(
      ["box", "label", "ship", "un-label", "un-box"].map((each) => `/v1/${each}`),
    );
  });

  it("that does not exist is refused when it is saved; one that starts itself ends", async () => {
    const { path, save, start } = await tenant("endless");
    const refused = await save("order", { steps: [pack] });
    expect(refused).toMatchObject({
      ...{
        status: 422,
        body: { errors: [{ pointer: "/steps/0/action/saga/name", code: "unknown-saga" }] },
      },
    });
    const { until } = await start("packing", {
      steps: [{ ...pack, action: { saga: { name: "packing" } } }],
    });
    await until("COMPENSATED");
    const all = await router.admin.get(`${path}/saga-instances?saga=packing`);
    expect(all.body.items).toHaveLength(6);
  });
});

async function problemOrBody(sending: Promise<Response>) {
  const response = await sending;
  const body = (await response.json()) as { readonly type?: string };
  const slug = body.type?.split("/").at(-1);
  const { status } = response;
  return { status, ...(slug === undefined ? { body } : {}), slug };
}

describe("a private address", () => {
  it("is refused when a saga is saved, and again by the request that an event would make to it", async () => {
    const strict = await startRouter({ vars: { ALLOW_PRIVATE_TARGETS: "false" } });
    try {
      const path = "tenants/walled";
      await strict.admin.put(path, {});
      const step = (url: string) => ({ steps: [{ name: "a", action: { http: { url } } }] });
      const wrong = step("https://10.0.0.1/x");
      const saved = await strict.admin.request("PUT", `${path}/sagas/order`, wrong);
      expect(saved).toMatchObject({ status: 422, body: { errors: [{ code: "target-refused" }] } });
      await strict.admin.put(`${path}/sagas/order`, step("https://169.254.169.{{$.input.n}}/x"));
      const input = { n: 254 };
      const { body } = await strict.admin.post(`${path}/sagas/order/instances`, { input });
      const ended = await eventually(
        () => strict.admin.get(`${path}/saga-instances/${body.id}`),
        (read) => read.body.status === "COMPENSATED",
      );
      expect(ended.body.reason).toMatch(/refused: .*link-local/);
    } finally {
      await strict.stop();
    }
  });
});
