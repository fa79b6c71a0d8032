/** A shard of the outbox: how it hands on what it keeps to a queue that is busy, refuses or hangs. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, encodePack } from "../../src/core/enqueue/pack.ts";
import { OUTBOX_RESEND_MS, QUEUE_SEND_TIMEOUT_MS } from "../../src/core/limits.ts";
import { PRIORITIES, type Priority, QUEUES, type QueueName } from "../../src/core/priority.ts";
import { createOutboxShard, type OutboxShard } from "../../src/flows/outbox-shard.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { createMemoryOutboxRows, type MemoryOutboxRows } from "../support/memory-outbox.ts";
import { createMemoryLog, type MemoryLog } from "../support/memory-system.ts";

const EMPTY = encodePack({ origin: null, items: [] }, platformText);

interface Send {
  readonly priority: QueueName;
  readonly rows: readonly number[];
}

let clock: FakeClock;
let log: MemoryLog;
let rows: MemoryOutboxRows;
let sends: Send[];
let queue: (send: Send) => Promise<void>;
let shard: OutboxShard;
let paused: () => Promise<ReadonlySet<QueueName>>;

function start(): void {
  shard = createOutboxShard({
    clock,
    log,
    rows,
    text: platformText,
    pausedQueues: () => paused(),
    defer: (work) => void work.catch(() => {}),
    queues: {
      send(priority, packs) {
        const numbers = packs.map((pack) => {
          const decoded = decodePack(pack, platformText);
          return decoded.ok ? (decoded.pack.origin?.row ?? 0) : 0;
        });
        sends.push({ priority, rows: numbers });
        return queue({ priority, rows: numbers });
      },
    },
  });
}

beforeEach(() => {
  clock = createFakeClock(0);
  log = createMemoryLog();
  rows = createMemoryOutboxRows();
  sends = [];
  queue = async () => {};
  paused = async () => new Set();
  start();
});

const put = (priority: Priority = "normal") => clock.run(shard.put(0, priority, [EMPTY]));

/** Rings the armed alarm at its time, as often as one is armed, until `untilMs`. */
async function ring(untilMs: number): Promise<void> {
  for (let at = rows.armedMs; at !== null && at <= untilMs; at = rows.armedMs) {
    await clock.advance(at - clock.nowMs());
    rows.disarm();
    await clock.run(shard.relay());
  }
}

describe("what a shard keeps", () => {
  it("is handed on at once, and what comes meanwhile goes together with the next", async () => {
    let answer = (): void => {};
    queue = () => new Promise((resolve) => (answer = resolve));
    for (let count = 0; count < 4; count += 1) await put();
    expect(sends.map((send) => send.rows)).toEqual([[1]]);
    answer();
    await clock.advance(0);
    expect(sends.map((send) => send.rows)).toEqual([[1], [2, 3, 4]]);
  });

  it("of one priority does not wait for another's send", async () => {
    queue = ({ priority }) => (priority === "bulk" ? new Promise(() => {}) : Promise.resolve());
    await put("bulk");
    await put("critical");
    expect(sends.map(({ priority }) => priority)).toEqual(["bulk", "critical"]);
  });

  it("stays for good while nobody settles it, and is sent again each time", async () => {
    await put();
    await ring(10 * OUTBOX_RESEND_MS);
    expect(sends.length).toBeGreaterThanOrEqual(10);
    expect(shard.state().rows).toBe(1);
    shard.settled([1]);
    sends = [];
    await ring(20 * OUTBOX_RESEND_MS);
    expect(sends).toEqual([]);
    expect(rows.armedMs).toBeNull();
  });
});

describe("a queue that hangs", () => {
  it("is given up after its time, and what waits behind the hung send goes out soon after", async () => {
    queue = () => new Promise(() => {});
    await put();
    await put();
    queue = async () => {};
    await clock.advance(QUEUE_SEND_TIMEOUT_MS);
    await ring(20_000);
    expect(
      sends
        .slice(1)
        .flatMap((send) => send.rows)
        .sort(),
    ).toEqual([1, 2]);
    expect(log.of("outbox-send-failed")).toHaveLength(1);
  });
});

