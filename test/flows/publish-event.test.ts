/** Events that steps of sagas publish: durable once, routed by the rules of now, and no circle goes on for ever. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import type { NodeDoc, SagaDoc, StepDoc } from "../../src/core/saga/definition.ts";
import { SAGA_HOPS_MAX } from "../../src/core/saga/limits.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { publishEvent } from "../../src/flows/publish-event.ts";
import { startSaga } from "../../src/flows/start-saga.ts";
import { idle } from "../support/fake-clock.ts";
import { createIsolate, createWorld, type Isolate, type World } from "../support/memory-router.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

let world: World;
let isolate: Isolate;

beforeEach(() => {
  world = createWorld();
  isolate = createIsolate(world);
  world.tenants.put("acme", { targets: { mail: {} }, rules: { told: { targets: ["mail"] } } });
});

const tell = (more: Partial<StepDoc> = {}): StepDoc => ({
  ...{ name: "tell", retry: { delaysSeconds: [1, 1] } },
  action: { publish: { type: "order.done", subject: "o-{{$.input.n}}", data: { n: "$.input.n" } } },
  ...more,
});

async function start(steps: readonly NodeDoc[], hops?: number) {
  const doc: SagaDoc = { steps };
  const definition = { version: 1, createdAtMs: 1, doc };
  const from = hops === undefined ? {} : { hops };
  const request = { tenant: "acme", saga: "order", definition, key: "k", correlationId: null };
  const { view } = await startSaga({ ...request, input: { n: 7 }, ...from }, isolate.deliver);
  await idle();
  return view.id;
}

/** Delivers whatever is queued, and what comes of it. */
async function drain() {
  for (let found = 1; found > 0; ) {
    found = 0;
    for (const role of ["critical", "normal", "bulk"] as const) {
      const messages = world.queues.take(role, 100);
      found += messages.length;
      if (messages.length > 0) await deliverBatch(role, messages, isolate.deliver);
      await idle();
    }
  }
}

const view = async (id: string) => (await world.sagas.view(id)) ?? { status: "none", steps: [] };

async function pass(seconds: number) {
  for (let second = 0; second < seconds; second += 1) {
    await world.clock.advance(1_000);
    await world.clock.run(world.sagas.alarms());
  }
}

describe("a step that publishes", () => {
  it("sends an event to the targets of the rules that it matches, and tells its id", async () => {
    const id = await start([tell()]);
    await drain();
    const [sent] = world.transport.sent;
    expect(Object.fromEntries(sent?.headers ?? [])).toMatchObject({
      ...{ "ce-type": "order.done", "ce-source": "/acme/order", "ce-subject": "o-7" },
      "content-type": "application/json",
    });
    expect(platformText.decode(sent?.body as Uint8Array)).toBe('{"n":7}');
    const done = await view(id);
    expect(done).toMatchObject({
      ...{ status: "COMPLETED", steps: [{ output: { id: expect.any(String), deliveries: 1 } }] },
    });
    expect(sent?.headers.get("signalbox-event")).toMatch(/^evt_/);
  });

  it("is the same event for every attempt, also of a process that died after it", async () => {
    let isDown = true;
    const { publishers } = world;
    const kept = publishers.pop();
    if (kept === undefined) throw new Error("there is no isolate");
    publishers.push({
      ...kept,
      // It is durable, and then the process dies before it knows.
      meter: {
        ...kept.meter,
        add(name, count) {
          kept.meter.add(name, count);
          if (isDown) throw new Error("cut off");
        },
      },
    });
    const id = await start([tell()]);
    isDown = false;
    await pass(5);
    expect(await view(id)).toMatchObject({ status: "COMPLETED", steps: [{ attempts: 2 }] });
    await drain();
    expect(world.transport.sent).toHaveLength(1);
    expect(world.ledger.deliveries.size).toBe(1);
  });

  it("goes by the rules of now, not by those that its isolate has seen", async () => {
    await start([tell()]);
    await world.clock.advance(2_000);
    world.tenants.put("acme", { targets: { mail: {} } });
    world.limiter.announce("acme", world.tenants.revision("acme") ?? 0);
    const event = { tenant: "acme", source: "s", type: "t", subject: null, data: "{}", key: "k2" };
    const answer = await publishEvent({ ...event, hops: 1 }, isolate.accept);
    expect(answer).toMatchObject({ status: 200, body: expect.stringMatching(/"deliveries":0/) });
  });

  it("goes by the rules that its token tells of, and spends one by them", async () => {
    const limit = { perSecond: 0.001, burst: 2, overflow: "reject" } as const;
    world.tenants.put("acme", {
      limit,
      targets: { mail: {} },
      rules: { all: { targets: ["mail"] } },
    });
    const publish = async (key: string) => {
      const event = { tenant: "acme", source: "s", type: "t", subject: null, data: "{}", key };
      const origin = { delivery: "d", traceparent: TRACE, isDemoted: false };
      const answer = await world.clock.run(
        publishEvent({ ...event, hops: 1, origin }, isolate.accept),
      );
      return answer.kind === "response" && answer.status === 200
        ? JSON.parse(answer.body).deliveries
        : answer;
    };
    expect(await publish("a")).toBe(1);
    const changed = world.tenants.put("acme", { limit, targets: { mail: {} } });
    await world.limiter.announce("acme", changed.revision);
    expect(await publish("b")).toBe(0);
    expect(await publish("c")).toMatchObject({ status: 429 });
  });

  it("undoes by an event as well", async () => {
    world.transport.answer = () => ({
      kind: "response",
      status: 422,
      retryAfterMs: null,
      body: "",
    });
    const compensate = { publish: { type: "order.withdrawn" } };
    const http = { http: { url: "https://x.example/b" } };
    const id = await start([tell({ compensate }), { name: "b", action: http }]);
    expect((await view(id)).status).toBe("COMPENSATED");
    await drain();
    const types = world.transport.sent.map(({ headers }) => headers.get("ce-type"));
    expect(types).toEqual([undefined, "order.done", "order.withdrawn"]);
  });
});

describe("refused is an event", () => {
  it("of a saga that has gone round in a circle: the last instance says why", async () => {
    const again = tell({ action: { publish: { type: "again" } } });
    const definition = { version: 1, createdAtMs: 1, doc: { steps: [again] } };
    world.tenants.put("acme", {
      targets: { again: { saga: { name: "order", definition } } },
      rules: { circle: { targets: ["again"] } },
    });
    await start([again]);
    await drain();
    const reasons = [...world.sagas.summaries.values()].map(({ reason }) => reason);
    expect(reasons).toHaveLength(SAGA_HOPS_MAX + 1);
    expect(reasons.filter((reason) => reason !== null)).toEqual([
      expect.stringMatching(/^tell: refused: 10 published events have led to it/),
    ]);
  });

  it("of a tenant that is gone", async () => {
    world.tenants.delete("acme");
    const id = await start([tell()]);
    expect(await view(id)).toMatchObject({
      steps: [{ state: "rejected", error: "refused: there is no such tenant" }],
    });
  });

  it("that no store takes: the step is tried again, and then in a person's hands", async () => {
    world.queues.refuses = true;
    world.outbox.put = async () => false;
    const id = await start([tell()]);
    await pass(3);
    expect(await view(id)).toMatchObject({
      steps: [{ error: expect.stringMatching(/outbox is full/) }],
    });
    await pass(20_000);
    expect((await view(id)).status).toBe("STUCK");
    expect(world.ledger.deliveries.size).toBe(0);
  });
});
