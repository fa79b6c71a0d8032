/** A shard of the outbox: what it keeps, what it sends, and when it forgets. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { createOutbox } from "../../src/adapters/outbox.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { decodePack, encodePack, type Origin } from "../../src/core/enqueue/pack.ts";
import { OUTBOX_RESEND_MS, OUTBOX_ROWS_MAX } from "../../src/core/limits.ts";

/** The runtime goes by its own clock: an alarm from here on never rings by itself. */
const NOW_MS = Date.UTC(2100, 0, 1);

/** What the queue was sent, and whether it takes anything; no consumer ever sees it. */
const queue = { sent: [] as Uint8Array[], refuses: false };

const take = async (bodies: Uint8Array[]): Promise<never> => {
  if (queue.refuses) throw new Error("the queue is down");
  queue.sent.push(...bodies);
  return undefined as never;
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW_MS });
  queue.sent = [];
  queue.refuses = false;
  vi.spyOn(env.QUEUE_NORMAL, "send").mockImplementation((body) => take([body]));
  vi.spyOn(env.QUEUE_NORMAL, "sendBatch").mockImplementation((batch) =>
    take([...batch].map(({ body }) => body)),
  );
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const EMPTY = encodePack({ origin: null, items: [] }, platformText);

let shards = 0;
function freshShard() {
  shards += 1;
  const stub = env.OUTBOX_SHARD.getByName(`test-${shards}`);
  return {
    stub,
    put: (count: number) => stub.put(3, "normal", Array<Uint8Array>(count).fill(EMPTY)),
    rows: async () => (await stub.state()).rows,
    /** When the alarm rings, in milliseconds from `NOW_MS`; null when none is armed. */
    alarmMs: () =>
      runInDurableObject(stub, async (_, { storage }) => {
        const alarm = await storage.getAlarm();
        return alarm === null ? null : alarm - NOW_MS;
      }),
    async alarmAt(ms: number) {
      vi.setSystemTime(NOW_MS + ms);
      expect(await runDurableObjectAlarm(stub)).toBe(true);
    },
  };
}

/** The rows that the sent messages name, in their order. */
const origins = (): (Origin | null)[] =>
  queue.sent.map((body) => {
    const decoded = decodePack(body, platformText);
    if (!decoded.ok) throw new Error(decoded.reason);
    return decoded.pack.origin;
  });

const sentRows = () => vi.waitFor(() => (queue.sent.length > 0 ? origins() : Promise.reject()));

describe("a shard", () => {
  it("keeps what it is given and sends it at once, each message naming its row", async () => {
    const { put, rows } = freshShard();
    expect(await put(2)).toBe(true);
    expect(await sentRows()).toEqual([
      { shard: 3, row: 1 },
      { shard: 3, row: 2 },
    ]);
    expect(await rows()).toBe(2);
  });

  it("forgets what is settled, and only that", async () => {
    const { stub, put, rows } = freshShard();
    await put(3);
    await sentRows();
    await stub.settled([1, 3, 99]);
    await stub.settled([1]);
    expect(await rows()).toBe(1);
    queue.sent = [];
    await stub.recover();
    expect(origins()).toEqual([{ shard: 3, row: 2 }]);
  });

  it("sends again what is not settled in time, as often as it takes", async () => {
    const { stub, put, rows, alarmAt } = freshShard();
    await put(2);
    await sentRows();
    await stub.settled([2]);
    for (const round of [1, 2]) {
      queue.sent = [];
      await alarmAt(round * OUTBOX_RESEND_MS);
      expect(origins()).toEqual([{ shard: 3, row: 1 }]);
    }
    expect(await rows()).toBe(1);
  });

  it("sends nothing again before its time, nor once all is settled", async () => {
    const { stub, put, alarmAt, alarmMs } = freshShard();
    await put(1);
    await sentRows();
    queue.sent = [];
    await alarmAt(OUTBOX_RESEND_MS - 1);
    expect(queue.sent).toEqual([]);
    await stub.settled([1]);
    await alarmAt(OUTBOX_RESEND_MS);
    expect(queue.sent).toEqual([]);
    expect(await alarmMs()).toBeNull();
  });

  it("never arms an alarm for this very moment, which would lose it", async () => {
    const { stub, put, alarmAt, alarmMs } = freshShard();
    await put(70); // more than one pass sends
    await vi.waitFor(() => expect(queue.sent).toHaveLength(70));
    queue.sent = [];
    await stub.recover();
    expect(queue.sent.length).toBeLessThan(70);
    expect(await alarmMs()).toBeGreaterThan(0);
    await alarmAt(1_000);
    expect(new Set(origins().map((origin) => origin?.row)).size).toBe(70);
  });

  it("that is full refuses and keeps nothing of what it refused", async () => {
    const { stub, put, rows } = freshShard();
    await put(1);
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec(
        `INSERT INTO kept_packs (shard, priority, pack, created_at, resend_at)
         SELECT 3, 'normal', x'00', 0, 9e15 FROM (
           WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
           SELECT i FROM n)`,
        OUTBOX_ROWS_MAX - 2,
      );
    });
    await evictDurableObject(stub); // so that it counts its rows
    expect(await put(2)).toBe(false);
    expect(await rows()).toBe(OUTBOX_ROWS_MAX - 1);
    expect(await put(1)).toBe(true);
    expect(await put(1)).toBe(false);
    await stub.settled([1]);
    expect(await put(1)).toBe(true);
  });

  it("keeps its rows and its alarm through an eviction", async () => {
    const { stub, put, rows, alarmAt } = freshShard();
    await put(2);
    await sentRows();
    await evictDurableObject(stub);
    expect(await rows()).toBe(2);
    queue.sent = [];
    await alarmAt(OUTBOX_RESEND_MS);
    expect(origins()).toHaveLength(2);
  });

  it("keeps, sends and forgets what was kept before its rows had the pack last", async () => {
    const { stub, put, rows } = freshShard();
    await put(1);
    await sentRows();
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec(`CREATE TABLE IF NOT EXISTS packs (
        id INTEGER PRIMARY KEY, shard INTEGER NOT NULL, priority TEXT NOT NULL,
        pack BLOB NOT NULL, created_at INTEGER NOT NULL, resend_at INTEGER NOT NULL)`);
      storage.sql.exec("INSERT INTO packs VALUES (2000, 3, 'normal', ?1, 0, 9e15)", EMPTY);
    });
    await evictDurableObject(stub);
    expect(await stub.state()).toMatchObject({ rows: 2, oldestMs: 0 });
    await put(1);
    await vi.waitFor(() => expect(queue.sent).toHaveLength(2));
    queue.sent = [];
    await stub.recover();
    expect(origins().map((origin) => origin?.row)).toEqual([1, 2000, 2001]);
    await stub.settled([1, 2000]);
    await evictDurableObject(stub);
    expect(await rows()).toBe(1);
    const tables = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name LIKE '%packs'").toArray(),
    );
    expect(tables).toEqual([{ name: "kept_packs" }]);
  });

  it("does not give a settled row's number to another, so that a late settle strikes off nothing", async () => {
    const { stub, put, rows } = freshShard();
    await put(1);
    await stub.settled([1]);
    await evictDurableObject(stub);
    await put(1);
    await stub.settled([1]);
    expect(await rows()).toBe(1);
  });
});

