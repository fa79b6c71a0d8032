/** Replays over HTTP: counted, sent below live traffic, paused, resumed, cancelled, and walled in by tenant. */
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { acceptedBatch } from "../support/ingest-answer.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let receiver: Receiver;

/** Requests that wait for their answer; null while each has it at once. */
let held: ServerResponse[] | null = null;

const EVENTS = 1_000;
const BATCH = 100;
const SELECTED = EVENTS / 10;
/** One in ten. */
const PATTERN = { data: { n: [{ suffix: "7" }] } };
const PATH = "tenants/acme/replays";

beforeAll(async () => {
  [router, receiver] = await Promise.all([
    startRouter(),
    startReceiver((_, response) => {
      if (held === null) response.end("ok");
      else held.push(response);
    }),
  ]);
  for (const tenant of ["acme", "other"]) {
    await router.admin.put(`tenants/${tenant}`, {});
    await router.admin.put(`tenants/${tenant}/sources/open`, { verify: { scheme: "none" } });
  }
  await router.admin.put("tenants/acme/targets/a", { kind: "http", url: receiver.url });
  for (let first = 0; first < EVENTS; first += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, at) => ({
      ...{ specversion: "1.0", id: `${first + at}`, source: "/replays", type: "t" },
      data: { n: `${first + at}` },
    }));
    await acceptedBatch(
      router.send("acme/open", {
        headers: { "content-type": "application/cloudevents-batch+json" },
        body: JSON.stringify(batch),
      }),
    );
  }
  await eventually(
    () => router.admin.get(`tenants/acme/events?limit=${EVENTS}`),
    ({ body }) => body.items.length === EVENTS,
  );
  // What came before it matched nothing: only a replay brings it here.
  const rule = { pattern: { type: ["t"] }, priority: "normal", targets: ["a"] };
  await router.admin.put("tenants/acme/rules/all", rule);
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const slice = () => ({ from: "2026-01-01T00:00:00Z", to: new Date().toISOString() });
const ask = (body: object, tenant = "acme") =>
  router.admin.post(`tenants/${tenant}/replays`, { reason: "a test", ...slice(), ...body });
const replayOf = (id: string) => router.admin.get(`${PATH}/${id}`);
const until = (id: string, isSo: (body: Record<string, number & string>) => boolean) =>
  eventually(
    () => replayOf(id),
    ({ body }) => isSo(body),
  );
const receivedOf = (id: string) =>
  receiver.received.filter(({ headers }) => headers["signalbox-replay"] === id);

