/** A deleted tenant: nothing more is written or sent for it, what it left is removed, and nobody else's is. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  DELETION_SETTLES_MS,
  REMOVE_PAGE,
  REMOVE_PAGES_MAX,
} from "../../src/core/operator-limits.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { recoverAll, type Swept, sweep } from "../../src/flows/sweep.ts";
import { type Fault, withFaults } from "../support/memory-faults.ts";
import type { RecordSketch } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import type { TenantSketch } from "../support/memory-tenants.ts";
import { response } from "../support/memory-transport.ts";
import {
  consume,
  messageOf,
  messageOfItems,
  messageWith,
  rowOf,
  type TestMessage,
} from "./consumer.ts";

const SKETCH: TenantSketch = { targets: { pager: {} } };

let world: World;

beforeEach(() => {
  world = createWorld();
  for (const tenant of ["acme", "acme-2"]) world.tenants.put(tenant, SKETCH);
});

/** An event as the tenant's present life accepts it. */
const fresh = (tenant: string, key: string): TestMessage => messageWith(sketchOf(tenant, key));

const sketchOf = (tenant: string, key: string): RecordSketch => ({
  ...{ tenant, key, to: ["pager"], receivedAtMs: world.clock.nowMs() },
  receipt: `rcp_${tenant}_${key}`,
  revision: world.tenants.revision(tenant) ?? 0,
});

const pass = (broken: Partial<DeliverPorts> = {}): Promise<Swept> =>
  world.clock.run(sweep("overdue", createIsolate(world, { broken }).deliver));

/** Everything that is kept of a tenant. */
const keptOf = (tenant: string): string[] => [
  ...[...world.ledger.events.values()].filter((row) => row.tenant === tenant).map(({ id }) => id),
  ...[...world.ledger.deliveries.values()]
    .filter((row) => row.tenant === tenant)
    .map(({ event, state }) => `${event} ${state}`),
  ...[...world.archive.objects.keys()].filter((key) => key.split("/")[1] === tenant),
];

/** Deletes it, a moment after all that was done before. */
async function deleteTenant(tenant = "acme"): Promise<string> {
  await world.clock.advance(1);
  const job = world.deletions.begin(tenant);
  await world.clock.advance(1);
  return job;
}

async function settled(job: string): Promise<void> {
  await world.clock.advance(DELETION_SETTLES_MS);
  await pass();
  expect(world.deletions.jobs.get(job)?.isDone).toBe(true);
}

/** An event, delivered or not, of each tenant; answers what is kept of the other. */
async function deliveredTo(...keys: string[]): Promise<string[]> {
  for (const key of keys) {
    await consume(world, "normal", [fresh("acme", key), fresh("acme-2", key)]);
  }
  return keptOf("acme-2");
}

