/** Queues that a team reads itself: in order, leased, bounded, at its own time; and nothing goes in silence. */
import { beforeEach, describe, expect, it } from "vitest";
import { PULL_BYTES_MAX } from "../../src/core/pull/limits.ts";
import { type PullBody, pullTargetOf } from "../../src/core/pull/pull.ts";
import { answerLeases, type Said } from "../../src/flows/answer-leases.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { type PulledItem, pull } from "../../src/flows/pull.ts";
import { seek } from "../../src/flows/seek.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { boundTo } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import type { RuleSketch } from "../support/memory-tenants.ts";
import { consume, messageWith } from "./consumer.ts";

let world: World;
let ports: DeliverPorts;

const ID = { tenant: "acme", target: "audit" };

beforeEach(() => {
  world = createWorld();
  ports = createIsolate(world).deliver;
  tenantWith();
});

function tenantWith(
  body: PullBody = {},
  closed: "paused" | null = null,
  rule: Partial<RuleSketch> = {},
) {
  world.tenants.put("acme", {
    targets: { audit: { other: pullTargetOf(body), closed }, mail: {} },
    rules: { orders: { targets: ["audit", "mail"], ...rule } },
  });
}

/** Events with these keys, which are for the reader. */
async function bring(...keys: string[]) {
  for (const key of keys) {
    const priority = key.startsWith("urgent") ? "critical" : "bulk";
    const to = [boundTo("audit", priority)];
    const receivedAtMs = world.clock.nowMs();
    await consume(world, priority, [messageWith({ key, to, receivedAtMs }, `{"key":"${key}"}`)]);
    await world.clock.advance(1);
  }
}

async function take(
  more: { max?: number; leaseMs?: number; waitMs?: number; broken?: Partial<DeliverPorts> } = {},
): Promise<PulledItem[]> {
  const { max = 10, leaseMs = null, waitMs = 0, broken } = more;
  const request = { id: ID, max, leaseMs, waitMs };
  return (await world.clock.run(pull(request, { ...ports, ...broken }))) ?? [];
}

const say = async (said: Said, ...items: readonly { lease: string }[]) =>
  answerLeases(
    ID,
    items.map(({ lease }) => lease),
    said,
    await ports.pulls(),
  );
const ack = (...items: readonly { lease: string }[]) => say({ kind: "ack" }, ...items);
const keysOf = (items: readonly PulledItem[]) =>
  items.map(({ content }) => (content as { data: { key: string } }).data.key);
const states = () => [...world.ledger.deliveries.values()].map(({ state }) => state);
const errors = () => [...world.ledger.deliveries.values()].map(({ lastError }) => lastError);