describe("a queue that refuses for ten minutes", () => {
  const OUTAGE_MS = 600_000;

  it("is asked by one send in five seconds, and gets everything afterwards, the most urgent first", async () => {
    queue = () => Promise.reject(new Error("Queue is overloaded. Please back off."));
    for (let at = 0; at < OUTAGE_MS; at += 5_000) {
      for (const priority of [...PRIORITIES].reverse()) await put(priority);
      await clock.advance(2_500);
      await ring(at + 5_000);
      await clock.advance(Math.max(0, at + 5_000 - clock.nowMs()));
    }
    const kept = shard.state().rows;
    expect(kept).toBe((3 * OUTAGE_MS) / 5_000);
    expect(sends.length).toBeLessThanOrEqual(OUTAGE_MS / 5_000 + 1);

    queue = async () => {};
    sends = [];
    await ring(OUTAGE_MS + 60_000);
    const order = sends.flatMap((send) => send.rows.map(() => send.priority));
    expect(order).toHaveLength(kept);
    expect(order).toEqual(order.toSorted((a, b) => QUEUES.indexOf(a) - QUEUES.indexOf(b)));
  });
});

describe("an alarm", () => {
  it("that rings twice at once sends nothing twice, however long the first send takes", async () => {
    await put("bulk");
    await put("critical");
    sends = [];
    await clock.advance(OUTBOX_RESEND_MS);
    queue = () => clock.timer(QUEUE_SEND_TIMEOUT_MS / 2).elapsed;
    await clock.run(Promise.all([shard.relay(), shard.relay()]));
    expect(sends.map(({ priority }) => priority)).toEqual(["critical", "bulk"]);
  });

  it("that rings before anything is due looks at the rows once: to find out, it reads them all", async () => {
    await put();
    const looks = [vi.spyOn(rows, "nextDueMs"), vi.spyOn(rows, "due")];
    await clock.run(shard.relay());
    expect(looks.map(({ mock }) => mock.calls.length)).toEqual([1, 0]);
    expect(rows.armedMs).toBe(OUTBOX_RESEND_MS);
  });

  it("never throws, whatever the storage does, and the next call goes on", async () => {
    await put();
    await clock.advance(OUTBOX_RESEND_MS);
    const due = rows.due;
    rows.due = () => {
      throw new Error("disk I/O error");
    };
    await expect(clock.run(shard.relay())).resolves.toBe(0);
    expect(log.of("outbox-relay-failed")).toHaveLength(1);
    rows.due = due;
    expect(await clock.run(shard.relay())).toBe(1);
  });

  it("is armed again by a shard that starts with rows and no memory of its own", async () => {
    await put();
    rows.disarm();
    start();
    await put();
    expect(rows.armedMs).toBe(OUTBOX_RESEND_MS);
  });
});

describe("packs of a paused queue", () => {
  it("are sent once, no copies follow, and those of others go on as ever", async () => {
    paused = async () => new Set<QueueName>(["normal"]);
    await put("normal");
    await put("critical");
    await ring(10 * OUTBOX_RESEND_MS);
    expect(sends.filter(({ priority }) => priority === "normal")).toHaveLength(1);
    expect(sends.filter(({ priority }) => priority === "critical").length).toBeGreaterThan(5);
  });

  it("are sent again once it is resumed: the queue may have lost them", async () => {
    paused = async () => new Set<QueueName>(["normal"]);
    await put("normal");
    await ring(3 * OUTBOX_RESEND_MS);
    paused = async () => new Set();
    await ring(5 * OUTBOX_RESEND_MS);
    expect(sends.length).toBeGreaterThan(1);
  });

  it.each([
    ["refuses", () => Promise.reject(new Error("down"))],
    ["hangs", () => new Promise<never>(() => {})],
  ])("are sent again, copies too, while the ledger %s that knows of it", async (_, asked) => {
    paused = asked;
    await put("normal");
    await ring(3 * OUTBOX_RESEND_MS);
    await clock.advance(OUTBOX_RESEND_MS);
    expect(sends.length).toBeGreaterThan(1);
  });
});