describe("a tenant that was deleted", () => {
  it("leaves neither rows nor objects, and its job is done when no consumer can write any more", async () => {
    const others = await deliveredTo("a", "b");
    const job = await deleteTenant();
    expect(await pass()).toMatchObject({ removed: 4, complete: true });
    expect(keptOf("acme")).toEqual([]);
    expect(world.deletions.jobs.get(job)).toMatchObject({ removed: 4, isDone: false });
    await settled(job);
    expect(keptOf("acme-2")).toEqual(others);
    expect(world.log.of("tenant-removed")).toMatchObject([{ tenant: "acme", job }]);
    expect(await pass()).toMatchObject({ removed: 0, complete: true });
  });

  it("gets nothing from messages that are still in queues: they are acknowledged and leave no trace", async () => {
    const waiting = [fresh("acme", "a"), fresh("acme-2", "a"), fresh("acme", "b")];
    const job = await deleteTenant();
    expect(await consume(world, "normal", waiting)).toEqual(["ack", "ack", "ack"]);
    expect(keptOf("acme")).toEqual([]);
    expect(world.transport.sent).toHaveLength(1);
    expect(world.log.of("tenant-gone")).toMatchObject([{ events: 2 }]);
    await settled(job);
  });

  it("leaves no poison: a message that points at an object of it, which was removed before, is dropped", async () => {
    const pointer = { segment: "big/acme/2026-01-01T00/evt_1/rcp_1", offset: 0, length: 9 };
    const content = { pointer, id: "evt_1", receipt: "rcp_1", tenant: "acme" };
    expect(await consume(world, "normal", [messageOfItems({ content })])).toEqual(["ack"]);
    expect(world.archive.poison.size).toBe(1); // while there is the tenant, a person must see it
    await deleteTenant();
    await pass();
    expect(await consume(world, "normal", [messageOfItems({ content })])).toEqual(["ack"]);
    expect(world.archive.poison.size).toBe(1);
    expect(world.log.of("tenant-gone")).toHaveLength(1);
  });

  it("leaves of a batch that was being delivered only that it was claimed, whatever its consumer does", async () => {
    world.transport.answer = async () => {
      await world.clock.timer(500).elapsed;
      world.deletions.begin("acme"); // when the bytes are at rest
      return response(500);
    };
    const batch = [fresh("acme", "a")];
    expect(await consume(world, "normal", batch)).toEqual([expect.any(Number)]);
    expect(world.log.of("settle-refused")).toHaveLength(1);
    expect(world.ledger.deliveries.size).toBe(0);
    expect(world.archive.objects.size).toBe(1);
    const [job = ""] = world.deletions.jobs.keys();
    await settled(job);
    expect(keptOf("acme")).toEqual([expect.stringMatching(/^evt_/)]);
    expect(await consume(world, "normal", [messageOf(batch[0]?.body ?? new Uint8Array())])).toEqual(
      ["ack"],
    );
  });

  it("gets no row from a consumer that stood still until after the job was done", async () => {
    world.transport.answer = async () => {
      world.deletions.begin("acme");
      await world.clock.timer(DELETION_SETTLES_MS + 1).elapsed;
      await sweep("overdue", createIsolate(world).deliver);
      expect([...world.deletions.jobs.values()]).toMatchObject([{ isDone: true }]);
      return response(200);
    };
    await consume(world, "normal", [fresh("acme", "a")]);
    expect(world.transport.sent).toHaveLength(1);
    expect(world.ledger.deliveries.size).toBe(0);
  });

  it("leaves no row that is dated in the future, by a Worker whose clock is ahead", async () => {
    const receivedAtMs = world.clock.nowMs() + 3_600_000;
    await consume(world, "normal", [messageWith({ ...sketchOf("acme", "a"), receivedAtMs })]);
    expect(world.ledger.deliveries.size).toBe(1);
    await settled(await deleteTenant());
    expect(keptOf("acme")).toEqual([]);
  });

  it("is told to its limiter by the job, which is not done before, if its deletion failed to", async () => {
    const known = world.tenants.revision("acme") ?? 0;
    const job = await deleteTenant();
    await world.clock.advance(DELETION_SETTLES_MS);
    const limiter = { ...world.limiter, announce: () => Promise.reject(new Error("down")) };
    expect(await pass({ limiter })).toMatchObject({ complete: false });
    expect(world.deletions.jobs.get(job)?.isDone).toBe(false);
    await pass();
    expect(world.deletions.jobs.get(job)?.isDone).toBe(true);
    expect(world.limiter.revisions.get("acme")).toBeGreaterThan(known);
  });

  it("is not tried again: a retry that waits finds nothing, whether its row went before or not", async () => {
    world.transport.answer = () => response(500);
    await deliveredTo("a", "b");
    const job = await deleteTenant();
    await world.clock.advance(10_000);
    const due = world.queues.take("normal", 10).map(({ body }) => messageOf(body));
    expect(due).toHaveLength(2); // each with one of both
    world.transport.sent.length = 0;
    await consume(world, "normal", due.slice(0, 1));
    await pass();
    await consume(world, "normal", due.slice(1));
    expect(world.transport.sent.map(({ headers }) => headers.get("ce-source"))).toEqual(
      Array(2).fill(expect.stringMatching(/acme-2/)),
    );
    await settled(job);
    expect(keptOf("acme")).toEqual([]);
    expect(world.ledger.deliveries.size).toBe(2);
  });

  it("has its rows removed before its objects, page by page, and the rest in the next pass", async () => {
    const count = REMOVE_PAGE * REMOVE_PAGES_MAX + 1;
    const asked: string[] = [];
    let left = count;
    const job = await deleteTenant();
    await world.clock.advance(DELETION_SETTLES_MS);
    const remover = {
      ...(await world.deletions.remover()),
      async rows(_: unknown, page: number) {
        asked.push("rows");
        const removed = Math.min(page, left);
        left -= removed;
        return { removed, more: left > 0 };
      },
      async objects() {
        asked.push("objects");
        return { removed: 0, more: false };
      },
    };
    const deletions = { ...world.deletions, remover: async () => remover };
    expect(await pass({ deletions })).toMatchObject({ removed: count - 1, complete: false });
    expect(asked).toEqual(Array(REMOVE_PAGES_MAX).fill("rows"));
    expect(world.deletions.jobs.get(job)?.isDone).toBe(false);
    expect(await pass({ deletions })).toMatchObject({ removed: 1, complete: true });
    expect(asked.at(-1)).toBe("objects");
    expect(world.deletions.jobs.get(job)).toMatchObject({ removed: count, isDone: true });
  });

  it("has its limits forgotten, but not its last revision, by which an isolate learns that it is gone", async () => {
    const rate = { perSecond: 1, burst: 1 };
    const ask = { scope: "tenant", rate, needed: 1, wanted: 1 };
    const lease = () =>
      world.limiter.lease("acme", { asks: [ask], revision: 1, secretsUsed: ["one"] });
    const granted = async () => (await lease()).grants[0]?.granted;
    expect([await granted(), await granted()]).toEqual([1, 0]);
    await world.limiter.announce("acme", 9);
    await settled(await deleteTenant());
    expect(await world.limiter.secretsLastUsed("acme")).toEqual({});
    expect(await lease()).toMatchObject({ revision: 9, grants: [{ granted: 1 }] });
  });

  it("is done at once where everything that was under way is known to be gone", async () => {
    await deliveredTo("a");
    const job = await deleteTenant();
    await world.clock.run(recoverAll(createIsolate(world).deliver));
    expect(world.deletions.jobs.get(job)?.isDone).toBe(true);
    expect(keptOf("acme")).toEqual([]);
  });
});

