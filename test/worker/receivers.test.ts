/** Receivers that fail, hang, refuse or move away, and what becomes of their deliveries. */
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hangUp, inTurn, receiverHere, status } from "../support/answers.ts";
import { accepted } from "../support/ingest-answer.ts";
import type { Received } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const AT_ONCE = { delaysSeconds: [0, 0] };

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const headerOf = (name: string) => (request: Received) => String(request.headers[name]);

describe("a receiver that fails twice", () => {
  it("gets the same webhook-id a third time, each time numbered, dated and signed anew", async () => {
    const receiver = await receiverHere(inTurn(status(500), status(502), status(204)));
    const retry = { delaysSeconds: [1, 1] };
    const target = { url: receiver.url, secrets: [SECRET], retry };
    const tenant = await prepareTenant(router, "flaky", { flaky: target });
    const { id } = await tenant.send("flaky");

    const came = await receiver.waitFor(3);
    expect(came.map(headerOf("signalbox-attempt"))).toEqual(["1", "2", "3"]);
    expect(new Set(came.map(headerOf("webhook-id"))).size).toBe(1);
    expect(new Set(came.map(headerOf("webhook-timestamp"))).size).toBe(3);
    expect(new Set(came.map(headerOf("webhook-signature"))).size).toBe(3);
    for (const { body, headers } of came) {
      new Webhook(SECRET).verify(body, headers as Record<string, string>);
    }
    const delivery = await tenant.delivery(id, "flaky", "delivered");
    expect(delivery).toMatchObject({ attemptCount: 3, lastStatus: 204, lastError: null });
    expect(delivery.attempts.map(({ status }) => status)).toEqual([500, 502, 204]);
    expect(came.map(headerOf("webhook-id"))).toContain(delivery.id);
  });
});

describe("a receiver that never answers", () => {
  it("times out and is tried again; the event's other deliveries neither wait for it nor repeat", async () => {
    const givenUpAtMs: number[] = [];
    const silent = await receiverHere((_, response) => {
      response.on("close", () => givenUpAtMs.push(Date.now()));
    });
    const sink = await receiverHere();
    const others = Array.from({ length: 8 }, (_, at) => `sink-${at}`);
    const tenant = await prepareTenant(router, "silent", {
      silent: { url: silent.url, timeoutMs: 2_000, retry: { delaysSeconds: [0] } },
      ...Object.fromEntries(others.map((name) => [name, { url: sink.url }])),
    });
    const { id } = await tenant.send("silent", ...others);

    const delivery = await tenant.delivery(id, "silent", "dead");
    expect(delivery).toMatchObject({ attemptCount: 2, lastStatus: null });
    for (const { error } of delivery.attempts) expect(error).toMatch(/^timeout/);
    expect(silent.received.map(headerOf("signalbox-attempt"))).toEqual(["1", "2"]);
    expect(new Set(sink.received.map(headerOf("webhook-id"))).size).toBe(others.length);
    expect(sink.received).toHaveLength(others.length);
    const lastMs = Math.max(...sink.received.map(({ atMs }) => atMs));
    expect(lastMs).toBeLessThanOrEqual(givenUpAtMs[0] ?? 0);
  });
});

describe("a receiver that asks for a pause", () => {
  it.each([429, 503])(
    "with %i and seconds is not called again before they are over",
    async (code) => {
      const receiver = await receiverHere(
        inTurn(status(code, { "retry-after": "2" }), status(200)),
      );
      const target = { url: receiver.url, retry: AT_ONCE };
      const tenant = await prepareTenant(router, `pause-${code}`, { busy: target });
      const { id } = await tenant.send("busy");
      const [first, second] = await receiver.waitFor(2);
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(2_000);
      await tenant.delivery(id, "busy", "delivered");
    },
  );

  it("with an HTTP date is not called again before it", async () => {
    let notBeforeMs = Number.NaN;
    const receiver = await receiverHere(
      inTurn((_, response) => {
        const date = new Date(Date.now() + 3_000).toUTCString();
        notBeforeMs = Date.parse(date);
        response.writeHead(503, { "retry-after": date }).end();
      }, status(200)),
    );
    const target = { url: receiver.url, retry: AT_ONCE };
    const tenant = await prepareTenant(router, "pause-date", { busy: target });
    const { id } = await tenant.send("busy");
    const [, second] = await receiver.waitFor(2);
    expect(second?.atMs).toBeGreaterThanOrEqual(notBeforeMs);
    await tenant.delivery(id, "busy", "delivered");
  });
});

