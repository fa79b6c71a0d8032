/** Queues that teams read themselves, over HTTP: pulled, answered, sought, and what an operator sees of them. */
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

async function tenant(name: string, targets: Readonly<Record<string, object>> = { audit: {} }) {
  const path = `tenants/${name}`;
  await router.admin.put(path, {});
  await router.admin.put(`${path}/sources/shop`, { verify: { scheme: "none" } });
  for (const [target, body] of Object.entries(targets)) {
    await router.admin.put(`${path}/targets/${target}`, { kind: "pull", ...body });
    await router.admin.put(`${path}/rules/${target}`, {
      ...{ pattern: { data: { to: [target] } }, priority: "normal", targets: [target] },
    });
  }
  const at = (target: string) => `${path}/targets/${target}`;
  const post = (target: string, what: string, body: object = {}) =>
    router.admin.request("POST", `${at(target)}/${what}`, body);
  return {
    path,
    at,
    post,
    send: (n: number, ...to: string[]) =>
      accepted(router.send(`${name}/shop`, { body: JSON.stringify({ n, to }) })),
    async pull(target: string, more: object = {}) {
      const { status, body } = await post(target, "pull", more);
      expect([status, body]).toMatchObject([200, { items: expect.any(Array) }]);
      return body.items;
    },
    /** Until so many wait for the target's reader. */
    waiting: (target: string, count: number) =>
      eventually(
        () => router.admin.get(`${at(target)}/backlog`),
        ({ body }) => body.waiting === count,
      ),
  };
}

const leasesOf = (items: readonly { lease: string }[]) => items.map(({ lease }) => lease);

describe("a target that is pulled", () => {
  it("gives each team its own queue, at its own pace", async () => {
    const { pull, post, send, waiting, at } = await tenant("teams", { audit: {}, stock: {} });
    const { id } = await send(1, "audit", "stock");
    await send(2, "audit");
    await Promise.all([waiting("audit", 2), waiting("stock", 1)]);
    const audit = await pull("audit", { leaseSeconds: 60 });
    expect(audit.map(({ content }: { content: { data: object } }) => content.data)).toEqual([
      { n: 1, to: ["audit", "stock"] },
      { n: 2, to: ["audit"] },
    ]);
    expect(audit[0]).toMatchObject({ event: id, rule: "audit", priority: "normal", attempt: 1 });
    const { body: backlog } = await router.admin.get(`${at("audit")}/backlog`);
    expect(backlog).toMatchObject({
      ...{ waiting: 0, leased: 2, delayed: 0, oldestAgeSeconds: expect.any(Number) },
      priorities: [{ priority: "normal", leased: 2 }],
    });
    expect((await post("audit", "ack", { leases: leasesOf(audit) })).body).toEqual({
      ...{ done: 2, refused: [] },
    });
    expect((await waiting("stock", 1)).body).toMatchObject({ leased: 0 });
    const { body: deliveries } = await router.admin.get(`tenants/teams/deliveries?target=audit`);
    const [newest] = deliveries.items;
    expect(newest).toMatchObject({ state: "delivered", attempts: 1 });
    const { body: delivery } = await router.admin.get(`tenants/teams/deliveries/${newest.id}`);
    expect(delivery.attempts).toMatchObject([{ number: 1, error: null, answer: "acknowledged" }]);
    const { body: empty } = await router.admin.get(`${at("audit")}/backlog`);
    expect(empty).toMatchObject({ waiting: 0, leased: 0, oldestReceivedAt: null, priorities: [] });
  });

  it("waits for what comes", async () => {
    const { pull, send } = await tenant("waits");
    const pulling = pull("audit", { waitSeconds: 20 });
    await send(1, "audit");
    expect(await pulling).toHaveLength(1);
  });

  it.each([
    ["paused", "POST", "/pause", /paused/],
    ["of another kind", "PUT", "", /only one of kind pull is/],
  ])("is refused to a pull that waits, once it is %s", async (kind, method, what, detail) => {
    const { at, post } = await tenant(`waits-${method}`.toLowerCase());
    const pulling = post("audit", "pull", { waitSeconds: 20 });
    await router.admin.request(method, `${at("audit")}${what}`, {
      kind: "http",
      url: "http://127.0.0.1:9/",
    });
    expect(await pulling).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(detail) },
    });
  });

  it("refuses a lease that is over, and says why", async () => {
    const { pull, post, send, waiting } = await tenant("stale");
    await send(1, "audit");
    await waiting("audit", 1);
    const [first] = await pull("audit");
    await post("audit", "nack", { leases: [first.lease], reason: "not now" });
    const [second] = await pull("audit");
    expect(second).toMatchObject({ attempt: 2, delivery: first.delivery });
    const { body } = await post("audit", "ack", { leases: [first.lease, "lse_x"] });
    expect(body).toEqual({
      done: 0,
      refused: [
        { lease: "lse_x", reason: "this is no lease" },
        { lease: first.lease, reason: expect.stringMatching(/^the lease is over/) },
      ],
    });
    expect(
      (await post("audit", "extend", { leases: [second.lease], leaseSeconds: 60 })).body,
    ).toEqual({ done: 1, refused: [] });
    expect((await post("audit", "ack", { leases: [second.lease] })).body.done).toBe(1);
  });

  it("makes a dead letter of what is given back too often, which waits again when it is redriven", async () => {
    const { path, pull, post, send, waiting } = await tenant("dead", { audit: { maxAttempts: 1 } });
    await send(1, "audit");
    await waiting("audit", 1);
    const items = await pull("audit");
    await post("audit", "nack", { leases: leasesOf(items), reason: "no stock" });
    const { body: dead } = await router.admin.get(`${path}/deliveries?state=dead`);
    expect(dead.items).toMatchObject([{ lastError: "given back: no stock; attempts exhausted" }]);
    await router.admin.post(`${path}/deliveries/${dead.items[0].id}/redrive`);
    await waiting("audit", 1);
    expect(await pull("audit")).toMatchObject([{ attempt: 2 }]);
  });

  it("goes back to a time, and forward to now", async () => {
    const { path, pull, post, send, waiting } = await tenant("seeks");
    const { id } = await send(1, "audit");
    await waiting("audit", 1);
    const { body: event } = await router.admin.get(`${path}/events/${id}`);
    const items = await pull("audit");
    await post("audit", "ack", { leases: leasesOf(items) });
    const back = await post("audit", "seek", { to: event.receivedAt, reason: "lost our copy" });
    expect(back).toMatchObject({ status: 200, body: { skipped: 0, owed: 1, cursor: null } });
    await waiting("audit", 1);
    const now = await post("audit", "seek", { to: "now", reason: "we begin anew" });
    expect(now.body).toMatchObject({ skipped: 1, owed: 0, cursor: null });
    expect(await pull("audit")).toEqual([]);
    const { body: skipped } = await router.admin.get(`${path}/deliveries?state=cancelled`);
    expect(skipped.items).toMatchObject([
      { lastError: expect.stringMatching(/^skipped by a seek to .*Z: we begin anew$/) },
    ]);
  });

  it("keeps what waits while it is paused, and when its kind changes sends it there", async () => {
    const receiver = await receiverHere();
    const { at, pull, post, send, waiting } = await tenant("changes");
    await send(1, "audit");
    await waiting("audit", 1);
    await router.admin.post(`${at("audit")}/pause`);
    await send(2, "audit");
    await eventually(
      () => router.admin.get(`tenants/changes/deliveries?state=parked`),
      ({ body }) => body.items.length === 2,
    );
    const refused = await post("audit", "pull");
    expect(refused).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/paused/) },
    });
    const { body: resumed } = await router.admin.post(`${at("audit")}/resume`);
    expect(resumed.released).toBe(1);
    expect(await pull("audit", { leaseSeconds: 1 })).toHaveLength(2);
    await router.admin.put(at("audit"), { kind: "http", url: receiver.url });
    await router.sweep();
    expect(await receiver.waitFor(2)).toHaveLength(2);
  });
});

