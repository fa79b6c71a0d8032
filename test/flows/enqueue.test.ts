/** Making events durable: which store is asked first, for how long, and when nobody took them. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, isParcel, type PackItem } from "../../src/core/enqueue/pack.ts";
import {
  OUTBOX_PUT_TIMEOUT_MS,
  PACK_BYTES_MAX,
  QUEUE_SEND_TIMEOUT_MS,
} from "../../src/core/limits.ts";
import type { QueueName } from "../../src/core/priority.ts";
import { createCommits, type OutboxMode } from "../../src/flows/enqueue.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { createMemoryQueues } from "../support/memory-queues.ts";
import { frameOf } from "../support/memory-records.ts";
import { createWorld } from "../support/memory-router.ts";
import { createMemoryLog, type MemoryLog } from "../support/memory-system.ts";

type Behaviour = "takes" | "refuses" | "throws" | "hangs" | "full";
type Store = "queue" | "outbox";

interface Call {
  readonly store: Store;
  readonly priority: QueueName;
  readonly packs: readonly Uint8Array[];
  readonly atMs: number;
}

let clock: FakeClock;
let log: MemoryLog;
let calls: Call[];

beforeEach(() => {
  clock = createFakeClock(0);
  log = createMemoryLog();
  calls = [];
});

function commitsWith(mode: OutboxMode, queue: Behaviour, outbox: Behaviour) {
  const store =
    (name: Store, behaviour: Behaviour) =>
    async (priority: QueueName, packs: readonly Uint8Array[]): Promise<true> => {
      calls.push({ store: name, priority, packs, atMs: clock.nowMs() });
      if (behaviour === "throws") throw new Error(`${name} is not bound`);
      if (behaviour === "hangs") return new Promise(() => {});
      if (behaviour === "refuses") throw new Error(`${name} is down`);
      return true;
    };
  const nothing = (): never => {
    throw new Error("not used here");
  };
  const toQueue = store("queue", queue);
  const toOutbox = store("outbox", outbox);
  return createCommits(mode, {
    clock,
    log,
    text: platformText,
    queues: {
      send: async (priority, packs) => void (await toQueue(priority, packs)),
      metrics: nothing,
    },
    outbox: {
      ...{ settled: nothing, recover: nothing, wake: nothing, state: nothing },
      shardOf: () => 0,
      put: (_, ...parameters) =>
        outbox === "full" ? Promise.resolve(false) : toOutbox(...parameters),
    },
  });
}

const item = (key: string, body: string | Uint8Array = "{}"): PackItem => ({
  content: frameOf({ key }, body),
});

const keysOf = (pack: Uint8Array | undefined): string[] => {
  const decoded = decodePack(pack ?? new Uint8Array(), platformText);
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.pack.items.map(({ content }) => (isParcel(content) ? "?" : content.record.key));
};

const asked = (): Store[] => calls.map(({ store }) => store);

describe("outbox on failure", () => {
  const commits = (queue: Behaviour, outbox: Behaviour) =>
    commitsWith("on-failure", queue, outbox).critical;

  it("asks the queue and, when it takes the event, nobody else", async () => {
    await clock.run(commits("takes", "takes").add(item("a")));
    expect(asked()).toEqual(["queue"]);
    expect(calls[0]).toMatchObject({ priority: "critical", atMs: 0 });
    expect(keysOf(calls[0]?.packs[0])).toEqual(["a"]);
    expect(log.lines).toEqual([]);
  });

  it.each<Behaviour>(["refuses", "throws"])(
    "asks the outbox at once when the queue %s",
    async (behaviour) => {
      await clock.run(commits(behaviour, "takes").add(item("a")));
      expect(calls.map(({ store, atMs }) => [store, atMs])).toEqual([
        ["queue", 0],
        ["outbox", 0],
      ]);
      expect(calls[1]?.packs).toEqual(calls[0]?.packs);
      expect(log.of("queue-refused")).toMatchObject([{ priority: "critical", events: 1 }]);
    },
  );

  it("asks the outbox when the queue hangs, after the queue's own time", async () => {
    await clock.run(commits("hangs", "takes").add(item("a")));
    expect(calls.map(({ store, atMs }) => [store, atMs])).toEqual([
      ["queue", 0],
      ["outbox", QUEUE_SEND_TIMEOUT_MS],
    ]);
  });

  it.each<[Behaviour, Behaviour, RegExp]>([
    ["refuses", "refuses", /outbox is down/],
    ["refuses", "throws", /outbox is not bound/],
    ["refuses", "full", /the outbox is full/],
    ["refuses", "hangs", /the outbox did not answer in time/],
    ["hangs", "refuses", /outbox is down/],
    ["hangs", "hangs", /the outbox did not answer in time/],
  ])("refuses the event when the queue %s and the outbox %s", async (queue, outbox, why) => {
    await expect(clock.run(commits(queue, outbox).add(item("a")))).rejects.toThrow(why);
    const waited = queue === "hangs" ? QUEUE_SEND_TIMEOUT_MS : 0;
    expect(clock.nowMs()).toBe(waited + (outbox === "hangs" ? OUTBOX_PUT_TIMEOUT_MS : 0));
  });

  it("leaves no timer armed", async () => {
    await clock.run(commits("takes", "takes").add(item("a")));
    await clock.run(commits("refuses", "takes").add(item("b")));
    expect(clock.armed).toBe(0);
  });
});

describe("outbox always", () => {
  const commits = (outbox: Behaviour) => commitsWith("always", "takes", outbox).critical;

  it("asks the outbox and nobody else", async () => {
    await clock.run(commits("takes").add(item("a")));
    expect(asked()).toEqual(["outbox"]);
    expect(keysOf(calls[0]?.packs[0])).toEqual(["a"]);
    expect(log.lines).toEqual([]);
  });

  it.each<[Behaviour, RegExp]>([
    ["refuses", /outbox is down/],
    ["throws", /outbox is not bound/],
    ["full", /the outbox is full/],
    ["hangs", /the outbox did not answer in time/],
  ])(
    "never takes a queue that forgets for a store: the outbox %s, the event is refused",
    async (behaviour, why) => {
      await expect(clock.run(commits(behaviour).add(item("a")))).rejects.toThrow(why);
      expect(asked()).not.toContain("queue");
      expect(clock.nowMs()).toBe(behaviour === "hangs" ? OUTBOX_PUT_TIMEOUT_MS : 0);
    },
  );

  it("gives each shard the packs of its own tenants", async () => {
    const puts: [number, string[]][] = [];
    const shards = { acme: 0, other: 1 } as Record<string, number>;
    const { normal } = createCommits("always", {
      clock,
      log,
      text: platformText,
      queues: createMemoryQueues(clock),
      outbox: {
        ...createWorld(clock).outbox,
        shardOf: (tenant) => shards[tenant] ?? 9,
        async put(shard, _, packs) {
          puts.push([shard, packs.flatMap(keysOf)]);
          return true;
        },
      },
    });
    const of = (tenant: string, key: string) => ({ content: frameOf({ tenant, key }) });
    await clock.run(
      Promise.all([
        normal.add(of("acme", "first")),
        normal.add(of("acme", "a")),
        normal.add(of("other", "b")),
        normal.add(of("acme", "c")),
      ]),
    );
    expect(puts).toEqual([
      [0, ["first"]],
      [0, ["a", "c"]],
      [1, ["b"]],
    ]);
  });
});

describe("events of one tenant that may go to several shards", () => {
  it("go to one of them together, so that they share a row", async () => {
    const puts: string[][] = [];
    let shard = 0;
    const { normal } = createCommits("always", {
      clock,
      log,
      text: platformText,
      queues: createMemoryQueues(clock),
      outbox: {
        ...createWorld(clock).outbox,
        shardOf: () => (shard += 1),
        put: async (_, __, packs) => puts.push(packs.flatMap(keysOf)) > 0,
      },
    });
    await clock.run(Promise.all(["first", "a", "b", "c"].map((key) => normal.add(item(key)))));
    expect(puts).toEqual([["first"], ["a", "b", "c"]]);
  });
});

describe("events of one moment", () => {
  it("go in one call, as few packs as their size allows, each within a message's bound", async () => {
    const commits = commitsWith("on-failure", "takes", "takes");
    const keys = Array.from({ length: 21 }, (_, index) => `k${index}`);
    const body = new Uint8Array(8_000);
    await clock.run(Promise.all(keys.map((key) => commits.normal.add(item(key, body)))));
    expect(calls.map(({ packs }) => packs.map((pack) => keysOf(pack).length))).toEqual([
      [1],
      [7, 7, 6],
    ]);
    expect(calls.flatMap(({ packs }) => packs.flatMap(keysOf))).toEqual(keys);
    for (const pack of calls.flatMap(({ packs }) => packs)) {
      expect(pack.length).toBeLessThanOrEqual(PACK_BYTES_MAX);
    }
  });

  it("of different priorities do not wait for each other", async () => {
    const commits = commitsWith("on-failure", "hangs", "takes");
    void commits.bulk.add(item("bulk"));
    void commits.critical.add(item("critical"));
    await clock.advance(0);
    expect(calls.map(({ priority }) => priority)).toEqual(["bulk", "critical"]);
    await clock.advance(QUEUE_SEND_TIMEOUT_MS);
  });

  it("are all refused when neither store takes their commit, and those after them are not", async () => {
    let isDown = true;
    const commits = createCommits("on-failure", {
      clock,
      log,
      text: platformText,
      queues: {
        send: () => (isDown ? Promise.reject(new Error("down")) : Promise.resolve()),
        metrics: () => Promise.reject(new Error("not used here")),
      },
      outbox: {
        ...createWorld(clock).outbox,
        put: () => Promise.reject(new Error("down too")),
      },
    });
    const ended = await clock.run(
      Promise.allSettled(["a", "b", "c"].map((key) => commits.normal.add(item(key)))),
    );
    expect(ended.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    isDown = false;
    await expect(clock.run(commits.normal.add(item("d")))).resolves.toBeUndefined();
  });
});
