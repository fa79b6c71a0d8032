/** Redriving: dead letters put back on their way by a person, one or many, at a pace. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inTurn, receiverHere, status } from "../support/answers.ts";
import { deadLetters } from "../support/dead-letters.ts";
import type { Receiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant, type TestTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const ONE_ATTEMPT = { delaysSeconds: [] };

const redrive = (tenant: TestTenant, delivery: string) =>
  router.admin.post(`${tenant.path}/deliveries/${delivery}/redrive`);
const redriveAll = (tenant: TestTenant, body?: object) =>
  router.admin.post(`${tenant.path}/dead-letters/redrive`, body);

const webhookIds = ({ received }: Receiver, from = 0) =>
  received.slice(from).map(({ headers }) => headers["webhook-id"]);

describe("one dead letter", () => {
  it("goes out again under its own webhook-id, its retries begun anew", async () => {
    const receiver = await receiverHere(inTurn(status(500), status(500), status(500), status(200)));
    const retry = { delaysSeconds: [0] };
    const tenant = await prepareTenant(router, "one", { one: { url: receiver.url, retry } });
    const { id } = await tenant.send("one");
    const letter = await tenant.delivery(id, "one", "dead");
    expect(letter.attemptCount).toBe(2);

    const answer = await redrive(tenant, letter.id);
    expect(answer).toMatchObject({ status: 202, body: { id: letter.id, state: "pending" } });
    const delivered = await tenant.delivery(id, "one", "delivered");
    expect(delivered).toMatchObject({ id: letter.id, attemptCount: 4 });
    expect(delivered.attempts.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(new Set(webhookIds(receiver))).toEqual(new Set([letter.id]));
  });

  it("cannot be redriven once it is delivered", async () => {
    const { tenant, receiver, letters } = await deadLetters(router, "done", 1);
    const [letter] = letters;
    await redrive(tenant, letter?.id ?? "");
    await tenant.delivery(letter?.eventId ?? "", "done", "delivered");
    const refused = await redrive(tenant, letter?.id ?? "");
    expect(refused).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/delivered/) },
    });
    await router.sweep();
    expect(receiver.received).toHaveLength(2);
  });

  it.each([
    ["of no event", `dlv_${"0".repeat(39)}`],
    ["of no possible form", "letter"],
  ])("%s is not found", async (_, id) => {
    const tenant = await prepareTenant(router, "none", {});
    expect((await redrive(tenant, id)).status).toBe(404);
  });
});

describe("all dead letters", () => {
  it("of a target go out no faster than asked, and the job comes to 100 percent", async () => {
    const { tenant, receiver, letters } = await deadLetters(router, "paced", 6);
    const startedAtMs = Date.now();
    const wish = { target: "paced", perSecond: 2 };
    const { status: code, body: job, headers } = await redriveAll(tenant, wish);
    expect(code).toBe(202);
    expect(headers.get("location")).toBe(`/admin/${tenant.path}/jobs/${job.id}`);
    expect(job).toMatchObject({ kind: "redrive", total: 6 });
    const percents: number[] = [];
    const end = await eventually(
      () => router.admin.get(`${tenant.path}/jobs/${job.id}`),
      ({ body }) => percents.push(body.percent) > 0 && body.percent === 100,
    );
    expect(end.body).toMatchObject({ finished: 6, states: { delivered: 6 } });
    expect(percents[0]).toBeLessThan(100);
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
    expect(webhookIds(receiver, 6).sort()).toEqual(letters.map(({ id }) => id).sort());
    for (const [position, { atMs }] of receiver.received.slice(6).entries()) {
      expect(atMs - startedAtMs).toBeGreaterThanOrEqual(position * 500);
    }
  });

  it("are the ones asked for: those of another target or rule, or another time, stay dead", async () => {
    const receiver = await receiverHere(inTurn(status(500), status(500), status(500), status(200)));
    const target = { url: receiver.url, retry: ONE_ATTEMPT };
    const tenant = await prepareTenant(router, "some", { a: target, b: target, c: target });
    const { id } = await tenant.send("a", "b", "c");
    for (const name of ["a", "b", "c"]) await tenant.delivery(id, name, "dead");
    const before = { to: "2020-01-01T00:00:00Z" };
    expect((await redriveAll(tenant, before)).body).toMatchObject({ total: 0, percent: 100 });
    expect((await redriveAll(tenant, { target: "a" })).body.total).toBe(1);
    await tenant.delivery(id, "a", "delivered");
    expect((await redriveAll(tenant, { rule: "b" })).body.total).toBe(1);
    await tenant.delivery(id, "b", "delivered");
    const c = await tenant.delivery(id, "c", "dead");
    expect(webhookIds(receiver)).toHaveLength(5);
    expect(webhookIds(receiver, 3)).not.toContain(c.id);
  });

  it("stay where they are once the job is cancelled: what was sent is sent, the rest is dead again", async () => {
    const { tenant, receiver, letters } = await deadLetters(router, "stopped", 3);
    const slow = { target: "stopped", perSecond: 0.1 };
    const { body: job } = await redriveAll(tenant, slow);
    await receiver.waitFor(4);
    const path = `${tenant.path}/jobs/${job.id}/cancel`;
    const reason = "the wrong receiver";
    const { status: code, body } = await router.admin.post(path, { reason, actor: "kim" });
    expect(code).toBe(200);
    expect(body).toMatchObject({ state: "cancelled", cancelled: { reason, actor: "kim" } });
    await eventually(
      () => router.admin.get(`${tenant.path}/jobs/${job.id}`),
      ({ body: { states } }) => states.delivered === 1 && states.dead === 2,
    );
    const { items } = (await router.admin.get(`${tenant.path}/deliveries?state=dead`)).body;
    const errors = items.map(({ lastError }: { lastError: string }) => lastError);
    expect(errors).toEqual(Array(2).fill("redrive cancelled: the wrong receiver"));
    await router.sweep();
    const { body: again } = await redriveAll(tenant, { target: "stopped" });
    expect(again.total).toBe(2);
    await receiver.waitFor(6);
    expect(webhookIds(receiver, 3).sort()).toEqual(letters.map(({ id }) => id).sort());
  });

  it("may be none, which is a job that is done", async () => {
    const tenant = await prepareTenant(router, "well", {});
    const { status: code, body: job } = await redriveAll(tenant);
    expect(code).toBe(202);
    const { body } = await router.admin.get(`${tenant.path}/jobs/${job.id}`);
    expect(body).toMatchObject({ total: 0, finished: 0, percent: 100 });
  });

  it.each([
    ["/perSecond", { perSecond: 0 }],
    ["/perSecond", { perSecond: 0.099 }],
    ["/perSecond", { perSecond: 1e-320 }],
    ["/perSecond", { perSecond: "fast" }],
    ["/from", { from: "yesterday" }],
    ["/speed", { speed: 1 }],
  ])("are left alone when the wish is not valid: %s", async (pointer, wish) => {
    const tenant = await prepareTenant(router, "strict", {});
    const refused = await redriveAll(tenant, wish);
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });

  it("of an unknown tenant are not found, nor is an unknown job", async () => {
    const tenant = await prepareTenant(router, "known", {});
    expect((await router.admin.post("tenants/nobody/dead-letters/redrive")).status).toBe(404);
    expect((await router.admin.get(`${tenant.path}/jobs/job_unknown`)).status).toBe(404);
  });
});
