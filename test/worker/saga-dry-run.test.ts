/** Sagas tried with mocked answers over HTTP: nothing is sent, and what is wrong is named at its place. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Router, startRouter } from "../support/router.ts";
import { orderSaga } from "../support/saga-shop.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
  await router.admin.put("tenants/acme", {});
});
afterAll(() => router?.stop());

const test = (body: object) => router.admin.request("POST", "tenants/acme/sagas/test", body);
const definition = orderSaga("https://shop.example");
const input = { data: { orderId: "o-1", sku: "s-9" } };

describe("a dry run", () => {
  it("of a definition shows every request with its time, and how each step ended", async () => {
    const { status, body } = await test({
      ...{ definition, input, startAt: "2026-01-05T08:00:00Z" },
      mocks: { reserve: [{ timeout: true }, { output: { id: "r-1" } }], ship: { status: 422 } },
      compensations: { pay: [{ error: "cut off" }, { status: 200, body: {} }] },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "COMPENSATED", reason: "ship: status 422", ignored: [] });
    const made = body.requests.map(
      ({ step, direction, attempt }: Record<string, unknown>) => `${step} ${direction} ${attempt}`,
    );
    expect(made).toEqual([
      ...["reserve action 1", "reserve action 2", "pay action 1", "ship action 1"],
      ...["pay undo 1", "pay undo 2", "reserve undo 1"],
    ]);
    expect(body.requests[0].at).toBe("2026-01-05T08:00:00.000Z");
    expect(body.requests[2].body).toBe('{"reserved":"r-1"}');
    expect(body.journal[0]).toMatchObject({
      rev: 1,
      entries: [{ kind: "request", step: "reserve" }],
    });
  });

  it("of a saved saga keeps no instance of it", async () => {
    const put = await router.admin.put("tenants/acme/sagas/order", definition);
    const { version } = put.body;
    const mocks = { reserve: { output: { id: "r-1" } } };
    const answer = await test({ saga: "order", version, input, mocks });
    expect(answer).toMatchObject({ status: 200, body: { status: "COMPLETED", stoppedBy: null } });
    expect((await router.admin.get("tenants/acme/saga-instances")).body.items).toEqual([]);
    expect((await test({ saga: "order", version: version + 1, input })).status).toBe(409);
  });

  it("of a version of before runs it as it was, also when the saga is gone", async () => {
    const path = "tenants/acme/sagas/changed";
    const delay = (name: string) => ({ steps: [{ name, delay: { seconds: 1 } }] });
    const { version } = (await router.admin.put(path, delay("before"))).body;
    await router.admin.put(path, delay("after"));
    const named = async (more: object) =>
      (await test({ saga: "changed", input, ...more })).body.steps[0].name;
    expect([await named({}), await named({ version })]).toEqual(["after", "before"]);
    await router.admin.request("DELETE", path);
    expect(await named({ version })).toBe("before");
    expect((await test({ saga: "changed", input })).status).toBe(404);
  });

  it("takes events, and a person's signals", async () => {
    const steps = [
      { name: "paid", wait: { event: { type: ["paid"] }, timeoutSeconds: 60 } },
      { name: "big", approve: { timeoutSeconds: 60 } },
    ];
    const { body } = await test({
      ...{ definition: { steps, correlation: "$.data.orderId" }, input },
      events: [{ afterSeconds: 1, event: { type: "paid", data: { orderId: "o-1" } } }],
      signals: [{ afterSeconds: 2, step: "big", approved: true, output: { by: "ann" } }],
    });
    expect(body).toMatchObject({ status: "COMPLETED", ignored: [] });
    expect(body.steps[1].output).toEqual({ by: "ann" });
  });
});

describe("a dry run is refused", () => {
  const pointersOf = async (body: object) => {
    const answer = await test(body);
    expect(answer.status).toBe(422);
    return answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
  };

  it("for faults of its definition, each at its place", async () => {
    const wait = { name: "a", delay: { seconds: 1 } };
    const http = { url: "https://x.example/", body: "$.steps.b.output" };
    const steps = [wait, wait, { name: "c", action: { http } }];
    expect(await pointersOf({ definition: { steps }, input })).toEqual([
      ...["/definition/steps/1/name", "/definition/steps/2/action/http/body"],
    ]);
    expect(await pointersOf({ input })).toEqual(["/definition"]);
    expect(await pointersOf({ definition, saga: "order", input })).toEqual(["/definition"]);
  });

  it("for answers of steps that there are not, and for none that are answers", async () => {
    const mocks = { reserve: { status: 200 }, none: { status: 200 } };
    expect(await pointersOf({ definition, input, mocks })).toEqual(["/mocks/none"]);
    const compensations = { ship: { status: 200 } };
    expect(await pointersOf({ definition, input, compensations })).toEqual(["/compensations/ship"]);
    expect(await pointersOf({ definition, input, mocks: { pay: { status: 99 } } })).toHaveLength(1);
  });

  it("for a tenant or a saga that there is not", async () => {
    expect((await test({ saga: "none", input })).status).toBe(404);
    const nowhere = await router.admin.request("POST", "tenants/none/sagas/test", { input });
    expect(nowhere.status).toBe(404);
  });
});