describe("a replay", () => {
  it("is counted first, and sends nothing then", async () => {
    const { status, body } = await ask({ pattern: PATTERN, perSecond: 200, dryRun: true });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      dryRun: true,
      events: SELECTED,
      deliveries: SELECTED,
      seconds: 1,
    });
    expect((await router.admin.get(PATH)).body.items).toEqual([]);
  });

  it("sends what a pattern selects, each once, by a way of its own, and says so everywhere", async () => {
    const { status, body: begun } = await ask({ pattern: PATTERN, perSecond: 1_000 });
    expect(status).toBe(202);
    await until(begun.id, ({ state }) => state === "done");
    const { body } = await eventually(
      () => replayOf(begun.id),
      ({ body }) => body.states.delivered === SELECTED,
    );
    expect(body).toMatchObject({
      ...{ state: "done", percent: 100, examined: EVENTS, deliveries: SELECTED },
      ...{ reason: "a test", pattern: PATTERN, unreadableBytes: 0 },
    });
    const received = receivedOf(begun.id);
    expect(received.map(({ body }) => JSON.parse(`${body}`).data.n % 10)).toEqual(
      Array.from({ length: SELECTED }, () => 7),
    );
    expect(new Set(received.map(({ headers }) => headers["signalbox-event"])).size).toBe(SELECTED);
    expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(SELECTED);
    const event = received[0]?.headers["signalbox-event"];
    const shown = await router.admin.get(`tenants/acme/events/${event}`);
    expect(shown.body.deliveries).toMatchObject([
      { rule: "all", target: "a", state: "delivered", priority: "replay", replay: begun.id },
    ]);
  });

  it("makes other deliveries than the replay before it", async () => {
    const { body: begun } = await ask({
      pattern: PATTERN,
      perSecond: 1_000,
      target: "a",
      rule: "all",
    });
    await until(begun.id, ({ state }) => state === "done");
    await eventually(
      () => replayOf(begun.id),
      ({ body }) => body.states.delivered === SELECTED,
    );
    const ids = receiver.received.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("stops when it is paused, and goes on from there when it is resumed", async () => {
    const { body: begun } = await ask({ pattern: PATTERN, perSecond: 20 });
    await until(begun.id, ({ deliveries = 0 }) => deliveries > 0);
    const paused = await router.admin.post(`${PATH}/${begun.id}/pause`);
    expect(paused).toMatchObject({ status: 200, body: { state: "paused" } });
    const { deliveries } = paused.body;
    expect(deliveries).toBeLessThan(SELECTED);
    await eventually(
      () => replayOf(begun.id),
      ({ body }) => body.states.delivered === deliveries,
    );
    await router.sweep();
    expect((await replayOf(begun.id)).body).toMatchObject({ deliveries, state: "paused" });
    expect((await router.admin.post(`${PATH}/${begun.id}/pause`)).status).toBe(200);
    expect((await router.admin.post(`${PATH}/${begun.id}/resume`)).status).toBe(200);
    await eventually(
      () => replayOf(begun.id),
      ({ body }) => body.states.delivered === SELECTED,
    );
    expect(new Set(receivedOf(begun.id).map(({ headers }) => headers["webhook-id"])).size).toBe(
      SELECTED,
    );
    expect(receivedOf(begun.id)).toHaveLength(SELECTED);
    await until(begun.id, ({ state }) => state === "done");
    expect((await router.admin.post(`${PATH}/${begun.id}/pause`)).status).toBe(409);
  });

  it("that is cancelled sends no more, and cannot be resumed", async () => {
    await router.admin.post("tenants/acme/targets/a/pause");
    const { body: begun } = await ask({ pattern: PATTERN, perSecond: 20 });
    await eventually(
      () => replayOf(begun.id),
      ({ body }) => body.states.parked > 0,
    );
    const cancelled = await router.admin.post(`${PATH}/${begun.id}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { state: "cancelled" } });
    const before = receivedOf(begun.id).length;
    await router.admin.post("tenants/acme/targets/a/resume");
    expect((await router.admin.post(`${PATH}/${begun.id}/resume`)).status).toBe(409);
    await router.sweep();
    const { body } = await replayOf(begun.id);
    expect(body.states.cancelled).toBeGreaterThan(0);
    expect(receivedOf(begun.id)).toHaveLength(before);
    const [newest] = (await router.admin.get(`${PATH}?limit=1`)).body.items;
    expect(newest).toMatchObject({ id: begun.id, state: "cancelled" });
  });

  it("that is cancelled when it is done tries none of its open requests again", async () => {
    held = [];
    const { body: begun } = await ask({ pattern: PATTERN, perSecond: 1_000 });
    await until(begun.id, ({ state }) => state === "done");
    const open = await eventually(
      async () => held ?? [],
      ({ length }) => length > 0,
    );
    await router.admin.post(`${PATH}/${begun.id}/cancel`);
    held = null;
    for (const response of open) response.writeHead(503, { "retry-after": "60" }).end();
    const { body } = await eventually(
      () => replayOf(begun.id),
      ({ body: { states } }) =>
        Object.keys(states).every((state) => ["cancelled", "delivered"].includes(state)),
    );
    expect(body.states.cancelled).toBeGreaterThanOrEqual(open.length);
  });

  it("of another tenant is not found, and finds nothing of another tenant's", async () => {
    const { body } = await router.admin.get(PATH);
    const [{ id }] = body.items;
    for (const command of ["pause", "resume", "cancel"]) {
      expect((await router.admin.post(`tenants/other/replays/${id}/${command}`)).status).toBe(404);
    }
    expect((await router.admin.get(`tenants/other/replays/${id}`)).status).toBe(404);
    expect((await router.admin.get("tenants/other/replays")).body.items).toEqual([]);
    expect((await ask({ dryRun: true }, "other")).body).toMatchObject({ events: 0, examined: 0 });
  });

  it.each([
    ["no reason", { reason: " " }, "/reason"],
    ["no time", { from: "yesterday" }, "/from"],
    ["a slice that ends before it starts", { to: "2025-01-01T00:00:00Z" }, "/to"],
    ["a slice that has not come yet", { to: "2999-01-01T00:00:00Z" }, "/to"],
    ["a pattern that cannot be parsed", { pattern: { type: "bare" } }, "/pattern/type"],
    ["an unknown rule", { rule: "none" }, "/rule"],
    ["an unknown target", { target: "none" }, "/target"],
    ["no pace", { perSecond: 0 }, "/perSecond"],
    ["too high a pace", { perSecond: 1_001 }, "/perSecond"],
    ["what it does not know", { speed: 1 }, "/speed"],
  ])("is refused with %s, where the fault is", async (_, body, pointer) => {
    const refused = await ask(body);
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
    expect((await ask(body, "nobody")).status).toBe(404);
  });

  it("by a rule that delivers nothing now is refused", async () => {
    const rule = { pattern: { type: ["t"] }, priority: "normal", targets: ["a"] };
    await router.admin.put("tenants/acme/rules/off", { ...rule, enabled: false });
    await router.admin.put("tenants/acme/rules/shadow", { ...rule, mode: "shadow" });
    for (const name of ["off", "shadow"]) {
      expect(await ask({ rule: name })).toMatchObject({
        ...{ status: 422, body: { errors: [{ pointer: "/rule", code: "rule-not-live" }] } },
      });
    }
  });
});