describe("a removal that fails or dies", () => {
  const steps = ["rows", "objects", "note"] as const;

  it.each(
    steps.flatMap((step) => (["before", "after"] as const).map((fault) => [fault, step] as const)),
  )("%s its step %s is told, and the next pass ends it", async (fault, step) => {
    const others = await deliveredTo("a", "b");
    const job = await deleteTenant();
    await world.clock.advance(DELETION_SETTLES_MS);
    const real = await world.deletions.remover();
    const faultOf = (method: string): Fault => (method === step ? fault : "none");
    const remover = withFaults(real, faultOf);
    const deletions = { ...world.deletions, remover: async () => remover };
    expect(await pass({ deletions })).toMatchObject({ complete: false });
    expect(world.log.of("sweep-failed")).toMatchObject([{ part: "jobs" }]);
    await pass();
    expect(world.deletions.jobs.get(job)?.isDone).toBe(true);
    expect(keptOf("acme")).toEqual([]);
    expect(keptOf("acme-2")).toEqual(others);
  });

  it("of one tenant holds up no other's, and is not done without its limiter", async () => {
    await deliveredTo("a");
    const jobs = [await deleteTenant("acme"), await deleteTenant("acme-2")];
    await world.clock.advance(DELETION_SETTLES_MS);
    const limiter = {
      ...world.limiter,
      forget: async (tenant: string) => {
        if (tenant === "acme") throw new Error("the limiter is down");
      },
    };
    expect(await pass({ limiter })).toMatchObject({ complete: false });
    expect(jobs.map((job) => world.deletions.jobs.get(job)?.isDone)).toEqual([false, true]);
    await pass();
    expect(jobs.map((job) => world.deletions.jobs.get(job)?.isDone)).toEqual([true, true]);
  });
});

