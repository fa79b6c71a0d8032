/** What operators do with sagas over HTTP: once under its id, never against each other, never unnamed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SAGA_OUTPUT_BYTES_MAX } from "../../src/core/saga/limits.ts";
import { type Router, startRouter } from "../support/router.ts";
import { startOrder } from "../support/saga-shop.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

/** It waits for a person as long as the tests take. */
const APPROVED = {
  deadlineSeconds: 3_600,
  steps: [{ name: "big", approve: { timeoutSeconds: 3_600 } }],
};

describe("a command", () => {
  it("is carried out once under its id, and says who decided it, and why", async () => {
    const saga = await startOrder(router, "once", APPROVED);
    const body = { seconds: 60, commandId: "c-1", actor: "ann" };
    const first = await saga.command("extend-deadline", body);
    const again = await saga.command("extend-deadline", body);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    expect(first.body.journal.at(-1).actor).toEqual({
      ...{ by: "operator", name: "ann", command: "extend-deadline" },
      ...{ reason: "a test", commandId: "c-1" },
    });
    const another = await saga.command("pause", { commandId: "c-1" });
    expect(another).toMatchObject({ status: 409, body: { rev: first.body.rev } });
    expect(another.body.detail).toMatch(/that of another command/);
  });

  it("of two operators at once is carried out for one of them", async () => {
    const saga = await startOrder(router, "two", APPROVED);
    const { body } = await router.admin.get(saga.instance);
    const both = await Promise.all([
      saga.command("pause", { expectedRev: body.rev }),
      saga.command("abandon", { expectedRev: body.rev }),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409]);
  });

  it("with a bad id, a bad name or an output too large is refused at its place", async () => {
    const saga = await startOrder(router, "bad", APPROVED);
    const pointersOf = async (body: object) => {
      const answer = await saga.command("override-step", { step: "big", output: 1, ...body });
      expect(answer.status).toBe(422);
      return answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
    };
    expect(await pointersOf({ commandId: "x".repeat(129) })).toEqual(["/commandId"]);
    expect(await pointersOf({ commandId: "", actor: "" })).toEqual(["/actor", "/commandId"]);
    expect(await pointersOf({ output: "x".repeat(SAGA_OUTPUT_BYTES_MAX) })).toEqual(["/output"]);
    expect((await saga.command("override-step", { step: "none", output: 1 })).status).toBe(422);
  });
});

