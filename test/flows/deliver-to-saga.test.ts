/** An event for a saga: what starts, what is heard, and what no instance takes. */
import { beforeEach, describe, expect, it } from "vitest";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { SAGA_CORRELATED_MAX, SAGA_INPUT_BYTES_MAX } from "../../src/core/saga/limits.ts";
import { decideDelivery } from "../../src/flows/decide-delivery.ts";
import type { Duty } from "../../src/flows/duty.ts";
import { startSaga } from "../../src/flows/start-saga.ts";
import { idle } from "../support/fake-clock.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { consume, messageWith, sendThrough } from "./consumer.ts";

let world: World;

const DOC: SagaDoc = {
  correlation: "$.data.order",
  steps: [{ name: "paid", wait: { event: { data: { paid: [true] } }, timeoutSeconds: 60 } }],
};
const definition = { version: 1, createdAtMs: 1, doc: DOC };

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", {
    sources: { shop: { bytesMax: 6_000_000 } },
    targets: { orders: { saga: { name: "order", definition } } },
    rules: { r: { targets: ["orders"] } },
  });
});

const send = async (body: string, more: { transformed?: true } = {}) => {
  const to = { rule: "r", target: "orders", priority: "normal", ...more } as const;
  await consume(world, "normal", [messageWith({ to: [to] }, body)]);
  await idle();
};
/** As a sender does: what is too large for a pack comes by way of the archive. */
const sendLarge = async (members: string, bytes: number) => {
  await sendThrough(world, createIsolate(world), `{${members},"pad":"${"x".repeat(bytes)}"}`);
  await idle();
};
const row = () => [...world.ledger.deliveries.values()][0];
const states = () => [...world.sagas.summaries.values()].map(({ status }) => status);
const start = (key: string) =>
  startSaga(
    {
      ...{ tenant: "acme", saga: "order", definition, key },
      ...{ correlationId: "o-1", input: null },
    },
    createIsolate(world).deliver,
  );

