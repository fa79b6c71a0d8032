/** Targets that get batches, over HTTP: what their receiver sees, what it gets again, and what an operator is told. */
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inTurn, receiverHere, status } from "../support/answers.ts";
import type { Answer, Received } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant, type TargetFields } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G";

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

interface Element {
  readonly id: string;
  readonly signalboxdelivery: string;
  readonly signalboxattempt: number;
  readonly data: { readonly sent: number };
}
const elementsOf = ({ body }: Received): Element[] => JSON.parse(`${body}`);

/** Says that the elements for which `isFailed` holds have failed. */
const failing =
  (isFailed: (element: Element) => boolean): Answer =>
  (request, response) => {
    const failed = elementsOf(request).filter(isFailed);
    const ids = failed.map(({ id, signalboxdelivery }, at) =>
      at % 2 === 0 ? signalboxdelivery : { id, reason: "no such customer" },
    );
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ failed: ids }));
  };

const tenantWith = (name: string, url: string, more: Omit<TargetFields, "url"> = {}) =>
  prepareTenant(router, name, {
    sink: { url, batch: { seconds: 60, events: 10 }, retry: { delaysSeconds: [1, 1] }, ...more },
  });

describe("a target that gets batches", () => {
  it("gets ten events in one signed request, and exactly the two again that it says have failed", async () => {
    const answers = inTurn(
      failing(({ data }) => data.sent === 3 || data.sent === 7),
      status(200),
    );
    const receiver = await receiverHere(answers);
    const tenant = await tenantWith("partly", receiver.url, {
      ...{ secrets: [SECRET], batch: { seconds: 2, events: 10 } },
    });
    const sent: string[] = [];
    for (let count = 0; count < 10; count += 1) sent.push((await tenant.send("sink")).id);
    const [first] = await receiver.waitFor(1);
    if (first === undefined) throw new Error("nothing came");
    expect(first.headers["content-type"]).toBe("application/cloudevents-batch+json");
    const headers = first.headers as Record<string, string>;
    expect(new Webhook(SECRET).verify(`${first.body}`, headers)).toHaveLength(10);
    const elements = elementsOf(first);
    expect(elements.map(({ id }) => id).sort()).toEqual(sent.toSorted());
    const [, ...others] = await receiver.waitFor(2);
    const again = others.flatMap(elementsOf);
    expect(again.map(({ data }) => data.sent).sort()).toEqual([3, 7]);
    expect(again.map((each) => each.signalboxattempt)).toEqual([2, 2]);
    const named = (numbers: readonly number[]) =>
      elements
        .filter(({ data }) => numbers.includes(data.sent))
        .map((each) => each.signalboxdelivery)
        .sort();
    expect(again.map((each) => each.signalboxdelivery).sort()).toEqual(named([3, 7]));
    const batch = headers["webhook-id"];
    for (const element of elements) {
      const { attempts } = await tenant.delivery(element.id, "sink", "delivered");
      const isAgain = element.data.sent === 3 || element.data.sent === 7;
      expect(attempts).toHaveLength(isAgain ? 2 : 1);
      expect(attempts[0]).toMatchObject({ number: 1, status: 200, batch });
      expect(attempts[0]?.error ?? "none").toMatch(isAgain ? /^failed in its batch/ : /^none$/);
    }
    expect(receiver.received).toHaveLength(2);
  });

  it("says how many wait and when the next batch goes, and sends none while it is paused", async () => {
    const receiver = await receiverHere();
    const tenant = await tenantWith("waits", receiver.url);
    for (let count = 0; count < 3; count += 1) await tenant.send("sink");
    const gate = () => router.admin.get(`${tenant.path}/targets/sink/gate`);
    const { body } = await eventually(gate, (answer) => answer.body.batch.waiting === 3);
    expect(body.batch).toEqual({ waiting: 3, sending: 0, retrying: 0, nextAt: expect.any(String) });
    const inMs = Date.parse(body.batch.nextAt) - Date.now();
    expect(inMs).toBeGreaterThan(0);
    expect(inMs).toBeLessThanOrEqual(60_000);
    await router.admin.request("POST", `${tenant.path}/targets/sink/pause`);
    await router.admin.put(`${tenant.path}/targets/sink`, {
      ...{ kind: "http", url: receiver.url, batch: { events: 3 }, paused: true },
    });
    await tenant.send("sink");
    const parked = `${tenant.path}/deliveries?state=parked&target=sink`;
    const listed = await eventually(
      () => router.admin.get(parked),
      (answer) => answer.body.items.length === 4,
    );
    expect(listed.body.items[0]).toMatchObject({ lastError: "target paused" });
    expect(receiver.received).toEqual([]);
    await router.admin.request("POST", `${tenant.path}/targets/sink/resume`);
    const came = await receiver.waitFor(2);
    expect(came.flatMap(elementsOf)).toHaveLength(4);
  });

  it("sends what waited one by one when it gets no batches any more", async () => {
    const receiver = await receiverHere();
    const tenant = await tenantWith("turned", receiver.url);
    const sent = [await tenant.send("sink"), await tenant.send("sink")];
    for (const { id } of sent) await tenant.delivery(id, "sink", "parked");
    await router.admin.put(`${tenant.path}/targets/sink`, { kind: "http", url: receiver.url });
    await router.sweep();
    await receiver.waitFor(2);
    for (const { id } of sent) await tenant.delivery(id, "sink", "delivered");
    expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual([
      expect.stringMatching(/^dlv_/),
      expect.stringMatching(/^dlv_/),
    ]);
  });

  it.each([
    [{}, "/batch"],
    [{ seconds: 0 }, "/batch/seconds"],
    [{ events: 1_001 }, "/batch/events"],
    [{ kilobytes: 1_001 }, "/batch/kilobytes"],
    [{ events: 1, minutes: 1 }, "/batch/minutes"],
  ])("is refused with a batch of %j", async (batch, pointer) => {
    await router.admin.put("tenants/refused", {});
    const { status: code, body } = await router.admin.request(
      "PUT",
      "tenants/refused/targets/sink",
      { kind: "http", url: "https://sink.example.com/", batch },
    );
    expect(code).toBe(422);
    expect(body.errors).toMatchObject([{ pointer }]);
  });
});
