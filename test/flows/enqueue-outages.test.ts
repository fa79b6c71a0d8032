/** Ingest while a store is out of order for long: who is answered what, when, and what is left behind. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  COMMIT_STALL_MS,
  OUTBOX_PUT_TIMEOUT_MS,
  QUEUE_SEND_TIMEOUT_MS,
} from "../../src/core/limits.ts";
import { type Acceptance, acceptEvent } from "../../src/flows/accept-event.ts";
import { createDirectory } from "../../src/flows/directory.ts";
import { withFaults } from "../support/memory-faults.ts";
import { createIsolate, type Isolate } from "../support/memory-router.ts";
import { createSender, ORDER, type Sender, webhook } from "./sender.ts";

/** What senders wait at most before they give a webhook up (GitHub gives 10 s, Slack 3). */
const PATIENCE_MS = 4_000;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

let sender: Sender;

beforeEach(() => {
  sender = createSender();
});

interface Answered {
  readonly kind: Acceptance["kind"];
  readonly afterMs: number;
}

/** One order each `everyMs`, whatever becomes of those before. */
function sendOrders(count: number, everyMs: number, isolate: Isolate): Promise<Answered[]> {
  const { clock } = sender.world;
  const orders = Array.from({ length: count }, async (_, index): Promise<Answered> => {
    if (index > 0) await clock.timer(index * everyMs).elapsed;
    const startMs = clock.nowMs();
    const order = webhook("acme/named", ORDER, { "x-id": `order-${index}` });
    const { kind } = await acceptEvent(order, isolate.accept);
    return { kind, afterMs: clock.nowMs() - startMs };
  });
  return clock.run(Promise.all(orders));
}

const kinds = (answers: readonly Answered[]) => new Set(answers.map(({ kind }) => kind));
const slowest = (answers: readonly Answered[]) =>
  Math.max(...answers.map(({ afterMs }) => afterMs));
/** `fails` decides over every send, the outbox's own included, before the queue has it. */
function disturbQueue(fails: () => Promise<void>): void {
  const { queues } = sender.world;
  const take = queues.send.bind(queues);
  queues.send = async (...parameters) => {
    await fails();
    return take(...parameters);
  };
}

const keysInQueue = () => sender.recordsIn("normal").map(({ key }) => key);

describe("a send to the queue that hangs for 57 seconds", () => {
  const HANG_MS = 57 * SECOND_MS;
  const ORDERS = 200;
  let answers: Answered[];

  beforeEach(async () => {
    let sends = 0;
    disturbQueue(async () => {
      sends += 1;
      if (sends === 1) await sender.world.clock.timer(HANG_MS).elapsed;
    });
    answers = await sendOrders(ORDERS, 10, sender.isolate);
  });

  it("costs its own sender the queue's time and no more: the outbox takes the event", () => {
    expect(answers[0]).toEqual({ kind: "accepted", afterMs: QUEUE_SEND_TIMEOUT_MS });
    expect(QUEUE_SEND_TIMEOUT_MS + OUTBOX_PUT_TIMEOUT_MS).toBeLessThan(PATIENCE_MS);
    expect(sender.world.log.of("queue-refused")).toMatchObject([{ events: 1 }]);
    expect(sender.world.outbox.rows.size).toBe(1);
  });

  it("holds up others for no longer than a stall, and those that come after it not at all", () => {
    expect(kinds(answers)).toEqual(new Set(["accepted"]));
    expect(slowest(answers.slice(1))).toBeLessThanOrEqual(COMMIT_STALL_MS);
    const afterStall = answers.slice(1 + COMMIT_STALL_MS / 10);
    expect(slowest(afterStall)).toBe(0);
  });

  it("lands after all: then its event is there twice with one receipt, and every other once", async () => {
    await sender.world.clock.advance(HANG_MS);
    const records = sender.recordsIn("normal");
    expect(records).toHaveLength(ORDERS + 1);
    expect(new Set(keysInQueue()).size).toBe(ORDERS);
    expect(new Set(records.map(({ id, receipt }) => `${id} ${receipt}`)).size).toBe(ORDERS);
  });
});

describe("a queue that refuses for ten minutes", () => {
  const ORDERS = 600;
  let isDown: boolean;
  let answers: Answered[];

  beforeEach(async () => {
    isDown = true;
    disturbQueue(async () => {
      if (isDown) throw new Error("the queue is down");
    });
    answers = await sendOrders(ORDERS, SECOND_MS, sender.isolate);
  });

  it("costs no sender a refusal, nor a wait: the outbox takes every event", () => {
    expect(answers).toEqual(Array(ORDERS).fill({ kind: "accepted", afterMs: 0 }));
    expect(keysInQueue()).toEqual([]);
    expect(sender.world.outbox.rows.size).toBe(ORDERS);
  });

  it("gets every event once it takes messages again", async () => {
    isDown = false;
    const { clock, outbox } = sender.world;
    await clock.advance(MINUTE_MS);
    while ((await clock.run(outbox.wake())) > 0);
    expect(new Set(keysInQueue()).size).toBe(ORDERS);
  });
});

describe("a D1 that fails for an hour", () => {
  const ORDERS = 360;
  let isDown: boolean;
  let calls: string[];
  let isolate: Isolate;

  beforeEach(async () => {
    isDown = false;
    calls = [];
    const { world } = sender;
    const fate = (method: string) => {
      if (isDown) calls.push(method);
      return isDown ? "before" : "none";
    };
    const directory = createDirectory(withFaults(world.tenants, fate), world.clock);
    const ledger = withFaults(world.ledger, fate);
    isolate = createIsolate(world, { broken: { directory, ledger } });
    await sendOrders(1, 0, isolate); // the isolate knows the tenant
    isDown = true;
  });

  it("is neither asked nor noticed by senders of a tenant that the isolate knows", async () => {
    const answers = await sendOrders(ORDERS, 10 * SECOND_MS, isolate);
    expect(answers).toEqual(Array(ORDERS).fill({ kind: "accepted", afterMs: 0 }));
    expect(calls).toEqual([]);
    expect(new Set(keysInQueue()).size).toBe(ORDERS);
  });
});
