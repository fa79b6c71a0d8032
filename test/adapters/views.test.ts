/** Operators' views of several stores, where some of these do not answer. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Operation } from "../../routes/admin/operation.ts";
import { queueOperations } from "../../routes/admin/queues.ts";
import { targetGateOperations } from "../../routes/admin/target-gate.ts";
import { tenantLimitOperations } from "../../routes/admin/tenant-limits.ts";
import { Retryable } from "../../src/core/errors.ts";
import type { QueueName } from "../../src/core/priority.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { packOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { NO_GATE } from "../support/memory-tenants.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
});

const down = () => Promise.reject(new Error("down"));
const hangs = (): Promise<never> => new Promise(() => {});

describe("a view", () => {
  const get = async (operations: readonly Operation[], broken: Partial<DeliverPorts>) => {
    const operation = operations.find(({ method }) => method === "get");
    const { deliver } = createIsolate(world, { broken });
    const stores = { ruleEnds: { last: async () => null } };
    const call = { app: { deliver }, stores, params: { tenant: "acme", target: "sink" } };
    return world.clock.run(operation?.handle(call as never) ?? Promise.reject(new Error("none")));
  };

  it("of a target names what did not answer in time, and has the rest", async () => {
    const gate = { ...NO_GATE, batch: { waitMs: 5_000, bytesMax: 1_000, eventsMax: 9 } };
    world.tenants.put("acme", { targets: { sink: { gate, closed: "paused" } } });
    const whole = { limits: [{ by: "operator" }, { by: "rule" }], parked: null };
    const { body: found } = await get(targetGateOperations, {});
    expect(found).toMatchObject({ ...whole, unknown: [], batch: { waiting: 0 } });
    const broken = {
      gates: { ...world.gates, nextBatchMs: hangs },
      ledger: { ...world.ledger, waiting: hangs },
    };
    const { body } = await get(targetGateOperations, broken);
    expect(body).toMatchObject({ ...whole, unknown: ["batch", "parked"] });
    expect(body).not.toHaveProperty("batch");
  });

  it("of queues has all but what did not answer in time", async () => {
    await world.queues.send("critical", [packOf()]);
    const metrics = (queue: QueueName) =>
      queue === "bulk" ? hangs() : world.queues.metrics(queue);
    const broken = {
      queues: { ...world.queues, metrics },
      outbox: { ...world.outbox, state: down },
    };
    const { body } = await get(queueOperations, broken);
    expect(body).toMatchObject({
      outbox: null,
      items: [
        { priority: "critical", backlog: 1, limits: [{ by: "platform" }] },
        { priority: "normal", backlog: 0 },
        { priority: "bulk", backlog: null, backlogBytes: null, oldestMessageAt: null, limits: [] },
        { priority: "replay" },
      ],
    });
  });

  it("ends in time where the ledger, or the limiter, hangs", async () => {
    world.tenants.put("acme", { limit: { perSecond: 9, burst: 9, overflow: "reject" } });
    const ledger = { ...world.ledger, queueControls: hangs };
    await expect(get(queueOperations, { ledger })).rejects.toBeInstanceOf(Retryable);
    const limiter = { ...world.limiter, usage: hangs };
    await expect(get(tenantLimitOperations, { limiter })).rejects.toBeInstanceOf(Retryable);
  });
});