describe("a reader", () => {
  it("gets events as rules saw them, the most urgent and oldest first, and acknowledges them", async () => {
    await bring("a", "b", "urgent");
    expect(states()).toEqual(["parked", "parked", "parked"]);
    expect(world.transport.sent).toEqual([]);
    const items = await take();
    expect(keysOf(items)).toEqual(["urgent", "a", "b"]);
    expect(items[0]).toMatchObject({
      ...{ attempt: 1, leasedUntilMs: world.clock.nowMs() + 30_000 },
      content: { source: "shop", type: "order.created" },
    });
    expect(await take()).toEqual([]);
    expect(await ack(...items)).toEqual({ done: 3, refused: [] });
    expect(states()).toEqual(["delivered", "delivered", "delivered"]);
  });

  it("gets what nobody acknowledged in time once more, and the former lease is refused with its reason", async () => {
    await bring("a");
    const [first] = await take({ leaseMs: 5_000 });
    await world.clock.advance(5_001);
    const [second] = await take();
    expect(second).toMatchObject({ attempt: 2 });
    expect(await ack(...[first ?? { lease: "" }])).toEqual({
      done: 0,
      refused: [{ lease: first?.lease, reason: expect.stringMatching(/^the lease is over/) }],
    });
    expect(await ack(second ?? { lease: "" })).toMatchObject({ done: 1 });
    const late = await ack(first ?? { lease: "" });
    expect(late).toMatchObject({ done: 0, refused: [{ reason: "its delivery is acknowledged" }] });
  });

  it.each<Said>([
    { kind: "ack" },
    { kind: "nack", reason: "no", delayMs: 60_000, attemptsMax: 9 },
    { kind: "extend", leaseMs: 1_000 },
  ])("that says $kind by both leases of a delivery is refused the former one", async (said) => {
    await bring("a");
    const former = await take({ leaseMs: 5_000 });
    await world.clock.advance(5_001);
    const items = await take();
    expect(await say(said, ...former, ...items)).toEqual({
      ...{ done: 1, refused: [{ lease: former[0]?.lease, reason: expect.any(String) }] },
    });
  });

  it("acknowledges twice what it has acknowledged, when the answer was lost", async () => {
    await bring("a");
    const items = await take();
    await ack(...items, ...items);
    expect(await ack(...items)).toEqual({ done: 1, refused: [] });
    const late = await say({ kind: "extend", leaseMs: 1_000 }, ...items);
    expect(late.refused).toMatchObject([{ reason: "its delivery is acknowledged" }]);
  });

  it("keeps what it works on for as long as it extends the lease", async () => {
    await bring("a");
    const items = await take({ leaseMs: 5_000 });
    await world.clock.advance(4_000);
    await say({ kind: "extend", leaseMs: 60_000 }, ...items);
    await world.clock.advance(59_000);
    expect(await take()).toEqual([]);
    expect(await ack(...items)).toMatchObject({ done: 1 });
  });

  it("waits for what comes, and no longer than it wants to", async () => {
    const waiting = take({ waitMs: 20_000 });
    const before = world.clock.nowMs();
    expect(await waiting).toEqual([]);
    expect(world.clock.nowMs() - before).toBe(20_000);
    await bring("a");
    let looks = 0;
    const pulls = await ports.pulls();
    const late = {
      ...pulls,
      async look(...asked: Parameters<typeof pulls.look>) {
        looks += 1;
        const found = await pulls.look(...asked);
        return looks < 3 ? { ...found, ready: [] } : found;
      },
    };
    const came = await take({ waitMs: 20_000, broken: { pulls: async () => late } });
    expect(keysOf(came)).toEqual(["a"]);
    expect(world.clock.nowMs() - before).toBeLessThan(23_000);
  });

  it("gets what the rule's transformer makes, by the rule as it is when it pulls", async () => {
    const paths = { key: "$.data.key" };
    const transformer = (template: object) => ({
      audit: { paths, template: template as never, missing: "refuse" as const },
    });
    tenantWith({}, null, { transformers: transformer({ old: "<key>" }) });
    const to = [{ ...boundTo("audit"), transformed: true as const }];
    await consume(world, "normal", [messageWith({ to }, '{"key":"k","card":"4111"}')]);
    tenantWith({}, null, { transformers: transformer({ now: "<key>" }) });
    expect((await take()).map(({ content }) => content)).toEqual([{ now: "k" }]);
  });

  it("shares with others of its team: each delivery is one reader's", async () => {
    await bring("a", "b", "c", "d");
    const pulled = await Promise.all([take({ max: 2 }), take({ max: 2 }), take({ max: 4 })]);
    expect(keysOf(pulled.flat()).sort()).toEqual(["a", "b", "c", "d"]);
  });
});

