/** Making events durable: which store is asked first, for how long, and when nobody took them. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, isParcel, type PackItem } from "../../src/core/enqueue/pack.ts";
import {
  OUTBOX_PUT_TIMEOUT_MS,
  PACK_BYTES_MAX,
  QUEUE_SEND_TIMEOUT_MS,
} from "../../src/core/limits.ts";
import type { Priority } from "../../src/core/priority.ts";
import { createCommits, type OutboxMode } from "../../src/flows/enqueue.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { frameOf } from "../support/memory-records.ts";
import { createMemoryLog, type MemoryLog } from "../support/memory-system.ts";

type Behaviour = "takes" | "refuses" | "throws" | "hangs";
type Store = "queue" | "outbox";

interface Call {
  readonly store: Store;
  readonly priority: Priority;
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
    (priority: Priority, packs: readonly Uint8Array[]): Promise<void> => {
      calls.push({ store: name, priority, packs, atMs: clock.nowMs() });
      if (behaviour === "throws") throw new Error(`${name} is not bound`);
      if (behaviour === "hangs") return new Promise(() => {});
      return behaviour === "takes"
        ? Promise.resolve()
        : Promise.reject(new Error(`${name} is full`));
    };
  const nothing = (): never => {
    throw new Error("not used here");
  };
  return createCommits(mode, {
    clock,
    log,
    text: platformText,
    queues: { send: store("queue", queue), metrics: nothing },
    outbox: { put: store("outbox", outbox), settled: nothing, recover: nothing, state: nothing },
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

const OTHER: Record<Store, Store> = { queue: "outbox", outbox: "queue" };
const TIMEOUT: Record<Store, number> = {
  queue: QUEUE_SEND_TIMEOUT_MS,
  outbox: OUTBOX_PUT_TIMEOUT_MS,
};

describe.each<[OutboxMode, Store]>([
  ["on-failure", "queue"],
  ["always", "outbox"],
])("outbox %s", (mode, first) => {
  const second = OTHER[first];
  const commits = (behaviours: Record<Store, Behaviour>) =>
    commitsWith(mode, behaviours.queue, behaviours.outbox).critical;
  const both = (ofFirst: Behaviour, ofSecond: Behaviour): Record<Store, Behaviour> =>
    first === "queue" ? { queue: ofFirst, outbox: ofSecond } : { queue: ofSecond, outbox: ofFirst };
  const asked = (): Store[] => calls.map(({ store }) => store);

  it(`asks the ${first} and, when it takes the event, nobody else`, async () => {
    await clock.run(commits(both("takes", "takes")).add(item("a")));
    expect(asked()).toEqual([first]);
    expect(calls[0]).toMatchObject({ priority: "critical", atMs: 0 });
    expect(keysOf(calls[0]?.packs[0])).toEqual(["a"]);
    expect(log.lines).toEqual([]);
  });

  it.each<Behaviour>(["refuses", "throws"])(
    `asks the ${second} at once when the ${first} %s`,
    async (behaviour) => {
      await clock.run(commits(both(behaviour, "takes")).add(item("a")));
      expect(calls.map(({ store, atMs }) => [store, atMs])).toEqual([
        [first, 0],
        [second, 0],
      ]);
      expect(calls[1]?.packs).toEqual(calls[0]?.packs);
      expect(log.of("first-store-failed")).toMatchObject([{ mode, priority: "critical" }]);
    },
  );

  it(`asks the ${second} when the ${first} hangs, after its own time`, async () => {
    await clock.run(commits(both("hangs", "takes")).add(item("a")));
    expect(calls.map(({ store, atMs }) => [store, atMs])).toEqual([
      [first, 0],
      [second, TIMEOUT[first]],
    ]);
  });

  it.each<[Behaviour, Behaviour]>([
    ["refuses", "refuses"],
    ["refuses", "throws"],
    ["refuses", "hangs"],
    ["hangs", "refuses"],
    ["hangs", "hangs"],
  ])("refuses the event when one %s and the other %s", async (ofFirst, ofSecond) => {
    await expect(clock.run(commits(both(ofFirst, ofSecond)).add(item("a")))).rejects.toThrow(
      new RegExp(second),
    );
    const waited = ofFirst === "hangs" ? TIMEOUT[first] : 0;
    expect(clock.nowMs()).toBe(waited + (ofSecond === "hangs" ? TIMEOUT[second] : 0));
  });

  it("leaves no timer armed", async () => {
    await clock.run(commits(both("takes", "takes")).add(item("a")));
    await clock.run(commits(both("refuses", "takes")).add(item("b")));
    expect(clock.armed).toBe(0);
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
        put: () => Promise.reject(new Error("down too")),
        settled: () => Promise.resolve(),
        recover: () => Promise.resolve(),
        state: () => Promise.reject(new Error("not used here")),
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