describe("a migration", () => {
  it("is compared first, then has the instance go on by the present definition", async () => {
    const saga = await startOrder(router, "moved", APPROVED);
    const { body: old } = await router.admin.get(saga.instance);
    const note = { name: "note", delay: { seconds: 600 } };
    const steps = [...APPROVED.steps, note];
    const put = await router.admin.put(`${saga.path}/sagas/order`, { ...APPROVED, steps });
    const compared = await saga.command("migrate", { dryRun: true });
    expect(compared.body).toMatchObject({
      ...{ allowed: true, added: ["note"], removed: [], changed: [], faults: [] },
      ...{ fromVersion: old.version, toVersion: put.body.version },
    });
    const moved = await saga.command("migrate", { expectedRev: old.rev, commandId: "m-1" });
    expect(moved).toMatchObject({ status: 200, body: { version: put.body.version } });
    expect(moved.body.steps.map(({ name }: { name: string }) => name)).toEqual(["big", "note"]);
    const { entries } = moved.body.journal.at(-1);
    expect(entries).toEqual([{ kind: "migrate", version: put.body.version }]);
    expect(moved.body.journal[0].entries).toMatchObject([{ kind: "wait", step: "big" }]);
    await saga.command("signal", { step: "big", approved: true });
    await eventually(
      () => router.admin.get(saga.instance),
      ({ body }) => body.steps[1].state === "waiting",
    );
  });

  it("leads to any version that is kept, also after the saga was deleted, and is compared first", async () => {
    const saga = await startOrder(router, "back", APPROVED);
    const path = `${saga.path}/sagas/order`;
    const { body: old } = await router.admin.get(saga.instance);
    const steps = [...APPROVED.steps, { name: "note", delay: { seconds: 600 } }];
    await router.admin.put(path, { ...APPROVED, steps });
    expect((await saga.command("migrate")).status).toBe(200);
    await router.admin.request("DELETE", path);
    const { body: versions } = await router.admin.get(`${path}/versions`);
    expect(versions.items).toMatchObject([
      { deleted: true, isCurrent: true },
      { deleted: false, steps },
      { deleted: false, version: old.version, steps: APPROVED.steps },
    ]);
    const deleted = await saga.command("migrate", { toVersion: versions.items[0].version });
    expect(deleted).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/was deleted/) },
    });
    const toVersion = old.version;
    const compared = await saga.command("migrate", { toVersion, dryRun: true });
    expect(compared.body).toMatchObject({ allowed: true, removed: ["note"], toVersion });
    const back = await saga.command("migrate", { toVersion });
    expect(back).toMatchObject({ status: 200, body: { version: toVersion } });
    expect(back.body.steps.map(({ name }: { name: string }) => name)).toEqual(["big"]);
  });

  it("to a version that names a target which is gone is refused at its place", async () => {
    const saga = await startOrder(router, "gone", APPROVED);
    const [path, target] = [`${saga.path}/sagas/order`, `${saga.path}/targets/erp`];
    await router.admin.put(target, { kind: "http", url: "https://erp.example.com/" });
    const step = { name: "tell", action: { http: { target: "erp" } } };
    const { body: named } = await router.admin.put(path, {
      ...{ ...APPROVED, steps: [...APPROVED.steps, step] },
    });
    await router.admin.put(path, APPROVED);
    await router.admin.request("DELETE", target);
    const toVersion = named.version;
    const refused = await saga.command("migrate", { toVersion });
    expect(refused).toMatchObject({
      ...{ status: 409, body: { errors: [{ pointer: "/steps/1/action/http/target" }] } },
    });
    expect((await saga.command("migrate", { toVersion, dryRun: true })).body).toMatchObject({
      ...{ allowed: false, added: ["tell"], faults: [{ code: "unknown-target" }] },
    });
  });

  it("of what has been reached is refused, and names every fault at its place", async () => {
    const saga = await startOrder(router, "unmoved", APPROVED);
    const [big] = APPROVED.steps;
    const steps = [
      { name: "first", delay: { seconds: 1 } },
      { ...big, optional: true },
    ];
    await router.admin.put(`${saga.path}/sagas/order`, { steps });
    const refused = await saga.command("migrate");
    expect(refused.status).toBe(409);
    const codes = refused.body.errors.map(({ code }: { code: string }) => code);
    expect(codes).toEqual(["reached-changed", "before-reached"]);
    expect((await saga.command("migrate", { dryRun: true })).body.allowed).toBe(false);
    expect((await saga.command("migrate", { toVersion: 1 })).status).toBe(409);
    await router.admin.request("DELETE", `${saga.path}/sagas/order`);
    expect((await saga.command("migrate")).status).toBe(404);
  });
});

