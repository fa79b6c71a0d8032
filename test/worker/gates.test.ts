/** Gates of targets on the built Worker: what a receiver sees of its limits, and what an operator is told. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inTurn, receiverHere, status } from "../support/answers.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

describe("a target with a rate", () => {
  it("is called at that rate, tells what limits it, and gets all that waited", async () => {
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "paced", {
      sink: { url: receiver.url, gate: { perSecond: 5 } },
    });
    const sent = await Promise.all(Array.from({ length: 25 }, () => tenant.send("sink")));
    const parked = await eventually(
      () => router.admin.get(`${tenant.path}/deliveries?state=parked&target=sink`),
      ({ body }) => body.items.length > 0,
    );
    expect(parked.body.items[0]).toMatchObject({ lastError: expect.stringMatching(/^gate: /) });
    const limited = await eventually(
      () => router.admin.get(`${tenant.path}/targets/sink/gate`),
      ({ body }) => body.limits.some(({ by }: { by: string }) => by === "rate"),
    );
    expect(limited.body.limits[0]).toMatchObject({
      since: expect.any(String),
      detail: expect.any(String),
    });
    const came = await receiver.waitFor(sent.length);
    const starts = came.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    // The way to the receiver takes a moment, once more and once less: seven in a second would be two too many.
    for (const from of starts) {
      expect(starts.filter((at) => at >= from && at < from + 900).length).toBeLessThanOrEqual(6);
    }
    for (const { id } of sent) await tenant.delivery(id, "sink", "delivered");
    expect(receiver.received).toHaveLength(sent.length);
  });
});

describe("a receiver that asks to wait", () => {
  it("is called by no other delivery before the time is over, and then by all of them", async () => {
    const receiver = await receiverHere(inTurn(status(429, { "retry-after": "3" }), status(200)));
    const tenant = await prepareTenant(router, "asked", { sink: { url: receiver.url } });
    await tenant.send("sink");
    const [first] = await receiver.waitFor(1);
    await eventually(
      () => router.admin.get(`${tenant.path}/targets/sink/gate`),
      ({ body }) => body.limits.some(({ by }: { by: string }) => by === "retry-after"),
    );
    const sent = await Promise.all(Array.from({ length: 5 }, () => tenant.send("sink")));
    for (const { id } of sent) {
      expect(await tenant.delivery(id, "sink", "parked")).toMatchObject({
        ...{ attemptCount: 0, lastError: "gate: retry-after" },
      });
    }
    const came = await receiver.waitFor(7);
    for (const { atMs } of came.slice(1))
      expect(atMs - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(2_990);
  });
});

describe("a gate that holds something against its receiver", () => {
  const askingToWait = () =>
    receiverHere(inTurn(status(429, { "retry-after": "3600" }), status(200)));
  const limitsOf = async (path: string) =>
    (await router.admin.get(`${path}/targets/sink/gate`)).body.limits.map(
      ({ by }: { by: string }) => by,
    );

  it("is set back by an operator, and what waited goes out", async () => {
    const receiver = await askingToWait();
    const tenant = await prepareTenant(router, "forgiven", { sink: { url: receiver.url } });
    await tenant.send("sink");
    await receiver.waitFor(1);
    await eventually(
      () => limitsOf(tenant.path),
      (found) => found.includes("retry-after"),
    );
    const { id } = await tenant.send("sink");
    await tenant.delivery(id, "sink", "parked");
    const reset = await router.admin.post(`${tenant.path}/targets/sink/gate/reset`);
    expect(reset).toMatchObject({ status: 200, body: { limits: expect.any(Array) } });
    expect(await limitsOf(tenant.path)).not.toContain("retry-after");
    await tenant.delivery(id, "sink", "delivered");
  });

  it("holds it against no other receiver: a PUT with another URL sets it back, one with the same does not", async () => {
    const [ill, well] = [await askingToWait(), await receiverHere()];
    const tenant = await prepareTenant(router, "moved", { sink: { url: ill.url } });
    await tenant.send("sink");
    await ill.waitFor(1);
    await eventually(
      () => limitsOf(tenant.path),
      (found) => found.includes("retry-after"),
    );
    const { id } = await tenant.send("sink");
    await tenant.delivery(id, "sink", "parked");
    await router.admin.put(`${tenant.path}/targets/sink`, { kind: "http", url: ill.url });
    expect(await limitsOf(tenant.path)).toContain("retry-after");
    await router.admin.put(`${tenant.path}/targets/sink`, { kind: "http", url: well.url });
    await tenant.delivery(id, "sink", "delivered");
    expect(well.received).toHaveLength(1);
  });

  it("is set back for no target that is unknown, or another tenant's", async () => {
    await router.admin.put("tenants/stranger", {});
    for (const path of ["tenants/forgiven/targets/none", "tenants/stranger/targets/sink"]) {
      expect((await router.admin.post(`${path}/gate/reset`)).status).toBe(404);
    }
  });
});

describe("the gate of a target", () => {
  it("that nothing limits says so", async () => {
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "free", { sink: { url: receiver.url } });
    expect(await router.admin.get(`${tenant.path}/targets/sink/gate`)).toMatchObject({
      ...{ status: 200, body: { limits: [] } },
    });
  });

  it("that is paused names the person's doing", async () => {
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "held", { sink: { url: receiver.url } });
    await router.admin.post(`${tenant.path}/targets/sink/pause`);
    const since = (await router.admin.get(`${tenant.path}/targets/sink`)).body.updatedAt;
    for (const _ of ["first", "again"]) {
      const { body } = await router.admin.get(`${tenant.path}/targets/sink/gate`);
      expect(body.limits).toMatchObject([{ by: "operator", since, until: null }]);
    }
  });

  it("that is closed for good says why and since when, also after it was changed", async () => {
    const gone = await receiverHere(status(410));
    const tenant = await prepareTenant(router, "closed", { sink: { url: gone.url } });
    const target = `${tenant.path}/targets/sink`;
    await tenant.send("sink");
    const { body } = await eventually(
      () => router.admin.get(target),
      (found) => found.body.disabled !== undefined,
    );
    await router.admin.post(`${target}/pause`);
    const { limits } = (await router.admin.get(`${target}/gate`)).body;
    const detail = "the target is disabled: the receiver answered 410 Gone; and paused";
    expect(limits).toMatchObject([{ by: "operator", since: body.disabled.at, detail }]);
  });

  it("of an unknown target, or of another tenant's, is not found", async () => {
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "mine", { sink: { url: receiver.url } });
    await router.admin.put("tenants/other", {});
    for (const path of [`${tenant.path}/targets/none/gate`, "tenants/other/targets/sink/gate"]) {
      expect((await router.admin.get(path)).status).toBe(404);
    }
  });
});
