/** The sagas of a shop, over HTTP: their definition, the participants, and one that is started. */
import { expect } from "vitest";
import { receiverHere } from "./answers.ts";
import type { Received } from "./receiver.ts";
import type { Router } from "./router.ts";
import { eventually } from "./wait.ts";

/** A participant that has each effect once for a key; answers as `statusOf` says. */
export async function participant(statusOf: (path: string, seen: number) => number = () => 200) {
  const answers = new Map<string, { status: number; body: string }>();
  const effects: string[] = [];
  const seen = new Map<string, number>();
  const receiver = await receiverHere((request: Received, response) => {
    const key = String(request.headers["idempotency-key"]);
    const { path } = request;
    seen.set(path, (seen.get(path) ?? 0) + 1);
    let answer = answers.get(key);
    if (answer === undefined) {
      const status = statusOf(path, seen.get(path) ?? 1);
      answer = { status, body: JSON.stringify({ id: `${path.slice(1)}-1` }) };
      if (status < 500) answers.set(key, answer);
      if (status < 300) effects.push(path);
    }
    response.statusCode = answer.status;
    response.end(answer.body);
  });
  return { receiver, effects };
}

export const QUICK = { maxAttempts: 3, initialSeconds: 0.05, factor: 1, maxSeconds: 1 };

export const orderSaga = (url: string) => ({
  key: "$.data.orderId",
  correlation: "$.data.orderId",
  steps: [
    {
      name: "reserve",
      action: { http: { url: `${url}/reserve`, body: { sku: "$.input.data.sku" } } },
      compensate: {
        http: { url: `${url}/release`, body: { id: "$.steps.reserve.output.id" } },
        retry: QUICK,
      },
      retry: QUICK,
    },
    {
      name: "pay",
      action: { http: { url: `${url}/pay`, body: { reserved: "$.steps.reserve.output.id" } } },
      compensate: { http: { url: `${url}/refund` } },
      retry: QUICK,
    },
    { name: "ship", pivot: true, action: { http: { url: `${url}/ship` } }, retry: QUICK },
    { name: "mail", optional: true, action: { http: { url: `${url}/mail` } }, retry: QUICK },
  ],
});

/** Saves the saga in a tenant of its own and starts one instance. */
export async function startOrder(
  router: Router,
  tenant: string,
  definition: object,
  orderId = "o-1",
) {
  const path = `tenants/${tenant}`;
  await router.admin.put(path, {});
  const put = await router.admin.put(`${path}/sagas/order`, definition);
  expect(put.status).toBe(201);
  const input = { data: { orderId, sku: "s-9" } };
  const started = await router.admin.post(`${path}/sagas/order/instances`, { input });
  expect(started.status).toBe(201);
  const instance = `${path}/saga-instances/${started.body.id}`;
  return {
    ...{ path, instance, id: started.body.id as string, input },
    until: (status: string) =>
      eventually(
        () => router.admin.get(instance),
        ({ body }) => body.status === status,
      ).then(({ body }) => body),
    command: (name: string, body: object = {}) =>
      router.admin.post(`${instance}/${name}`, { reason: "a test", ...body }),
  };
}

export const states = (body: { steps: { name: string; state: string }[] }) =>
  Object.fromEntries(body.steps.map(({ name, state }) => [name, state]));