describe("a receiver that is gone (410)", () => {
  it("disables its target, which takes nothing until it is resumed and then all that waited", async () => {
    const receiver = await receiverHere(inTurn(status(410), status(200)));
    const tenant = await prepareTenant(router, "gone", { gone: { url: receiver.url } });
    const path = `${tenant.path}/targets/gone`;
    const first = await tenant.send("gone");
    const dead = await tenant.delivery(first.id, "gone", "dead");
    expect(dead).toMatchObject({ attemptCount: 1, lastStatus: 410 });
    const { body: target } = await router.admin.get(path);
    expect(target.disabled).toMatchObject({ reason: expect.stringContaining("410") });

    const later = await Promise.all([tenant.send("gone"), tenant.send("gone")]);
    for (const { id } of later) {
      const parked = await tenant.delivery(id, "gone", "parked");
      expect(parked).toMatchObject({ attemptCount: 0, lastError: "target disabled" });
    }
    expect(receiver.received).toHaveLength(1);

    const resumed = await router.admin.post(`${path}/resume`);
    expect(resumed.body).toMatchObject({ paused: false, released: 2 });
    expect((await router.admin.get(path)).body).not.toHaveProperty("disabled");
    for (const { id } of later) await tenant.delivery(id, "gone", "delivered");
    expect(receiver.received).toHaveLength(3);
  });
});

describe("an answer that is no success", () => {
  it("is a redirect: it is not followed", async () => {
    const elsewhere = await receiverHere();
    const receiver = await receiverHere(status(302, { location: elsewhere.url }));
    const target = { url: receiver.url, retry: { delaysSeconds: [] } };
    const tenant = await prepareTenant(router, "moved", { moved: target });
    const { id } = await tenant.send("moved");
    const delivery = await tenant.delivery(id, "moved", "dead");
    expect(delivery).toMatchObject({ attemptCount: 1, lastStatus: 302 });
    expect(delivery.lastError).toMatch(/^status 302: redirects are not followed/);
    expect(elsewhere.received).toEqual([]);
  });

  it("is a closed connection: it is tried again", async () => {
    const receiver = await receiverHere(inTurn(hangUp, status(200)));
    const target = { url: receiver.url, retry: AT_ONCE };
    const tenant = await prepareTenant(router, "hang-up", { cut: target });
    const { id } = await tenant.send("cut");
    const delivery = await tenant.delivery(id, "cut", "delivered");
    expect(delivery.attempts).toMatchObject([
      { status: null, error: expect.stringMatching(/^network: /) },
      { status: 200, error: null },
    ]);
  });

  it("is the last of its attempts: the delivery becomes a dead letter that says why, and rests", async () => {
    const receiver = await receiverHere(status(500));
    const target = { url: receiver.url, retry: AT_ONCE };
    const tenant = await prepareTenant(router, "exhausted", { broken: target });
    const { id } = await tenant.send("broken");
    const { id: delivery } = await tenant.delivery(id, "broken", "dead");
    const { body } = await router.admin.get(`${tenant.path}/deliveries?state=dead`);
    expect(body.items).toMatchObject([
      {
        id: delivery,
        attempts: 3,
        lastError: "status 500; attempts exhausted",
        nextAttemptAt: null,
      },
    ]);
    await router.sweep();
    await tenant.delivery((await tenant.send("broken")).id, "broken", "dead");
    expect(
      receiver.received.filter((request) => headerOf("webhook-id")(request) === delivery),
    ).toHaveLength(3);
  });
});

describe("a long answer", () => {
  it("is kept up to its first 4 KB", async () => {
    const receiver = await receiverHere((_, response) => void response.end("x".repeat(1_000_000)));
    const tenant = await prepareTenant(router, "chatty", { chatty: { url: receiver.url } });
    const { id } = await tenant.send("chatty");
    const { attempts } = await tenant.delivery(id, "chatty", "delivered");
    expect(attempts).toMatchObject([{ status: 200, answer: "x".repeat(4_096) }]);
  });
});

describe("twenty copies of one webhook at one moment", () => {
  it("are one event: delivered once per subscription, nineteen copies suppressed and shown", async () => {
    const [one, two] = await Promise.all([receiverHere(), receiverHere()]);
    const tenant = await prepareTenant(router, "copies", {
      one: { url: one.url },
      two: { url: two.url },
    });
    const init = { headers: { "webhook-id": "msg_1" }, body: '{"to":["one","two"]}' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => accepted(router.send("copies/open", init))),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    const { body: event } = await eventually(
      () => router.admin.get(`${tenant.path}/events/${answers[0]?.id}`),
      ({ body }) => body.receipts?.length === 20,
    );
    const ids = event.receipts.map(({ id }: { id: string }) => id);
    expect(ids.sort()).toEqual(answers.map(({ receipt }) => receipt).sort());
    const owner = event.receipts.find(({ duplicate }: { duplicate: boolean }) => !duplicate);
    const copies = event.receipts.filter(({ duplicate }: { duplicate: boolean }) => duplicate);
    expect(copies).toHaveLength(19);
    for (const { reason } of copies) expect(reason).toBe(`duplicate of ${owner.id}`);
    for (const target of ["one", "two"]) {
      await tenant.delivery(event.id, target, "delivered");
    }
    expect([one.received.length, two.received.length]).toEqual([1, 1]);
  });
});
