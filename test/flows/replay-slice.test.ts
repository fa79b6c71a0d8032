/** A replay, slice by slice: whatever dies after any call, nothing selected is missed and nothing is made twice. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { bigKey, segmentKey } from "../../src/core/archive-keys.ts";
import { REPLAY_BACKLOG_MAX, REPLAY_RETRY_MS } from "../../src/core/archive-limits.ts";
import { decodePack } from "../../src/core/enqueue/pack.ts";
import type { Frame } from "../../src/core/enqueue/record.ts";
import {
  CANCELLED_MS,
  GENERATION_MS,
  OUTBOX_RESEND_MS,
  PACK_BYTES_MAX,
  SEND_AGAIN_TIMEOUT_MS,
  SWEEP_GRACE_MS,
} from "../../src/core/limits.ts";
import type { ReplayQuery } from "../../src/core/replay.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import {
  CANCELLED,
  countReplay,
  replaySlice,
  type SlicePorts,
} from "../../src/flows/replay-slice.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { Replays } from "../../src/ports/replays.ts";
import { createMemoryListing } from "../support/memory-archive.ts";
import { frameOf } from "../support/memory-records.ts";
import { createMemoryReplays } from "../support/memory-replays.ts";
import { createIsolate, createWorld, type Isolate, type World } from "../support/memory-router.ts";
import type { TenantSketch } from "../support/memory-tenants.ts";
import { response } from "../support/memory-transport.ts";

const AT = { tenant: "acme", id: "rpl_1" };
const COUNT = 25;

let world: World;
let isolate: Isolate;
let replays: Replays;
let receivedAtMs: number;

const query = (more: Partial<ReplayQuery> = {}): ReplayQuery => ({
  ...{ fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER, pattern: { data: { even: [true] } } },
  ...{ source: null, type: null, rule: null, target: null, perSecond: 4, reason: "a test" },
  ...more,
});

const frame = (n: number, more: object = {}): Frame =>
  frameOf(
    { key: `key-${n}`, receipt: `rcp_${n}`, receivedAtMs, revision: 1e15, ...more },
    JSON.stringify({ n, even: n % 2 === 0 }),
  );

async function keep(...frames: readonly Frame[]): Promise<void> {
  const random = Uint8Array.from({ length: 10 }, () => world.archive.objects.size);
  const key = segmentKey("acme", receivedAtMs, receivedAtMs, random);
  await world.archive.put(
    key,
    frames.map(({ bytes }) => bytes),
  );
}

const configure = (rules: TenantSketch["rules"] = { orders: { targets: ["pager"] } }) =>
  world.tenants.put("acme", { targets: { pager: {}, desk: {} }, rules: rules ?? {} });

beforeEach(async () => {
  world = createWorld();
  isolate = createIsolate(world);
  receivedAtMs = world.clock.nowMs() - 3_600_000;
  replays = createMemoryReplays(world.clock, world.tenants, world.ledger);
  configure();
  for (let n = 0; n < COUNT; n += 5) {
    await keep(...[0, 1, 2, 3, 4].map((more) => frame(n + more)));
  }
});

type Call = (name: string, work: () => Promise<unknown>) => Promise<unknown>;

/** The ports of a slice, every call of them through `call`. */
function portsThrough(call: Call = (_, work) => work()): SlicePorts {
  const through = <Port extends object>(name: string, port: Port): Port =>
    new Proxy(port, {
      get(target, member) {
        const value: unknown = Reflect.get(target, member);
        if (typeof value !== "function") return value;
        return (...asked: unknown[]) =>
          call(`${name}.${String(member)}`, async () => value.apply(target, asked));
      },
    });
  const { archive, clock, crypto, directory, log, queues } = isolate.deliver;
  return {
    ...{ clock, crypto, log, text: platformText },
    archive: through("archive", archive),
    directory: through("directory", directory),
    queues: through("queues", queues),
    listing: through("listing", createMemoryListing(world.archive, platformText)),
    replays: through("replays", replays),
  };
}

async function runToTheEnd(): Promise<void> {
  for (let slices = 0; slices < 100; slices += 1) {
    if ((await world.clock.run(replaySlice(AT, portsThrough()))) === null) return;
  }
  throw new Error("it does not end");
}

/** All messages of replays are consumed, and what only the ledger knows is swept up first. */
async function deliverAll(): Promise<void> {
  await world.clock.advance(OUTBOX_RESEND_MS + SWEEP_GRACE_MS + 1);
  await world.clock.run(sweep("overdue", isolate.deliver));
  for (;;) {
    const messages = world.queues.take("replay", 10);
    if (messages.length === 0) return;
    await world.clock.run(deliverBatch("replay", messages, isolate.deliver));
  }
}

const EVEN = Array.from({ length: COUNT }, (_, n) => frame_(n)).filter((_, n) => n % 2 === 0);
function frame_(n: number): string {
  return frameOf({ key: `key-${n}` }).record.id;
}

const sentEvents = () =>
  world.transport.sent.map(({ headers }) => headers.get("signalbox-event") ?? "").sort();

