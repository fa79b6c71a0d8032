/** Sagas over HTTP: defined, started, undone when a step is refused, and in a person's hands when stuck. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Router, startRouter } from "../support/router.ts";
import { orderSaga, participant, QUICK, startOrder, states } from "../support/saga-shop.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const start = (tenant: string, definition: object) => startOrder(router, tenant, definition);

describe("a saga", () => {
  it("runs its steps in order, each with a key of its own, and completes", async () => {
    const { receiver, effects } = await participant();
    const saga = await start("whole", orderSaga(receiver.url));
    const done = await saga.until("COMPLETED");
    expect(effects).toEqual(["/reserve", "/pay", "/ship", "/mail"]);
    expect(new Set(Object.values(states(done)))).toEqual(new Set(["succeeded"]));
    const [reserve, pay] = receiver.received;
    expect(JSON.parse(`${reserve?.body}`)).toEqual({ sku: "s-9" });
    expect(JSON.parse(`${pay?.body}`)).toEqual({ reserved: "reserve-1" });
    expect(reserve?.headers).toMatchObject({
      "idempotency-key": `sbx_${saga.id}_reserve_a_0`,
      "signalbox-saga": saga.id,
      "signalbox-step": "reserve",
    });
    const listed = await eventually(
      () => router.admin.get(`${saga.path}/saga-instances?correlationId=o-1`),
      ({ body }) => body.items[0]?.status === "COMPLETED",
    );
    expect(listed.body.items).toMatchObject([{ id: saga.id, saga: "order", key: "o-1" }]);
  });

  it("started again with the same key is the one that there is", async () => {
    const { receiver } = await participant();
    const saga = await start("again", orderSaga(receiver.url));
    const again = await router.admin.post(`${saga.path}/sagas/order/instances`, {
      input: saga.input,
    });
    expect(again).toMatchObject({ status: 200, body: { id: saga.id } });
    await saga.until("COMPLETED");
    expect(receiver.received).toHaveLength(4);
  });

  it("undoes what it did, the last first, when a step is refused", async () => {
    const { receiver, effects } = await participant((path) => (path === "/ship" ? 422 : 200));
    const saga = await start("undone", orderSaga(receiver.url));
    const undone = await saga.until("COMPENSATED");
    expect(effects).toEqual(["/reserve", "/pay", "/refund", "/release"]);
    expect(undone.reason).toBe("ship: status 422");
    const release = receiver.received.find(({ path }) => path === "/release");
    expect(JSON.parse(`${release?.body}`)).toEqual({ id: "reserve-1" });
    expect(release?.headers).toMatchObject({
      "idempotency-key": `sbx_${saga.id}_reserve_c_0`,
      "signalbox-action-key": `sbx_${saga.id}_reserve_a_0`,
    });
  });

  it("settles a step in doubt before it is undone", async () => {
    const { receiver, effects } = await participant((path, seen) =>
      path === "/pay" && seen <= 3 ? 503 : 200,
    );
    const saga = await start("doubt", orderSaga(receiver.url));
    await saga.until("COMPENSATED");
    expect(effects).toEqual(["/reserve", "/pay", "/refund", "/release"]);
  });

  it("that cannot be undone is stuck until a person has it tried again", async () => {
    let isBroken = true;
    const { receiver, effects } = await participant((path) =>
      path === "/ship" ? 400 : path === "/release" && isBroken ? 500 : 200,
    );
    const saga = await start("stuck", orderSaga(receiver.url));
    const stuck = await saga.until("STUCK");
    expect(stuck.reason).toMatch(/reserve is not undone: status 500/);
    const refused = await saga.command("retry-step", { step: "reserve", expectedRev: 1 });
    expect(refused).toMatchObject({ status: 409, body: { rev: stuck.rev } });
    isBroken = false;
    expect((await saga.command("retry-step", { step: "reserve" })).status).toBe(200);
    const ended = await saga.until("COMPENSATED");
    expect(effects).toEqual(["/reserve", "/pay", "/refund", "/release"]);
    expect(ended.journal.flatMap(({ actor }: { actor: object }) => actor)).toContainEqual({
      by: "operator",
      command: "retry-step",
      reason: "a test",
    });
  });
});

describe("events for a saga", () => {
  it("start an instance each, once, and end the waits of those that they belong to", async () => {
    const { receiver, effects } = await participant();
    const path = "tenants/events";
    await router.admin.put(path, {});
    await router.admin.put(`${path}/sources/shop`, {
      ...{ verify: { scheme: "none" }, typeFrom: { from: "body", pointer: "/type" } },
      idempotencyKey: { from: "body", pointer: "/n" },
    });
    const missing = await router.admin.request("PUT", `${path}/targets/orders`, {
      ...{ kind: "saga", saga: "order" },
    });
    expect(missing).toMatchObject({ status: 422, body: { errors: [{ code: "unknown-saga" }] } });
    await router.admin.put(`${path}/sagas/order`, {
      ...{ key: "$.data.orderId", correlation: "$.data.orderId" },
      steps: [
        { name: "pay", action: { http: { url: `${receiver.url}/pay` } }, retry: QUICK },
        { name: "captured", wait: { event: { type: ["captured"] }, timeoutSeconds: 600 } },
        {
          name: "ship",
          action: { http: { url: `${receiver.url}/ship`, body: "$.steps.captured.output.data" } },
        },
      ],
    });
    const retry = { delaysSeconds: Array<number>(40).fill(0) };
    await router.admin.put(`${path}/targets/orders`, { kind: "saga", saga: "order", retry });
    await router.admin.put(`${path}/rules/orders`, {
      ...{ pattern: { type: ["ordered", "captured"] }, priority: "normal", targets: ["orders"] },
    });
    const send = (body: object) =>
      router.send("events/shop", {
        ...{ method: "POST", body: JSON.stringify(body) },
        headers: { "content-type": "application/json" },
      });
    // It comes before its order: it is held, like a delivery that failed.
    await send({ n: 1, type: "captured", orderId: "o-7", amount: 12 });
    await send({ n: 2, type: "ordered", orderId: "o-7" });
    await send({ n: 3, type: "ordered", orderId: "o-7" });
    const done = await eventually(
      () => router.admin.get(`${path}/saga-instances?correlationId=o-7`),
      ({ body }) => body.items[0]?.status === "COMPLETED",
    );
    expect(done.body.items).toHaveLength(1);
    expect(effects).toEqual(["/pay", "/ship"]);
    expect(JSON.parse(`${receiver.received[1]?.body}`)).toMatchObject({ amount: 12 });
    const deliveries = await eventually(
      () => router.admin.get(`${path}/deliveries?target=orders`),
      ({ body }) => body.items.every(({ state }: { state: string }) => state === "delivered"),
    );
    expect(deliveries.body.items).toHaveLength(3);
  });

  it("of a tenant that is deleted leave no instance", async () => {
    const { receiver } = await participant();
    const saga = await start("leaving", {
      key: "$.data.orderId",
      steps: [
        { name: "a", action: { http: { url: receiver.url } } },
        { name: "b", delay: { seconds: 600 } },
      ],
    });
    await saga.until("RUNNING");
    const deleted = await router.admin.request("DELETE", saga.path);
    expect(deleted.status).toBeLessThan(300);
    await router.sweep();
    await router.admin.put(saga.path, {});
    expect((await router.admin.get(`${saga.path}/saga-instances`)).body.items).toEqual([]);
    const gone = await router.admin.request("GET", saga.instance);
    expect(gone.status).toBe(404);
    // The same key, in the same object, is another life.
    const steps = [{ name: "c", action: { http: { url: receiver.url } } }];
    expect((await router.admin.put(`${saga.path}/sagas/order`, { steps })).status).toBe(201);
    const body = { input: saga.input, key: "o-1" };
    const anew = await router.admin.post(`${saga.path}/sagas/order/instances`, body);
    expect(anew.status).toBe(201);
    await eventually(
      () => router.admin.get(`${saga.path}/saga-instances/${anew.body.id}`),
      ({ body: { status } }) => status === "COMPLETED",
    );
  });
});

describe("what is refused", () => {
  it("names every fault of a definition, each at its place", async () => {
    await router.admin.put("tenants/faulty", {});
    const put = (definition: object) =>
      router.admin.request("PUT", "tenants/faulty/sagas/order", definition);
    const http = { url: "https://x.example/" };
    const semantic = await put({
      steps: [
        { name: "a", action: { http: { ...http, body: "$.steps.b.output" } } },
        { name: "a", action: { http }, when: { input: "x" } },
      ],
    });
    expect(semantic.status).toBe(422);
    expect(semantic.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      "/steps/0/action/http/body",
      "/steps/1/name",
      "/steps/1/when/input",
    ]);
    const many = Array.from({ length: 201 }, (_, at) => ({
      ...{ name: `s${at}`, delay: { seconds: 1 } },
    }));
    const circle = ["b", "a"].map((other, at) => ({
      name: "ab"[at],
      action: { http: { ...http, body: `$.steps.${other}.output` } },
    }));
    for (const [steps, fault] of [
      [many, { pointer: "/steps", code: "too-many-steps" }],
      [circle, { pointer: "/steps/0/action/http/body", code: "unknown-step" }],
    ] as const) {
      expect(await put({ steps: [...steps] })).toMatchObject({
        status: 422,
        body: { errors: [fault] },
      });
    }
    const shape = await put({ steps: [{ name: "a b", action: { http: { url: "nowhere" } } }] });
    expect(shape.status).toBe(422);
    const headers = { Authorization: "Bearer t", "Idempotency-Key": "k", "x-ok": "a\r\nb" };
    const kept = await put({ steps: [{ name: "a", action: { http: { ...http, headers } } }] });
    expect(kept.status).toBe(422);
    expect(kept.body.errors).toHaveLength(3);
  });

  it.each([
    ...["id", "tenant", "version", "createdAt", "updatedAt"],
    ...["pausedAt", "disabled", "permission", "shadow", "locked"],
  ])("names the faults of a copy that brings %s back, of which nothing is kept", async (member) => {
    await router.admin.put("tenants/copied", {});
    const path = "tenants/copied/sagas/order";
    const steps = (type: unknown) => [
      { name: "paid", wait: { event: { type }, timeoutSeconds: 5 } },
    ];
    const put = (type: unknown) =>
      router.admin.request("PUT", path, { steps: steps(type), [member]: "x" });
    const refused = await put("paid");
    expect(refused).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/steps/0/wait/event/type" }] },
    });
    const { status, body } = await put(["paid"]);
    expect(status).toBeLessThan(300);
    expect(body.steps).toEqual(steps(["paid"]));
    expect(body[member]).not.toBe("x");
  });

  it("an instance of another tenant is not there", async () => {
    const { receiver } = await participant();
    const saga = await start("mine", orderSaga(receiver.url));
    await router.admin.put("tenants/theirs", {});
    const theirs = saga.instance.replace("tenants/mine", "tenants/theirs");
    expect((await router.admin.request("GET", theirs)).status).toBe(404);
    const command = await router.admin.request("POST", `${theirs}/pause`, { reason: "x" });
    expect(command.status).toBe(404);
    const nowhere = await router.admin.request("GET", `${saga.path}/saga-instances/sga_none`);
    expect(nowhere.status).toBe(404);
    await saga.until("COMPLETED");
  });

  it("a command that does not fit says why", async () => {
    const { receiver } = await participant();
    const saga = await start("unfit", orderSaga(receiver.url));
    await saga.until("COMPLETED");
    expect((await saga.command("pause")).status).toBe(409);
    expect((await saga.command("explode")).status).toBe(404);
    expect((await router.admin.post(`${saga.instance}/pause`, {})).status).toBe(422);
  });

  it("an input that is too large starts nothing", async () => {
    await router.admin.put("tenants/large", {});
    const steps = [{ name: "a", delay: { seconds: 1 } }];
    await router.admin.put("tenants/large/sagas/order", { steps });
    const path = "tenants/large/sagas/order/instances";
    const answer = await router.admin.post(path, { input: "x".repeat(1_000_001) });
    expect(answer.status).toBe(413);
    const wide = await router.admin.post(path, { input: "\u20ac".repeat(333_334) });
    expect(wide.status).toBe(413);
  });
});
