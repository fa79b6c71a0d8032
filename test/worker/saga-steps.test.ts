/** Kinds of steps over HTTP: signed requests to targets of the tenant. */
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import type { Answer } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const QUICK = { maxAttempts: 3, initialSeconds: 0.05, factor: 1, maxSeconds: 1 };

/** A tenant with a target "erp" that signs; `answer` is its receiver's. */
async function tenant(name: string, answer?: Answer) {
  const receiver = await receiverHere(answer);
  const path = `tenants/${name}`;
  await router.admin.put(path, {});
  await router.admin.put(`${path}/targets/erp`, {
    ...{ kind: "http", url: `${receiver.url}/v1`, secrets: [SECRET] },
    headers: { authorization: "Bearer erp-token" },
  });
  const save = (saga: string, definition: object) =>
    router.admin.request("PUT", `${path}/sagas/${saga}`, definition);
  return {
    ...{ path, receiver, save },
    async start(saga: string, definition: object, input: unknown = {}) {
      expect((await save(saga, definition)).status).toBe(201);
      const { body } = await router.admin.post(`${path}/sagas/${saga}/instances`, { input });
      const instance = `${path}/saga-instances/${body.id}`;
      const until = (status: string) =>
        eventually(
          () => router.admin.get(instance),
          (read) => read.body.status === status,
        ).then((read) => read.body);
      return { id: body.id as string, instance, until };
    },
  };
}

describe("a step that names a target", () => {
  it("is verified by the receiver's own SDK, and no secret is read back", async () => {
    const { receiver, start } = await tenant("signed");
    const http = { target: "erp", path: "/reserve", body: { sku: "$.input.sku" } };
    const steps = [{ name: "reserve", action: { http }, retry: QUICK }];
    const { id, until } = await start("order", { steps }, { sku: "s-1" });
    const done = await until("COMPLETED");
    const [sent] = receiver.received;
    expect(sent?.path).toBe("/v1/reserve");
    expect(sent?.headers.authorization).toBe("Bearer erp-token");
    expect(sent?.headers["webhook-id"]).toBe(`sbx_${id}_reserve_a_0`);
    const headers = sent?.headers as Record<string, string>;
    expect(new Webhook(SECRET).verify(`${sent?.body}`, headers)).toEqual({ sku: "s-1" });
    const read = JSON.stringify(done);
    for (const secret of ["erp-token", SECRET.slice(6), headers["webhook-signature"] ?? "none"])
      expect(read).not.toContain(secret);
  });

  it("that is not there, or starts sagas, is refused at its place", async () => {
    const { path, save } = await tenant("nowhere");
    await save("order", { steps: [{ name: "a", delay: { seconds: 1 } }] });
    await router.admin.put(`${path}/targets/orders`, { kind: "saga", saga: "order" });
    const to = (target: string) => ({ http: { target } });
    const refused = await save("other", {
      steps: [
        { name: "a", action: to("erp"), compensate: to("none") },
        { parallel: [[{ name: "b", action: to("orders") }], [{ name: "c", action: to("erp") }]] },
      ],
    });
    expect(refused.status).toBe(422);
    expect(refused.body.errors).toMatchObject([
      { pointer: "/steps/0/compensate/http/target", code: "unknown-target" },
      { pointer: "/steps/1/parallel/0/0/action/http/target", code: "unknown-target" },
    ]);
  });
});

describe("a private address", () => {
  it("is refused when a saga is saved, and again by the request that an event would make to it", async () => {
    const strict = await startRouter({ vars: { ALLOW_PRIVATE_TARGETS: "false" } });
    try {
      const path = "tenants/walled";
      await strict.admin.put(path, {});
      const step = (url: string) => ({ steps: [{ name: "a", action: { http: { url } } }] });
      const wrong = step("https://10.0.0.1/x");
      const saved = await strict.admin.request("PUT", `${path}/sagas/order`, wrong);
      expect(saved).toMatchObject({ status: 422, body: { errors: [{ code: "target-refused" }] } });
      await strict.admin.put(`${path}/sagas/order`, step("https://169.254.169.{{$.input.n}}/x"));
      const input = { n: 254 };
      const { body } = await strict.admin.post(`${path}/sagas/order/instances`, { input });
      const ended = await eventually(
        () => strict.admin.get(`${path}/saga-instances/${body.id}`),
        (read) => read.body.status === "COMPENSATED",
      );
      expect(ended.body.reason).toMatch(/refused: .*link-local/);
    } finally {
      await strict.stop();
    }
  });
});