describe("a tenant that was made anew under the same name", () => {
  async function recreate(): Promise<string> {
    const job = await deleteTenant();
    world.tenants.put("acme", SKETCH);
    await world.clock.advance(1);
    return job;
  }

  it("keeps all that is its own, and nothing of the life before", async () => {
    await deliveredTo("old");
    const before = keptOf("acme");
    const job = await recreate();
    await consume(world, "normal", [fresh("acme", "new")]);
    const own = keptOf("acme").filter((each) => !before.includes(each));
    expect(own.length).toBeGreaterThan(2);
    await settled(job);
    expect(keptOf("acme").sort()).toEqual(own.sort());
    expect(world.limiter.revisions.get("acme")).toBeUndefined();
  });

  it("keeps what a Worker whose clock is behind accepted, and nothing before from one that is ahead", async () => {
    const shifted = (key: string, ms: number): RecordSketch => {
      return { ...sketchOf("acme", key), receivedAtMs: world.clock.nowMs() + ms };
    };
    await consume(world, "normal", [messageWith(shifted("old", 3_600_000))]);
    const job = await recreate();
    const own = shifted("new", -3_600_000);
    await consume(world, "normal", [messageWith(own)]);
    await settled(job);
    expect(rowOf(world, own, "pager")).toMatchObject({ state: "delivered" });
    expect([world.ledger.events.size, world.ledger.deliveries.size]).toEqual([1, 1]);
  });

  it("is sent nothing that the life before had accepted, neither first nor again", async () => {
    world.transport.answer = () => response(500);
    await consume(world, "normal", [fresh("acme", "again")]);
    const waiting = fresh("acme", "first");
    const job = await recreate();
    await world.clock.advance(10_000);
    const retries = world.queues.take("normal", 10).map(({ body }) => messageOf(body));
    expect(retries).toHaveLength(1);
    world.transport.sent.length = 0;
    expect(await consume(world, "normal", [waiting, ...retries])).toEqual(["ack", "ack"]);
    expect(world.transport.sent).toEqual([]);
    await settled(job);
    expect(keptOf("acme")).toEqual([]);
  });

  it("gets an event whose key the life before had seen, and keeps it", async () => {
    await consume(world, "normal", [fresh("acme", "same")]);
    const job = await recreate();
    const sketch = { ...sketchOf("acme", "same"), receipt: "rcp_new" };
    await consume(world, "normal", [messageWith(sketch)]);
    expect(world.transport.sent).toHaveLength(2);
    await settled(job);
    expect(rowOf(world, sketch, "pager")).toMatchObject({ state: "delivered" });
    const copy = messageWith({ ...sketch, receipt: "rcp_copy" });
    await consume(world, "normal", [copy]);
    expect(world.transport.sent).toHaveLength(2);
  });

  it("does not archive what a batch brings of both lives together", async () => {
    const old = fresh("acme", "old");
    await recreate();
    await consume(world, "normal", [old, fresh("acme", "new")]);
    const objects = [...world.archive.objects.values()].map((bytes) =>
      Buffer.from(bytes).toString(),
    );
    expect(objects).toHaveLength(1);
    expect(objects.join()).toContain("rcp_acme_new");
    expect(objects.join()).not.toContain("rcp_acme_old");
  });
});
