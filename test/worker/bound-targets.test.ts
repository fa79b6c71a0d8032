/** Targets of kind queue and service over HTTP: what is not bound is refused, with what is. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Router, startRouter } from "../support/router.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
  await router.admin.put("tenants/acme", {});
});
afterAll(() => router?.stop());

const put = (body: object) => router.admin.request("PUT", "tenants/acme/targets/other", body);

describe("refused is a target", () => {
  it.each([
    ["queue", "TARGET_QUEUE_MY_ORDERS"],
    ["service", "TARGET_SERVICE_MY_ORDERS"],
  ])("of a %s that is not bound, with the binding that it would need", async (kind, binding) => {
    const { status, body } = await put({ kind, [kind]: "my-orders" });
    expect(status).toBe(422);
    expect(body.errors).toEqual([
      {
        ...{ pointer: `/${kind}`, code: "unknown-binding" },
        detail: `No ${kind} "my-orders" is bound (none is): bind it as ${binding} and deploy.`,
      },
    ]);
    expect((await router.admin.get("tenants/acme/targets/other")).status).toBe(404);
  });

  it.each([
    ["no name", { kind: "queue" }, "/queue"],
    ["a name that no binding can have", { kind: "service", service: "Not a slug" }, "/service"],
    ["a path without a slash", { kind: "service", service: "a", path: "in" }, "/path"],
    ["a path and a method", { kind: "service", service: "a", path: "/", method: "take" }, "/path"],
    [
      "a method that every object has",
      { kind: "service", service: "a", method: "toString" },
      "/method",
    ],
    [
      "the method that every service has",
      { kind: "service", service: "a", method: "fetch" },
      "/method",
    ],
    ["secrets, which nobody would see", { kind: "queue", queue: "a", secrets: [] }, "/secrets"],
  ])("with %s", async (_, body, pointer) => {
    const { status, body: problem } = await put(body);
    expect(status).toBe(422);
    expect(problem.errors.map((fault: { pointer: string }) => fault.pointer)).toContain(pointer);
  });
});