describe("an event for a saga", () => {
  it("starts an instance, under the event's id", async () => {
    await send('{"order":"o-1"}');
    expect(states()).toEqual(["RUNNING"]);
    expect(row()?.state).toBe("delivered");
  });

  it("that is waited for ends the wait of each instance it belongs to", async () => {
    await start("a");
    await start("b");
    await send('{"order":"o-1","paid":true}');
    expect(states()).toEqual(["COMPLETED", "COMPLETED"]);
  });

  it("ends the wait of one that is older than many others, which have ended", async () => {
    const { view } = await start("open");
    for (let at = 0; at < SAGA_CORRELATED_MAX; at += 1) {
      await world.clock.advance(1);
      const ended = await start(`ended-${at}`);
      await world.sagas.receive(ended.view.id, "evt_before", { data: { paid: true } });
    }
    await idle();
    await send('{"order":"o-1","paid":true}');
    expect(world.sagas.summary(view.id)).toMatchObject({ status: "COMPLETED" });
    expect(row()?.state).toBe("delivered");
  });

  it("that comes when all it belongs to have ended is delivered, and changes nothing", async () => {
    const { view } = await start("a");
    await world.sagas.receive(view.id, "evt_before", { data: { paid: true } });
    await idle();
    const ended = world.sagas.summary(view.id);
    await send('{"order":"o-1","paid":true}');
    expect(row()?.state).toBe("delivered");
    expect(world.sagas.summary(view.id)).toEqual(ended);
  });

  it("of more open instances than it is given to is held for the others", async () => {
    for (let at = 0; at <= SAGA_CORRELATED_MAX; at += 1) await start(`key-${at}`);
    await send('{"order":"o-1","paid":true}');
    const open = () => states().filter((status) => status === "RUNNING").length;
    expect(open()).toBe(1);
    expect(row()).toMatchObject({
      ...{ state: "retrying", lastError: expect.stringMatching(/more than 500 open instances/) },
    });
  });

  it("is held until every instance it belongs to has begun", async () => {
    await start("a");
    for (const begun of world.sagas.summaries.values()) {
      await world.sagas.index.begin({ ...begun, id: "sga_other" });
      break;
    }
    await send('{"order":"o-1","paid":true}');
    expect(row()).toMatchObject({
      ...{ state: "retrying", lastError: expect.stringMatching(/no instance of "order"/) },
    });
    // The one that is there has heard of it, and hears it only once.
    expect(states()).toContain("COMPLETED");
  });

  it("of an instance that never begins is a dead letter in the end, which says so", async () => {
    const retry = { delaysSeconds: [] };
    world.tenants.put("acme", {
      targets: { orders: { saga: { name: "order", definition }, retry } },
    });
    await send('{"order":"o-9","paid":true}');
    expect(row()).toMatchObject({
      ...{ state: "dead", lastError: expect.stringMatching(/no instance of "order".*o-9 yet/) },
    });
  });

  it("for a saga that is gone is a dead letter at once, which says so", async () => {
    world.tenants.put("acme", {
      targets: { orders: { saga: { name: "order", definition: null } } },
    });
    await send('{"order":"o-1"}');
    expect(row()).toMatchObject({
      state: "dead",
      lastError: expect.stringMatching(/no saga "order"/),
    });
    expect(states()).toEqual([]);
  });

  it("that a step waits for but that names no instance is refused at once", async () => {
    await start("a");
    await send('{"paid":true}');
    expect(row()).toMatchObject({ state: "dead", lastError: expect.stringMatching(/no corr/) });
  });

  it("that came too large for a pack is heard like any other", async () => {
    await start("a");
    await sendLarge('"order":"o-1","paid":true', 70_000);
    expect(states()).toEqual(["COMPLETED"]);
    expect(row()?.state).toBe("delivered");
  });

  it("that came too large for a pack is the input of the instance it starts, and names it", async () => {
    const doc: SagaDoc = { ...DOC, key: "$.data.order" };
    const named = { name: "order", definition: { ...definition, doc } };
    world.tenants.put("acme", {
      ...{ sources: { shop: {} }, targets: { orders: { saga: named } } },
      rules: { r: { targets: ["orders"] } },
    });
    await sendLarge('"order":"o-1"', 70_000);
    expect([...world.sagas.summaries.values()]).toMatchObject([
      { key: "o-1", correlationId: "o-1" },
    ]);
  });

  it("that cannot be read now is no attempt", async () => {
    world.archive.frame = () => Promise.reject(new Error("down"));
    await sendLarge('"order":"o-1"', 70_000);
    expect([states(), row()?.attempts ?? 0]).toEqual([[], 0]);
    expect(world.log.lines.map(({ event }) => event)).toContain("attempt-not-made");
  });

  it.each([
    ["starts", '"order":"o-1"', SAGA_INPUT_BYTES_MAX],
    ["is waited for", '"order":"o-1","paid":true', SAGA_INPUT_BYTES_MAX],
    ["starts, and is too large to be read,", '"order":"o-1"', 5_000_000],
  ])(
    "that %s and is larger than an instance takes is refused, and says so",
    async (_, members, bytes) => {
      await start("a");
      await sendLarge(members, bytes);
      expect(row()?.lastError).toMatch(/^refused: .* [15]\d{6} bytes is none for a saga: 1000000/);
      expect(states()).toEqual(["RUNNING"]);
    },
  );

  it("which its rule meant to transform is not given whole", async () => {
    const template = { order: "<id>" };
    const transformers = {
      orders: { paths: { id: "$.id" }, template, missing: "refuse" as const },
    };
    world.tenants.put("acme", {
      targets: { orders: { saga: { name: "order", definition } } },
      rules: { r: { targets: ["orders"], transformers } },
    });
    await send('{"order":"o-1"}', { transformed: true });
    const dead = { state: "dead", lastError: "a saga takes no transformed event" };
    expect(row()).toMatchObject(dead);
    expect(states()).toEqual([]);
    const again = { rule: "r", target: "orders", attempts: 0, replay: "rpl_1" };
    const { deliver } = createIsolate(world);
    const tenant = await deliver.directory.refresh("acme");
    const duty = { ...again, tenant: "acme", held: { record: {} } } as unknown as Duty;
    const decided = decideDelivery(duty, "replay", new Map([["acme", tenant]]));
    expect(decided).toMatchObject({ kind: "result", result: dead });
  });

  it("of a saga that was made anew under its name starts an instance of its own", async () => {
    const first = await start("a");
    const again = await start("a");
    const anew = await startSaga(
      {
        ...{ tenant: "acme", saga: "order", definition: { ...definition, createdAtMs: 2 } },
        ...{ key: "a", correlationId: null, input: null },
      },
      createIsolate(world).deliver,
    );
    expect([first.created, again.created, anew.created]).toEqual([true, false, true]);
  });
});
