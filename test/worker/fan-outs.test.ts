/** Fan-outs over HTTP: sent, counted, paused, capped, cancelled, the failed ones retried, walled in by tenant. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted } from "../support/ingest-answer.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let receiver: Receiver;
const PATH = "tenants/acme/fan-outs";
/** Indexes that the receiver refuses, of lists whose elements say so. */
const refused = new Set<number>();

beforeAll(async () => {
  router = await startRouter();
  receiver = await startReceiver(({ body }, response) => {
    const { n } = JSON.parse(`${body}`);
    response.writeHead(refused.has(n) ? 500 : 200).end();
  });
  for (const tenant of ["acme", "other"]) {
    await router.admin.put(`tenants/${tenant}`, {});
    await router.admin.put(`tenants/${tenant}/sources/open`, { verify: { scheme: "none" } });
  }
  await router.admin.put("tenants/acme/targets/mail", {
    ...{ kind: "http", url: receiver.url, retry: { delaysSeconds: [] } },
  });
  await putRule({ forEach: "$.data.recipients" });
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const putRule = (more: object) =>
  router.admin.request("PUT", "tenants/acme/rules/blast", {
    ...{ pattern: { data: { kind: ["blast"] } }, priority: "normal", targets: ["mail"], ...more },
  });

let lists = 0;
const listOf = (count: number) => {
  lists += 1;
  const recipients = Array.from({ length: count }, (_, n) => ({ n, list: lists }));
  return { kind: "blast", recipients };
};

/** Sends a list; answers the id of its event. */
const send = async (list: object): Promise<string> => {
  const sent = await accepted(router.send("acme/open", { body: JSON.stringify(list) }));
  expect(sent.deliveries).toBe(1);
  return sent.id;
};

const fanOutOf = async (event: string): Promise<string> => {
  const { body } = await eventually(
    () => router.admin.get(PATH),
    ({ body }) => body.items.some((each: { eventId: string }) => each.eventId === event),
  );
  return body.items.find((each: { eventId: string }) => each.eventId === event).id;
};
const read = (id: string) => router.admin.get(`${PATH}/${id}`);
const until = (id: string, isSo: (body: Record<string, number>) => boolean) =>
  eventually(
    () => read(id),
    ({ body }) => isSo(body),
  );
const receivedOf = (id: string) =>
  receiver.received.filter(({ headers }) => headers["signalbox-fan-out"] === id);

describe("a fan-out", () => {
  it("sends each element as an event of its own, and says how far it is", async () => {
    const event = await send(listOf(300));
    const id = await fanOutOf(event);
    const { body } = await until(id, ({ percent }) => percent === 100);
    expect(body).toMatchObject({
      ...{ state: "done", eventId: event, rule: "blast", targets: ["mail"], priority: "normal" },
      ...{ total: 300, sent: 300, deliveries: 300, delivered: 300, failed: 0, retrying: 0 },
      ...{ states: { delivered: 300 }, perSecond: null, reason: null },
    });
    const received = receivedOf(id);
    const numbers = received.map(({ body: sent }) => JSON.parse(`${sent}`).n);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(300);
    const [one] = received;
    const element = await router.admin.get(
      `tenants/acme/events/${one?.headers["signalbox-event"]}`,
    );
    expect(element.body).toMatchObject({
      ...{ outcome: "matched", idempotencyKey: { from: "fan-out" } },
      event: { elementOf: { fanOut: id, event, rule: "blast", count: 300 } },
      deliveries: [{ rule: "blast", target: "mail", state: "delivered" }],
    });
    const list = await router.admin.get(`tenants/acme/events/${event}`);
    expect(list.body.deliveries).toMatchObject([{ rule: "blast", target: "", state: "delivered" }]);
    expect(JSON.stringify(list.body.timeline)).toContain(`blast to each element, attempt 1: ${id}`);
  });

  it("has its failed elements retried, exactly those", async () => {
    for (const n of [3, 17, 40]) refused.add(n);
    const id = await fanOutOf(await send(listOf(50)));
    const { body } = await until(id, ({ percent }) => percent === 100);
    expect(body).toMatchObject({ delivered: 47, failed: 3 });
    refused.clear();
    const before = receiver.received.length;
    const job = await router.admin.post(`${PATH}/${id}/retry-failed`, {});
    expect(job).toMatchObject({ status: 202, body: { kind: "redrive", total: 3 } });
    expect(job.headers.get("location")).toBe(`/admin/tenants/acme/jobs/${job.body.id}`);
    await until(id, ({ delivered }) => delivered === 50);
    const again = receiver.received.slice(before).map(({ body: sent }) => JSON.parse(`${sent}`).n);
    expect(again.sort((a, b) => a - b)).toEqual([3, 17, 40]);
    expect((await router.admin.post(`${PATH}/${id}/retry-failed`)).body).toMatchObject({
      total: 0,
    });
  });

  it("is paused, capped, resumed and cancelled", async () => {
    await putRule({ forEach: { path: "$.data.recipients", perSecond: 5 } });
    const id = await fanOutOf(await send(listOf(400)));
    await until(id, ({ sent = 0 }) => sent > 0);
    const paused = await router.admin.post(`${PATH}/${id}/pause`);
    expect(paused).toMatchObject({ status: 200, body: { state: "paused", perSecond: 5 } });
    const { body } = await until(id, ({ delivered, sent }) => delivered === sent);
    await router.sweep();
    expect((await read(id)).body).toMatchObject({ state: "paused", sent: body.sent });
    const capped = await router.admin.post(`${PATH}/${id}/cap`, { perSecond: 50 });
    expect(capped).toMatchObject({ status: 200, body: { perSecond: 50, state: "paused" } });
    expect((await router.admin.post(`${PATH}/${id}/resume`)).body).toMatchObject({
      ...{ state: "running" },
    });
    await until(id, ({ sent = 0 }) => sent > (body.sent ?? 0));
    const cancelled = await router.admin.post(`${PATH}/${id}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { state: "cancelled" } });
    expect(cancelled.body.sent).toBeLessThan(400);
    for (const command of ["pause", "resume"]) {
      expect((await router.admin.post(`${PATH}/${id}/${command}`)).status).toBe(409);
    }
    await putRule({ forEach: "$.data.recipients" });
  });

  it("of a list that is none is a dead letter of the event, with the reason", async () => {
    const event = await send({ kind: "blast", recipients: "everybody" });
    const { body } = await eventually(
      () => router.admin.get(`tenants/acme/deliveries?event=${event}`),
      ({ body }) => body.items[0]?.state === "dead",
    );
    expect(body.items).toMatchObject([
      { lastError: "not fanned out: $.data.recipients is a text, and no list" },
    ]);
  });

  it("of an empty list is done with nothing", async () => {
    const id = await fanOutOf(await send(listOf(0)));
    expect((await read(id)).body).toMatchObject({
      ...{ state: "done", total: 0, sent: 0, deliveries: 0, percent: 100, states: {} },
    });
  });

  it("of another tenant is not found", async () => {
    const [{ id }] = (await router.admin.get(PATH)).body.items;
    for (const command of ["pause", "resume", "cancel", "retry-failed"]) {
      const answer = await router.admin.post(`tenants/other/fan-outs/${id}/${command}`);
      expect(answer.status).toBe(404);
    }
    expect((await router.admin.get(`tenants/other/fan-outs/${id}`)).status).toBe(404);
    expect((await router.admin.get("tenants/other/fan-outs")).body.items).toEqual([]);
  });

  it.each([
    ["a path to nowhere in the body", "$.headers.to", "/forEach"],
    ["what is no path", "recipients", "/forEach"],
    ["a path with a star", { path: "$.data[*]" }, "/forEach/path"],
    ["no pace", { path: "$.data", perSecond: 0 }, "/forEach"],
    ["a number", 5, "/forEach"],
  ])("is refused by a rule with %s, where the fault is", async (_, forEach, pointer) => {
    const answer = await putRule({ forEach });
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0].pointer.startsWith(pointer)).toBe(true);
  });

  it.each([
    ["no number", {}],
    ["a pace of none", { perSecond: 0 }],
    ["too high a pace", { perSecond: 10_001 }],
  ])("is capped by no body with %s", async (_, body) => {
    const [{ id }] = (await router.admin.get(PATH)).body.items;
    expect((await router.admin.post(`${PATH}/${id}/cap`, body)).status).toBe(422);
  });
});