describe("a replay", () => {
  it("delivers what it selects once, with its own name in every request", async () => {
    await replays.create(AT, query());
    await runToTheEnd();
    await deliverAll();
    expect(sentEvents()).toEqual(EVEN.toSorted());
    for (const { headers } of world.transport.sent) {
      expect(headers.get("signalbox-replay")).toBe(AT.id);
    }
    expect(await replays.replay(AT)).toMatchObject({
      ...{ state: "done", examined: COUNT, deliveries: EVEN.length },
    });
    expect(await replays.states(AT)).toEqual({ delivered: EVEN.length });
  });

  it("is held up by no queue that hangs: what it was to take goes out with the sweeper", async () => {
    await replays.create(AT, query({ perSecond: 1_000 }));
    const hanging = portsThrough((name, work) =>
      name === "queues.send" ? new Promise<never>(() => {}) : work(),
    );
    const beganAtMs = world.clock.nowMs();
    expect(await world.clock.run(replaySlice(AT, hanging))).toBeNull();
    expect(world.clock.nowMs() - beganAtMs).toBe(SEND_AGAIN_TIMEOUT_MS);
    expect(await replays.states(AT)).toEqual({ pending: EVEN.length });
    await deliverAll();
    expect(sentEvents()).toEqual(EVEN.toSorted());
  });

  it("misses nothing and sends nothing twice, whichever call it dies before or after", async () => {
    for (const when of ["before", "after"]) {
      for (let fatal = 0; ; fatal += 1) {
        world = createWorld();
        isolate = createIsolate(world);
        receivedAtMs = world.clock.nowMs() - 3_600_000;
        replays = createMemoryReplays(world.clock, world.tenants, world.ledger);
        configure();
        for (let n = 0; n < COUNT; n += 5)
          await keep(...[0, 1, 2, 3, 4].map((at) => frame(n + at)));
        await replays.create(AT, query());
        let calls = 0;
        let isDead = false;
        const dying = portsThrough(async (_, work) => {
          if (isDead) throw new Error("dead");
          isDead = calls === fatal;
          calls += 1;
          if (isDead && when === "before") throw new Error("dead");
          const answer = await work();
          if (isDead) throw new Error("dead");
          return answer;
        });
        for (let slices = 0; slices < 4 && !isDead; slices += 1) {
          await world.clock.run(replaySlice(AT, dying).catch(() => null));
        }
        if (!isDead) break;
        await runToTheEnd();
        await deliverAll();
        expect([when, fatal, sentEvents()]).toEqual([when, fatal, EVEN.toSorted()]);
        expect((await replays.replay(AT))?.deliveries).toBe(EVEN.length);
        expect(fatal).toBeLessThan(100);
      }
    }
  });

  it("takes a copy that was suppressed for none, and one event in two segments for one", async () => {
    await replays.create(AT, query());
    await keep(frame(0), frame(2, { receipt: "rcp_copy" }));
    await runToTheEnd();
    await deliverAll();
    expect(sentEvents()).toEqual(EVEN.toSorted());
  });

  it("sends the bytes of the receipt that owns the event, although the copy lies before it", async () => {
    await replays.create(AT, query());
    world.archive.objects.clear();
    const [copy, owner] = [frame(2, { receipt: "rcp_copy" }), frame(2)];
    const { record } = owner;
    const pointer = { segment: "nowhere", offset: 0, length: 1 };
    world.ledger.events.set(record.id, {
      ...record,
      ...{ pointer, claimedAtMs: world.clock.nowMs(), token: "", leaseUntilMs: 0 },
    });
    await keep(copy, owner);
    await runToTheEnd();
    const carried = [...world.queues.kept.replay.values()].flatMap(({ body }) => {
      const decoded = decodePack(body, platformText);
      return decoded.ok ? decoded.pack.items : [];
    });
    expect(carried).toMatchObject([{ content: { record: { receipt: record.receipt } } }]);
  });

  it("takes no big body from its queue, and none for accepted whose request was refused", async () => {
    await replays.create(AT, query({ pattern: null }));
    world.archive.objects.clear();
    const big = { key: "big", receivedAtMs, revision: 1e15, to: ["pager", "desk"] };
    for (const receipt of ["rcp_refused", "rcp_queued"]) {
      const { record, bytes } = frameOf({ ...big, receipt }, "x".repeat(PACK_BYTES_MAX));
      await world.archive.put(bigKey(record), [bytes]);
    }
    await runToTheEnd();
    expect(await replays.replay(AT)).toMatchObject({ examined: 2, deliveries: 0 });
    expect(world.ledger.events.size).toBe(0);
  });

  it("takes a big body whose row went by age", async () => {
    await replays.create(AT, query({ pattern: null }));
    world.archive.objects.clear();
    await world.clock.advance(3 * GENERATION_MS);
    const { record, bytes } = frameOf({ key: "big", receivedAtMs, revision: 1e15 }, "x");
    await world.archive.put(bigKey(record), [bytes]);
    await runToTheEnd();
    expect(await replays.replay(AT)).toMatchObject({ examined: 1, deliveries: 1 });
  });

  it("goes by the rules of now, and cancels what they do not send any more", async () => {
    await replays.create(AT, query({ target: "desk" }));
    configure({
      orders: { targets: ["pager", "desk"] },
      shade: { targets: ["desk"], mode: "shadow" },
    });
    await runToTheEnd();
    configure({ orders: { targets: ["pager"] } });
    await deliverAll();
    expect(world.transport.sent).toEqual([]);
    expect(await replays.states(AT)).toEqual({ cancelled: EVEN.length });
  });

  it("fans no list out once more, and sends its elements to the targets of their rule", async () => {
    world.archive.objects.clear();
    const elementOf = { fanOut: "fan_1", event: "evt_1", rule: "orders", index: 0, count: 1 };
    await keep(frame(2), frame(4, { elementOf }), frame(6, { elementOf }));
    configure({
      orders: { targets: ["pager"], forEach: "$.data.list" },
      other: { targets: ["desk"] },
    });
    await replays.create(AT, query());
    await runToTheEnd();
    const made = [...world.ledger.deliveries.values()];
    expect(made.map(({ event, target }) => [event, target]).sort()).toEqual(
      [
        [frame_(2), "desk"],
        [frame_(4), "pager"],
        [frame_(6), "pager"],
      ].sort(),
    );
  });

  it("makes nothing of what was accepted in a life of the tenant that ended", async () => {
    await replays.create(AT, query());
    world.archive.objects.clear();
    await keep(frame(2, { revision: 0 }));
    await runToTheEnd();
    expect(await replays.replay(AT)).toMatchObject({ examined: 1, deliveries: 0 });
  });

  it("steps over a segment that is damaged, and over one that has gone", async () => {
    await replays.create(AT, query({ pattern: null }));
    const [first = "", second = ""] = [...world.archive.objects.keys()];
    world.archive.objects.set(first, new Uint8Array(40));
    world.archive.objects.delete(second);
    await runToTheEnd();
    const replay = await replays.replay(AT);
    expect(replay).toMatchObject({ deliveries: COUNT - 10, unreadableBytes: 40 });
  });

  it("makes nothing more while it is paused, and nothing after it was cancelled", async () => {
    await replays.create(AT, query());
    expect(await replaySlice(AT, portsThrough())).toBe(1_000); // four at four a second
    for (const state of ["paused", "cancelled"] as const) {
      await replays.move(AT, ["running", "paused"], state);
      await replaySlice(AT, portsThrough());
      expect((await replays.replay(AT))?.deliveries).toBe(4);
    }
  });

  it("that is cancelled tries nothing again that was in a consumer's hands, whatever becomes of it", async () => {
    await replays.create(AT, query());
    await runToTheEnd();
    world.transport.answer = async () => {
      await replays.move(AT, ["running", "done"], "cancelled");
      await replays.giveUp(AT, CANCELLED);
      return response(500);
    };
    const messages = world.queues.take("replay", 1);
    await world.clock.run(deliverBatch("replay", messages, isolate.deliver));
    const sent = world.transport.sent.length;
    expect(await replays.states(AT)).toMatchObject({ retrying: sent });
    expect(await replaySlice(AT, portsThrough())).toBe(REPLAY_RETRY_MS);
    expect(await replays.states(AT)).toEqual({ cancelled: EVEN.length });
    await deliverAll();
    expect(world.transport.sent).toHaveLength(sent);
    await world.clock.advance(CANCELLED_MS);
    expect(await replaySlice(AT, portsThrough())).toBeNull();
  });

  it("that is paused while a slice reads writes nothing of that slice", async () => {
    await replays.create(AT, query());
    const pausing = portsThrough(async (name, work) => {
      if (name === "replays.advance") await replays.move(AT, ["running"], "paused");
      return work();
    });
    await replaySlice(AT, pausing);
    expect(await replays.replay(AT)).toMatchObject({ state: "paused", deliveries: 0, rev: 0 });
    expect(world.ledger.deliveries.size).toBe(0);
  });

  it("waits while its queue is long, and ends when there is no such replay or tenant", async () => {
    await replays.create(AT, query());
    await world.queues.send("replay", Array(REPLAY_BACKLOG_MAX + 1).fill(new Uint8Array(1)));
    expect(await replaySlice(AT, portsThrough())).toBeGreaterThan(1_000);
    expect((await replays.replay(AT))?.deliveries).toBe(0);
    world.queues.kept.replay.clear();
    expect(await replaySlice({ ...AT, id: "rpl_none" }, portsThrough())).toBeNull();
    world.tenants.delete("acme");
    isolate.deliver.directory.forget("acme");
    expect(await replaySlice(AT, portsThrough())).toBeNull();
  });

  it("is counted without being made, each event once", async () => {
    await keep(frame(0));
    const tenant = await isolate.deliver.directory.get("acme");
    if (tenant === null) throw new Error("no tenant");
    const count = await countReplay(tenant, 0, query({ perSecond: 1_000 }), portsThrough());
    expect(count).toMatchObject({
      ...{ events: EVEN.length, deliveries: EVEN.length, examined: COUNT + 1, complete: true },
    });
    expect(world.ledger.deliveries.size).toBe(0);
  });
});