describe("refused is", () => {
  it("a pull of a target that is called, or is not there", async () => {
    const { at, post } = await tenant("kinds", {});
    await router.admin.put(at("hook"), { kind: "http", url: "http://127.0.0.1:9/" });
    for (const what of ["pull", "backlog"]) {
      const method = what === "pull" ? "POST" : "GET";
      expect(await router.admin.request(method, `${at("hook")}/${what}`)).toMatchObject({
        ...{ status: 409, body: { detail: expect.stringMatching(/only one of kind pull is/) } },
      });
    }
    expect((await post("nothing", "pull")).status).toBe(404);
  });

  it.each([
    ["pull", { max: 101 }, "/max"],
    ["pull", { waitSeconds: 21 }, "/waitSeconds"],
    ["pull", { leaseSeconds: 0 }, "/leaseSeconds"],
    ["ack", { leases: [] }, "/leases"],
    ["nack", { leases: ["a"], delaySeconds: 3_601 }, "/delaySeconds"],
    ["extend", { leases: ["a"] }, "/leaseSeconds"],
    ["seek", { to: "yesterday", reason: "r" }, "/to"],
    ["seek", { to: "2999-01-01T00:00:00Z", reason: "r" }, "/to"],
    ["seek", { to: "now" }, "/reason"],
  ])("%s with %j", async (what, body, pointer) => {
    const { post } = await tenant("bounds");
    const answer = await post("audit", what, body);
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toMatchObject([{ pointer }]);
  });

  it("a lease of another tenant", async () => {
    const [own, other] = [await tenant("wall-a"), await tenant("wall-b")];
    await own.send(1, "audit");
    await own.waiting("audit", 1);
    const leases = leasesOf(await own.pull("audit"));
    expect((await other.post("audit", "ack", { leases })).body).toMatchObject({
      ...{ done: 0, refused: [{ reason: "there is no such delivery of this target" }] },
    });
    expect((await own.post("audit", "ack", { leases })).body.done).toBe(1);
  });
});