describe("one command for many instances", () => {
  const tenant = "tenants/many";
  const instances = `${tenant}/saga-instances`;
  const bulk = (body: object) =>
    router.admin.request("POST", `${instances}/bulk`, { reason: "a test", ...body });

  beforeAll(async () => {
    const saga = await startOrder(router, "many", APPROVED, "o-0");
    for (let at = 1; at <= 3; at += 1) {
      const input = { data: { orderId: `o-${at}` } };
      await router.admin.post(`${saga.path}/sagas/order/instances`, { input, key: `k-${at}` });
    }
    await eventually(
      () => router.admin.get(`${instances}?step=big&status=RUNNING`),
      ({ body }) => body.items.length === 4,
    );
  });

  it("is counted first, then carried out on each of them, and its job tells how far it is", async () => {
    const query = { saga: "order", step: "big" };
    const counted = await bulk({ command: "pause", query, dryRun: true });
    expect(counted).toMatchObject({ status: 200, body: { count: 4, complete: true } });
    expect(counted.body.instances).toHaveLength(4);
    const none = await bulk({ command: "pause", query: { ...query, step: "no" }, dryRun: true });
    expect(none.body).toMatchObject({ count: 0, instances: [] });
    const begun = await bulk({ command: "pause", query, expectedCount: 4, actor: "ann" });
    expect(begun).toMatchObject({ status: 202, body: { kind: "command-sagas", total: 4 } });
    const done = await eventually(
      () => router.admin.get(`${tenant}/jobs/${begun.body.id}`),
      ({ body }) => body.state === "done",
    );
    expect(done.body).toMatchObject({ finished: 4, percent: 100, refusals: [] });
    const paused = await eventually(
      () => router.admin.get(`${instances}?paused=true`),
      ({ body }) => body.items.length === 4,
    );
    const first = await router.admin.get(`${instances}/${paused.body.items[0].id}`);
    expect(first.body.journal.at(-1).actor).toMatchObject({ command: "pause", name: "ann" });
    const older = await router.admin.get(`${instances}?olderThanSeconds=3600`);
    expect(older.body.items).toEqual([]);
  });

  it("says which did not take it, and why", async () => {
    const begun = await bulk({ command: "override-step", step: "big", query: {} });
    const done = await eventually(
      () => router.admin.get(`${tenant}/jobs/${begun.body.id}`),
      ({ body }) => body.state === "done",
    );
    expect(done.body.refusals).toMatchObject([
      { count: 4, detail: expect.stringMatching(/output/) },
    ]);
  });

  it("is one job under its commandId, and can be cancelled", async () => {
    const order = { command: "extend-deadline", seconds: 60, query: {}, commandId: "c-1" };
    const begun = await bulk({ ...order, expectedCount: 4 });
    expect(begun.status).toBe(202);
    const again = await bulk({ ...order, expectedCount: 4 });
    expect(again).toMatchObject({ status: 200, body: { id: begun.body.id } });
    expect(await bulk({ ...order, seconds: 90 })).toMatchObject({
      ...{ status: 409, body: { job: begun.body.id } },
    });
    await eventually(
      () => router.admin.get(`${tenant}/jobs/${begun.body.id}`),
      ({ body }) => body.state === "done",
    );
    const cancel = (job: string, body: object = { reason: "enough", actor: "ann" }) =>
      router.admin.request("POST", `${tenant}/jobs/${job}/cancel`, body);
    // What has ended is told as it ended.
    expect(await cancel(begun.body.id)).toMatchObject({
      ...{ status: 200, body: { state: "done", finished: 4, cancelled: null } },
    });
    expect((await cancel("job_none")).status).toBe(404);
    expect((await cancel(begun.body.id, {})).body.errors).toMatchObject([{ pointer: "/reason" }]);
  });

  it("is refused when there are not as many as expected, or when it is not whole", async () => {
    const differs = await bulk({ command: "resume", query: {}, expectedCount: 3 });
    expect(differs).toMatchObject({ status: 409, body: { count: 4 } });
    const pointersOf = async (body: object) =>
      (await bulk(body)).body.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(await pointersOf({ command: "pause" })).toEqual(["/query"]);
    expect(await pointersOf({ command: "retry-step", query: {} })).toEqual(["/step"]);
    expect(await pointersOf({ command: "explode", query: { status: "COMPLETED" } })).toEqual([
      ...["/command", "/query/status"],
    ]);
    expect(await pointersOf({ command: "pause", query: {}, expectedRev: 1 })).toEqual([
      "/expectedRev",
    ]);
    const nowhere = await router.admin.request("POST", "tenants/none/saga-instances/bulk", {
      ...{ command: "pause", reason: "a test", query: {} },
    });
    expect(nowhere.status).toBe(404);
    expect((await router.admin.request("GET", `${instances}?olderThanSeconds=x`)).status).toBe(400);
  });
});