describe("a dead letter with its reason is", () => {
  it("what was given back too often, with what its readers said", async () => {
    tenantWith({ maxAttempts: 2 });
    await bring("a");
    for (const attempt of [1, 2]) {
      const items = await take();
      expect(items).toMatchObject([{ attempt }]);
      const said = { kind: "nack", reason: "given back: no stock", delayMs: 1_000 } as const;
      await say({ ...said, attemptsMax: 2 }, ...items);
      expect(await take()).toEqual([]);
      await world.clock.advance(1_001);
    }
    expect([states(), errors()]).toEqual([["dead"], ["given back: no stock; attempts exhausted"]]);
  });

  it("what was leased too often and never answered: at the next pull, or the next sweep", async () => {
    tenantWith({ maxAttempts: 1 });
    await bring("a", "b");
    await take({ leaseMs: 1_000 });
    await world.clock.advance(1_001);
    expect(await take({ max: 1 })).toEqual([]);
    expect(states()).toEqual(["dead", "dead"]);
    await bring("c");
    await take({ leaseMs: 1_000 });
    await world.clock.advance(1_001);
    expect(await world.clock.run(sweep("overdue", ports))).toMatchObject({ buried: 1 });
    expect(errors()).toEqual(
      Array(3).fill("leased 1 times and not acknowledged; attempts exhausted"),
    );
  });

  it("what waited for longer than its retention", async () => {
    tenantWith({ retentionSeconds: 60 });
    await bring("a");
    await world.clock.advance(50_000);
    await bring("b");
    await world.clock.advance(11_000);
    expect(await world.clock.run(sweep("overdue", ports))).toMatchObject({ buried: 1 });
    expect(errors()).toEqual(["parked for too long: waits to be pulled", "waits to be pulled"]);
  });

  it("what is more than may wait: the least urgent and newest", async () => {
    tenantWith({ backlogMax: 2 });
    await bring("a", "b", "urgent");
    expect(await world.clock.run(sweep("overdue", ports))).toMatchObject({ buried: 1 });
    expect(keysOf(await take())).toEqual(["urgent", "a"]);
    expect(errors()[1]).toBe("2 deliveries wait for their reader already, as many as may");
  });

  it("what its rule's transformer does not make, or cannot any more", async () => {
    const to = [{ ...boundTo("audit"), transformed: true as const }];
    await consume(world, "normal", [messageWith({ to })]);
    // The consumer finds no transformer: that is known before anybody pulls.
    expect(errors()).toEqual(["its rule has no transformer for this target any more"]);
    const transformers = {
      audit: { paths: { id: "$.data.id" }, template: { id: "<id>" }, missing: "refuse" as const },
    };
    tenantWith({}, null, { transformers });
    await consume(world, "normal", [messageWith({ key: "two", to })]);
    await consume(world, "normal", [messageWith({ key: "three", to })]);
    expect(await take({ max: 1 })).toEqual([]);
    expect(errors().slice(1)).toEqual(
      Array(2).fill("not transformed: the event has no value for <id>"),
    );
  });

  it("what the archive does not have any more", async () => {
    await bring("a");
    world.archive.objects.clear();
    expect(await take()).toEqual([]);
    expect(errors()).toEqual(["its event's bytes are not kept any more"]);
  });
});

describe("a pull", () => {
  it("whose archive does not answer leases nothing in the end, and counts no try", async () => {
    await bring("a");
    const archive = { ...world.archive, stream: () => Promise.reject(new Error("down")) };
    await expect(take({ broken: { archive } })).rejects.toThrow("down");
    expect(await take()).toMatchObject([{ attempt: 1 }]);
  });

  it("whose ledger fails after it has leased gives all of it back", async () => {
    await bring("a", "b");
    const pulls = await ports.pulls();
    const lease: typeof pulls.lease = async (...asked) => {
      await pulls.lease(...asked);
      throw new Error("no answer");
    };
    const late = { pulls: async () => ({ ...pulls, lease }) };
    await expect(take({ broken: late })).rejects.toThrow("no answer");
    expect(await take({ leaseMs: 1 })).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
    await world.clock.advance(2);
    world.archive.objects.clear();
    const bury = () => Promise.reject(new Error("down"));
    const unburied = { pulls: async () => ({ ...pulls, bury }) };
    await expect(take({ broken: unburied })).rejects.toThrow("down");
    expect(states()).toEqual(["parked", "parked"]);
    expect([...world.ledger.deliveries.values()].map(({ attempts }) => attempts)).toEqual([1, 1]);
    expect(await take()).toEqual([]);
    expect(states()).toEqual(["dead", "dead"]);
  });

  it("that dies with its leases delays what it had until they end, and loses nothing", async () => {
    await bring("a");
    const archive = { ...world.archive, stream: () => Promise.reject(new Error("down")) };
    const pulls = await ports.pulls();
    const dying = { ...pulls, giveBack: () => Promise.reject(new Error("died")) };
    const broken = { archive, pulls: async () => dying };
    await expect(take({ broken })).rejects.toThrow("down");
    expect(await take()).toEqual([]);
    await world.clock.advance(30_001);
    expect(keysOf(await take())).toEqual(["a"]);
  });

  it("gives no more than a bounded number of bytes, and one event whatever it has", async () => {
    const text = "x".repeat(PULL_BYTES_MAX / 2);
    for (const key of ["a", "b", "c"]) {
      await consume(world, "bulk", [
        messageWith({ key, to: [boundTo("audit", "bulk")] }, JSON.stringify({ key, text })),
      ]);
      await world.clock.advance(1);
    }
    const pulled: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const items = await take();
      pulled.push(items.length);
      await ack(...items);
    }
    expect(pulled).toEqual([1, 1, 1]);
    expect(states()).toEqual(["delivered", "delivered", "delivered"]);
  });
});