describe("a queue that refuses", () => {
  it("is tried again soon, not only when a settle is overdue", async () => {
    const { put, rows, alarmMs, alarmAt } = freshShard();
    queue.refuses = true;
    expect(await put(1)).toBe(true);
    const soonMs = await vi.waitFor(async () => {
      const armed = await alarmMs();
      expect(armed).toBeLessThan(OUTBOX_RESEND_MS / 10);
      return armed ?? 0;
    });
    queue.refuses = false;
    await alarmAt(soonMs);
    expect(origins()).toEqual([{ shard: 3, row: 1 }]);
    expect(await rows()).toBe(1);
  });

  it("during an alarm loses nothing: the alarm ends well and another is armed", async () => {
    const { put, alarmAt, alarmMs, rows } = freshShard();
    await put(1);
    await sentRows();
    queue.refuses = true;
    await alarmAt(OUTBOX_RESEND_MS);
    expect(await rows()).toBe(1);
    const nextMs = (await alarmMs()) ?? 0;
    expect(nextMs).toBeGreaterThan(OUTBOX_RESEND_MS);
    queue.refuses = false;
    queue.sent = [];
    await alarmAt(nextMs);
    expect(origins()).toEqual([{ shard: 3, row: 1 }]);
  });
});

describe("a shard that is woken", () => {
  it("sends what is due although its alarm was lost, and arms a new one", async () => {
    const { stub, put, alarmMs } = freshShard();
    await put(1);
    await sentRows();
    await runInDurableObject(stub, (_, { storage }) => storage.deleteAlarm());
    await evictDurableObject(stub);
    queue.sent = [];
    expect(await stub.wake()).toBe(0);
    expect(await alarmMs()).toBe(OUTBOX_RESEND_MS);
    vi.setSystemTime(NOW_MS + OUTBOX_RESEND_MS);
    expect(await stub.wake()).toBe(1);
    expect(origins()).toEqual([{ shard: 3, row: 1 }]);
  });

  it("arms nothing when it keeps nothing", async () => {
    const { stub, alarmMs } = freshShard();
    expect(await stub.wake()).toBe(0);
    expect(await alarmMs()).toBeNull();
  });
});

describe("the outbox over its shards", () => {
  const outbox = createOutbox(
    env.OUTBOX_SHARD,
    2,
    { unit: () => 0, bytes: () => new Uint8Array() },
    createMeter(),
  );

  it("settles each row in its own shard, wakes all and tells what all keep", async () => {
    expect(await outbox.put(0, "normal", [EMPTY])).toBe(true);
    expect(await outbox.put(1, "normal", [EMPTY, EMPTY])).toBe(true);
    const rowsMax = 2 * OUTBOX_ROWS_MAX;
    expect(await outbox.state()).toEqual({ rows: 3, rowsMax, oldestMs: NOW_MS });
    const sent = await vi.waitFor(() => {
      expect(queue.sent).toHaveLength(3);
      return origins().flatMap((origin) => origin ?? []);
    });
    expect(sent.map(({ shard }) => shard).sort()).toEqual([0, 1, 1]);
    vi.setSystemTime(NOW_MS + OUTBOX_RESEND_MS);
    expect(await outbox.wake()).toBe(3);
    await outbox.settled(sent);
    expect(await outbox.state()).toEqual({ rows: 0, rowsMax, oldestMs: null });
  });

  it("says so when a shard is full, so that nobody takes the events for kept", async () => {
    const full = Array<Uint8Array>(OUTBOX_ROWS_MAX + 1).fill(new Uint8Array());
    expect(await outbox.put(0, "normal", full)).toBe(false);
  });
});
