/** Pausing a target: what comes meanwhile is parked with its reason, and goes out when it is resumed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inTurn, receiverHere, status } from "../support/answers.ts";
import { type Router, startRouter } from "../support/router.ts";
import { type Delivery, prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

describe("a paused target", () => {
  it("gets nothing: its deliveries are parked, say why, and count no attempt", async () => {
    const [held, free] = await Promise.all([receiverHere(), receiverHere()]);
    const tenant = await prepareTenant(router, "held", {
      held: { url: held.url },
      free: { url: free.url },
    });
    const paused = await router.admin.post(`${tenant.path}/targets/held/pause`);
    expect(paused).toMatchObject({ status: 200, body: { id: "held", paused: true } });
    const sent = await Promise.all(Array.from({ length: 5 }, () => tenant.send("held", "free")));

    await free.waitFor(5);
    for (const { id } of sent) {
      const parked = await tenant.delivery(id, "held", "parked");
      expect(parked).toMatchObject({ attemptCount: 0, lastError: "target paused", attempts: [] });
    }
    expect(held.received).toEqual([]);
    const parkedFor = async (target: string) =>
      (await router.admin.get(`${tenant.path}/targets/${target}/gate`)).body.parked;
    const received = sent.map(({ id }) => router.admin.get(`${tenant.path}/events/${id}`));
    const oldest = (await Promise.all(received)).map(({ body }) => body.receivedAt).sort()[0];
    expect(await parkedFor("held")).toEqual({ count: 5, oldestReceivedAt: oldest });
    expect(await parkedFor("free")).toBeNull();

    const resumed = await router.admin.post(`${tenant.path}/targets/held/resume`);
    expect(resumed).toMatchObject({ status: 200, body: { paused: false, released: 5 } });
    const came = await held.waitFor(5);
    expect(new Set(came.map(({ headers }) => headers["signalbox-event"]))).toEqual(
      new Set(sent.map(({ id }) => id)),
    );
    for (const { headers } of came) expect(headers["signalbox-attempt"]).toBe("1");
    for (const { id } of sent) {
      const delivered = await tenant.delivery(id, "held", "delivered");
      expect(delivered).toMatchObject({ attemptCount: 1, lastError: null });
    }
    expect([held.received.length, free.received.length]).toEqual([5, 5]);
  });

  it("is listed with whom something waits for, the most urgent first and page by page", async () => {
    const receiver = await receiverHere();
    const slow = { url: receiver.url, gate: { perSecond: 0.001 } };
    const tenant = await prepareTenant(router, "waits", { held: { url: receiver.url }, slow });
    await router.admin.post(`${tenant.path}/targets/held/pause`);
    const held = await tenant.send("held");
    await tenant.delivery(held.id, "held", "parked");
    for (let at = 0; at < 2; at += 1) await tenant.send("slow");
    const own = async (query = "") => {
      const { body } = await router.admin.get(`waiting?limit=200${query}`);
      return (body.items as { tenant: string }[]).filter((each) => each.tenant === "waits");
    };
    const found = await eventually(own, (items) => items.length === 2);
    const { receivedAt } = (await router.admin.get(`${tenant.path}/events/${held.id}`)).body;
    const seen = { tenant: "waits", priority: "critical" };
    expect(found).toEqual([
      { ...seen, target: "held", waitsFor: "opening", oldestReceivedAt: receivedAt },
      { ...seen, target: "slow", waitsFor: "gate", oldestReceivedAt: expect.any(String) },
    ]);
    const pages: object[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const { body } = await router.admin.get(`waiting?limit=1${query}`);
      pages.push(...body.items);
      cursor = body.cursor;
    }
    expect(pages).toEqual((await router.admin.get("waiting?limit=200")).body.items);
    await router.admin.post(`${tenant.path}/targets/held/resume`);
    await tenant.delivery(held.id, "held", "delivered");
    expect(await own()).toMatchObject([{ target: "slow" }]);
  });

  it("gets no retry either: the delivery waits with its attempts and goes on counting", async () => {
    const receiver = await receiverHere(inTurn(status(500), status(200)));
    const retry = { delaysSeconds: [1] };
    const tenant = await prepareTenant(router, "mid-way", { later: { url: receiver.url, retry } });
    const { id } = await tenant.send("later");
    await tenant.delivery(id, "later", "retrying");
    await router.admin.post(`${tenant.path}/targets/later/pause`);
    const parked = await tenant.delivery(id, "later", "parked");
    expect(parked).toMatchObject({ attemptCount: 1, lastStatus: 500, lastError: "target paused" });
    await router.admin.post(`${tenant.path}/targets/later/resume`);
    const [, second] = await receiver.waitFor(2);
    expect(second?.headers["signalbox-attempt"]).toBe("2");
  });

  it("refuses to have a parked delivery redriven, for it is resumed that frees it", async () => {
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "stubborn", { held: { url: receiver.url } });
    await router.admin.post(`${tenant.path}/targets/held/pause`);
    const { id } = await tenant.send("held");
    const parked = await tenant.delivery(id, "held", "parked");
    const refused = await router.admin.post(`${tenant.path}/deliveries/${parked.id}/redrive`);
    expect(refused).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/parked/) },
    });
    expect(receiver.received).toEqual([]);
  });

  it("is opened by a PUT that no longer says paused, and what was parked goes out", async () => {
    const receiver = await receiverHere();
    const target = { kind: "http", url: receiver.url };
    const tenant = await prepareTenant(router, "replaced", { held: { url: receiver.url } });
    await router.admin.put(`${tenant.path}/targets/held`, { ...target, paused: true });
    const { id } = await tenant.send("held");
    await tenant.delivery(id, "held", "parked");
    await router.admin.put(`${tenant.path}/targets/held`, target);
    await tenant.delivery(id, "held", "delivered");
  });
});

describe("pause and resume", () => {
  it("pressed by ten at once are all done, one after the other", async () => {
    const tenant = await prepareTenant(router, "pressed", { sink: { url: "http://127.0.0.1:9/" } });
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        router.admin.post(`${tenant.path}/targets/sink/${at % 2 === 0 ? "pause" : "resume"}`),
      ),
    );
    expect(answers.map(({ status: code }) => code)).toEqual(Array(10).fill(200));
  });

  it("pressed while webhooks come in lose none of them and deliver none twice", async () => {
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "busy", { busy: { url: receiver.url } });
    const press = (name: string) => router.admin.post(`${tenant.path}/targets/busy/${name}`);
    let sending = 8;
    const senders = Array.from({ length: sending }, async () => {
      for (let sent = 0; sent < 20; sent += 1) await tenant.send("busy");
      sending -= 1;
    });
    while (sending > 0) {
      await press("pause");
      await press("resume");
    }
    await Promise.all(senders);
    const open = await eventually(
      () => router.admin.get(`${tenant.path}/deliveries?limit=200`),
      ({ body }) => {
        const states = body.items.map(({ state }: { state: string }) => state);
        return states.length === 160 && states.every((state: string) => state === "delivered");
      },
    );
    expect(open.body.items).toHaveLength(160);
    expect(receiver.received).toHaveLength(160);
  });

  it("pressed while a batch is under way leaves nothing parked that the batch had set aside", async () => {
    const held = await receiverHere();
    const { promise: resumed, resolve: answerSlow } = Promise.withResolvers<void>();
    const slow = await receiverHere((_, response) => void resumed.then(() => response.end("ok")));
    const tenant = await prepareTenant(router, "mid-batch", {
      held: { url: held.url },
      slow: { url: slow.url },
    });
    await router.admin.post(`${tenant.path}/targets/held/pause`);
    const { id } = await tenant.send("held", "slow");
    await slow.waitFor(1);
    await router.admin.post(`${tenant.path}/targets/held/resume`);
    answerSlow();
    await tenant.delivery(id, "slow", "delivered");
    await tenant.delivery(id, "held", "delivered");
  });

  it("pressed while a batch is at work leave the rest of it parked, and send it", async () => {
    const answerMs = 300;
    const receiver = await receiverHere(
      (_, response) => void setTimeout(() => response.end("ok"), answerMs),
    );
    const tenant = await prepareTenant(router, "at-work", { slow: { url: receiver.url } });
    const path = `${tenant.path}/targets/slow`;
    // One event, so one message: its deliveries are a batch of five seconds.
    const count = 96;
    for (let at = 1; at < count; at += 1) {
      const rule = { pattern: { data: { to: ["slow"] } }, priority: "critical", targets: ["slow"] };
      await router.admin.put(`${tenant.path}/rules/slow-${at}`, rule);
    }
    const { id } = await tenant.send("slow");
    const ended = async (isEnded: (delivery: Delivery) => boolean): Promise<Delivery[]> => {
      const { body } = await eventually(
        () => router.admin.get(`${tenant.path}/deliveries?event=${id}&limit=200`),
        ({ body: { items } }) => items.length === count && items.every(isEnded),
      );
      return body.items;
    };
    const isDelivered = ({ state }: Delivery) => state === "delivered";
    const isParked = ({ state, lastError }: Delivery) =>
      state === "parked" && lastError === "target paused";
    await receiver.waitFor(1);
    await router.admin.post(`${path}/pause`);
    const parked = (await ended((each) => isDelivered(each) || isParked(each))).filter(isParked);
    expect(parked.length).toBeGreaterThan(0);
    const one = await router.admin.get(`${tenant.path}/deliveries/${parked[0]?.id}`);
    expect(one.body).toMatchObject({ attemptCount: 0, attempts: [] });
    expect(receiver.received).toHaveLength(count - parked.length);
    const resumed = await router.admin.post(`${path}/resume`);
    expect(resumed.body).toMatchObject({ paused: false, released: parked.length });
    await ended(isDelivered);
    const ids = receiver.received.map(({ headers }) => headers["webhook-id"]);
    expect(ids).toHaveLength(count);
    expect(new Set(ids).size).toBe(count);
  });

  it.each(["pause", "resume"])("of a target that does not exist: %s answers 404", async (name) => {
    const tenant = await prepareTenant(router, "empty", {});
    const answer = await router.admin.post(`${tenant.path}/targets/nobody/${name}`);
    expect(answer.status).toBe(404);
  });
});
