/** Operators at the queues: what a change does at once, and what only a deployment can. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted } from "../support/ingest-answer.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  [router, receiver] = await Promise.all([
    startRouter({ vars: { OUTBOX: "always" } }),
    startReceiver(),
  ]);
  const { admin } = router;
  await admin.put("tenants/acme", {});
  await admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
  await admin.put("tenants/acme/targets/sink", { kind: "http", url: receiver.url });
  for (const priority of ["critical", "bulk"]) {
    const pattern = { data: { priority: [priority] } };
    await admin.put(`tenants/acme/rules/${priority}`, { pattern, priority, targets: ["sink"] });
  }
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const send = (priority: string, n: number) =>
  accepted(router.send("acme/open", { body: JSON.stringify({ priority, n }) }));
const delivered = async (count: number) =>
  eventually(
    async () => receiver.received.length,
    (received) => received >= count,
  );

interface QueueView {
  readonly priority: string;
  readonly paused: boolean;
  readonly limits: readonly {
    readonly by: string;
    readonly since: string;
    readonly detail: string;
  }[];
}

async function queue(priority: string): Promise<QueueView> {
  const { body } = await router.admin.get("queues");
  return body.items.find((each: QueueView) => each.priority === priority);
}

describe("a queue", () => {
  it("that is paused keeps all that comes, lets the others through, and goes on when it is resumed", async () => {
    const { admin } = router;
    const before = Date.now();
    const paused = await admin.post("queues/bulk/pause");
    expect(paused).toMatchObject({ status: 200, body: { id: "bulk", paused: true } });
    for (let n = 0; n < 20; n += 1) await send("bulk", n);
    await send("critical", 0);
    await delivered(1);
    // Whoever did not know that it is paused has put it back by now.
    const { body } = await eventually(
      () => admin.get("counters"),
      (answer) => answer.body.queue_batches >= 2,
    );
    expect(body.queue_batches).toBeGreaterThan(1);
    expect(receiver.received).toHaveLength(1);
    // Nobody claims it now.
    const { id } = await send("bulk", 20);
    expect(await admin.get(`tenants/acme/events/${id}`)).toMatchObject({
      ...{
        status: 404,
        body: { detail: expect.stringMatching(/claimed it yet.*\/admin\/queues/) },
      },
    });
    const view = await queue("bulk");
    expect(view.paused).toBe(true);
    expect(view.limits[0]).toMatchObject({
      by: "operator",
      detail: expect.stringMatching(/^Paused/),
    });
    expect(Date.parse(view.limits[0]?.since ?? "")).toBeGreaterThanOrEqual(before - 1_000);
    expect((await queue("critical")).limits.filter(({ by }) => by === "operator")).toEqual([]);
    expect((await admin.post("queues/bulk/resume")).body).toMatchObject({
      paused: false,
      pausedAt: null,
    });
    await delivered(22);
    await eventually(
      () => admin.get("tenants/acme/deliveries?state=delivered"),
      (answer) => answer.body.items.length === 22,
    );
    expect(receiver.received).toHaveLength(22);
  });

  it.each([
    { name: "a command", id: "slow", resume: () => router.admin.post("queues/bulk/resume") },
    { name: "a PUT", id: "late", resume: () => router.admin.put("queues/bulk", { paused: false }) },
  ])(
    "that $name resumes gets at once what its targets' gates had parked",
    async ({ id, resume }) => {
      const { promise: isFree, resolve: free } = Promise.withResolvers<void>();
      const slow = await startReceiver((_, response) => void isFree.then(() => response.end("ok")));
      const { admin } = router;
      const gate = { concurrency: 1 };
      await admin.put(`tenants/acme/targets/${id}`, { kind: "http", url: slow.url, gate });
      const pattern = { data: { priority: [id] } };
      await admin.put(`tenants/acme/rules/${id}`, { pattern, priority: "bulk", targets: [id] });
      for (let n = 0; n < 10; n += 1) await send(id, n);
      const states = async (): Promise<string[]> => {
        const { body } = await admin.get(`tenants/acme/deliveries?target=${id}&limit=50`);
        return body.items.map(({ state }: { state: string }) => state);
      };
      const areParked = (all: readonly string[]) => all.filter((each) => each === "parked").length;
      await eventually(states, (all) => areParked(all) >= 5);
      await admin.post("queues/bulk/pause");
      free();
      await eventually(states, (all) => all.includes("delivered"));
      expect(areParked(await states())).toBeGreaterThan(0);
      await resume();
      await eventually(
        states,
        (all) => all.length === 10 && all.every((each) => each === "delivered"),
      );
      expect(slow.received).toHaveLength(10);
      await slow.stop();
    },
  );

  it("is read as it was put, in one version after the other, and another version is refused", async () => {
    const { admin } = router;
    const body = { paused: false, concurrency: 2, delaySeconds: 1 };
    const put = await admin.put("queues/replay", body);
    expect(put.body).toMatchObject(body);
    const read = await admin.get("queues/replay");
    expect(read.body).toEqual(put.body);
    expect(read.headers.get("etag")).toBe(put.headers.get("etag"));
    const etag = read.headers.get("etag") ?? "";
    const again = await admin.request("PUT", "queues/replay", read.body, { "if-match": '"99"' });
    expect(again).toMatchObject({ status: 412, body: { etag } });
    const same = await admin.request("PUT", "queues/replay", read.body, { "if-match": etag });
    expect(same.status).toBe(200);
    const details = (await queue("replay")).limits.map(({ detail }) => detail);
    expect(details).toEqual([
      "Each batch waits 1 s before it is worked on.",
      "2 of the deliveries of a batch at once.",
    ]);
    expect((await admin.post("queues/replay/pause")).body).toMatchObject({ ...body, paused: true });
    expect((await admin.put("queues/replay", { paused: false })).body).toMatchObject({
      ...{ concurrency: 6, delaySeconds: 0, paused: false },
    });
  });

  it("takes from nobody what only a deployment changes, and says where that is", async () => {
    const body = { paused: false, batchSize: 5, maxConcurrency: 1 };
    expect(await router.admin.request("PUT", "queues/bulk", body)).toMatchObject({
      status: 422,
      body: {
        errors: [
          {
            pointer: "/batchSize",
            code: "needs-deployment",
            detail: expect.stringContaining("max_batch_size"),
          },
          {
            pointer: "/maxConcurrency",
            code: "needs-deployment",
            detail: expect.stringContaining("max_concurrency"),
          },
        ],
      },
    });
  });

  it.each([
    ["no word of pausing", {}],
    ["a pause that is none", { paused: "yes" }],
    ["no connection", { paused: false, concurrency: 0 }],
    ["more connections than there are", { paused: false, concurrency: 7 }],
    ["a delay in the past", { paused: false, delaySeconds: -1 }],
    ["a delay that would outlast its invocation", { paused: false, delaySeconds: 61 }],
  ])("refuses %s", async (_, body) => {
    expect((await router.admin.request("PUT", "queues/bulk", body)).status).toBe(422);
  });

  it("that there is not is refused, the one of crashed messages among them", async () => {
    for (const name of ["urgent", "dead"]) {
      expect((await router.admin.get(`queues/${name}`)).status).toBe(404);
      expect((await router.admin.post(`queues/${name}/pause`)).status).toBe(404);
      expect((await router.admin.request("PUT", `queues/${name}`, { paused: true })).status).toBe(
        404,
      );
    }
  });

  it("leaves each change in the audit log, with what was different", async () => {
    const why = { "signalbox-reason": "the receiver is moved" };
    await router.admin.request("POST", "queues/normal/pause", undefined, why);
    await router.admin.request("POST", "queues/normal/resume");
    const { body } = await router.admin.get("audit?limit=2");
    expect(body.items).toMatchObject([
      {
        action: "postQueuesPriorityResume",
        tenant: null,
        change: { members: [{ path: "/paused", from: true, to: false }] },
      },
      { action: "postQueuesPriorityPause", reason: "the receiver is moved" },
    ]);
  });
});