describe("a seek", () => {
  const sought = async (toMs: number, more: object = {}) =>
    seek(
      ID,
      { toMs, untilMs: world.clock.nowMs(), reason: "tested", after: null, ...more },
      await ports.pulls(),
    );

  it("to now skips all that waits, also what is leased, and each says why", async () => {
    await bring("a", "b");
    const items = await take({ max: 1 });
    expect(await sought(world.clock.nowMs())).toEqual({ skipped: 2, owed: 0, next: null });
    expect(states()).toEqual(["cancelled", "cancelled"]);
    expect(errors()[0]).toMatch(/^skipped by a seek to 20\d\d-.*Z: tested$/);
    const late = await ack(...items);
    expect(late.refused).toMatchObject([{ reason: "its delivery was cancelled" }]);
  });

  it("to a past time makes owed what was received since then, whatever its reader did with it", async () => {
    await bring("a");
    const fromMs = world.clock.nowMs();
    await bring("b", "c", "d");
    await ack(...(await take({ max: 3 })));
    await sought(world.clock.nowMs());
    expect(await sought(fromMs)).toEqual({ skipped: 0, owed: 3, next: null });
    const items = await take();
    expect(keysOf(items)).toEqual(["b", "c", "d"]);
    expect(items.map(({ attempt }) => attempt)).toEqual([2, 2, 1]);
  });

  it("begins the tries anew", async () => {
    tenantWith({ maxAttempts: 1 });
    const fromMs = world.clock.nowMs();
    await bring("a");
    await ack(...(await take()));
    await sought(fromMs);
    expect(keysOf(await take())).toEqual(["a"]);
  });
});

describe("a target that changes", () => {
  it("keeps what waits for its reader while it is paused, and gives it out after", async () => {
    tenantWith({}, "paused");
    await bring("a");
    expect(errors()).toEqual(["target paused"]);
    tenantWith();
    expect(await world.ledger.release("acme", "audit")).toBe(1);
    expect(keysOf(await take())).toEqual(["a"]);
  });

  it("from one that is pulled to one that is called sends what waited", async () => {
    await bring("a");
    const [item] = await take();
    world.tenants.put("acme", { targets: { audit: {} } });
    world.limiter.announce("acme", world.tenants.revision("acme") ?? 0);
    ports = createIsolate(world).deliver;
    await world.clock.run(sweep("overdue", ports));
    await world.clock.advance(5_000);
    for (const role of ["bulk", "normal"] as const) {
      await world.clock.run(
        import("../../src/flows/deliver-batch.ts").then(({ deliverBatch }) =>
          deliverBatch(role, world.queues.take(role, 10), ports),
        ),
      );
    }
    expect(world.transport.sent).toHaveLength(1);
    expect(states()).toEqual(["delivered"]);
    const late = await ack(item ?? { lease: "" });
    expect(late.refused).toMatchObject([{ reason: "its delivery is acknowledged" }]);
  });
});

describe("refused is a lease", () => {
  it("that is none, or of another target or tenant", async () => {
    await bring("a");
    const [item] = await take();
    const lease = item?.lease ?? "";
    expect((await ack({ lease: "lse_1" })).refused).toMatchObject([{ reason: "this is no lease" }]);
    for (const id of [
      { ...ID, target: "mail" },
      { ...ID, tenant: "other" },
    ]) {
      const { refused } = await answerLeases(id, [lease], { kind: "ack" }, await ports.pulls());
      expect(refused).toEqual([{ lease, reason: "there is no such delivery of this target" }]);
    }
    expect(await ack({ lease })).toMatchObject({ done: 1 });
  });
});
