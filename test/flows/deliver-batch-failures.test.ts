/** A batch while something fails: what is not written down is not acknowledged, nor lost. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  ARCHIVE_WAIT_MS,
  BACKOFF_SECONDS_MAX,
  LEASE_SECONDS,
  MESSAGE_ATTEMPTS_MAX,
  PROBE_PAUSE_MS,
} from "../../src/core/limits.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { createProbe } from "../../src/flows/probe.ts";
import { boundTo, frameOf, packOf, recordOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import {
  consume,
  down,
  messageOf,
  messageOfItems,
  messageWith,
  rowOf,
  statesOf,
} from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", { targets: { pager: {}, mail: {} } });
});

const twoEvents = () => [
  messageWith({ key: "a", to: ["pager"] }),
  messageWith({ key: "b", to: ["mail"] }),
];

describe("without the ledger", () => {
  it("nothing is attempted, and every message comes again, later each time", async () => {
    const batch = [
      messageWith({ key: "a", to: ["pager"] }),
      messageOf(messageWith({ key: "b", to: ["mail"] }).body, 4),
    ];
    const broken = { ledger: { ...world.ledger, claim: down } };
    expect(await consume(world, "normal", batch, broken)).toEqual([5, 40]);
    expect(world.transport.sent).toEqual([]);
    expect(world.archive.objects.size).toBe(0);
    expect(world.log.of("batch-failed")).toMatchObject([{ role: "normal" }]);
  });

  it("one batch in five seconds asks for it, and the others come again without", async () => {
    let asked = 0;
    const claim = (): Promise<never> => {
      asked += 1;
      return down();
    };
    const ledger = { ...world.ledger, claim };
    const ledgerProbe = createProbe(world.clock);
    const attempt = () => consume(world, "normal", twoEvents(), { ledger, ledgerProbe });
    for (let seconds = 0; seconds < 20; seconds += 1) {
      expect(await attempt()).toEqual([5, 5]);
      await world.clock.advance(1_000);
    }
    expect(asked).toBe(20_000 / PROBE_PAUSE_MS);
    const working = { ledger: world.ledger, ledgerProbe };
    await world.clock.advance(PROBE_PAUSE_MS);
    expect(await consume(world, "normal", twoEvents(), working)).toEqual(["ack", "ack"]);
    expect(await consume(world, "normal", twoEvents(), working)).toEqual(["ack", "ack"]);
  });

  it("for an hour, nothing counts as an attempt or becomes a dead letter, and all is delivered after", async () => {
    const broken = { ledger: { ...world.ledger, claim: down } };
    const priorities = ["critical", "normal", "bulk"] as const;
    for (const priority of priorities) {
      await world.queues.send(priority, [
        packOf({ content: frameOf({ key: priority, to: [boundTo("pager", priority)] }) }),
      ]);
    }
    const work = async (ports: Partial<DeliverPorts>) => {
      for (const priority of priorities) {
        const { deliver } = createIsolate(world, { broken: ports });
        await world.clock.run(deliverBatch(priority, world.queues.take(priority, 10), deliver));
      }
      await world.clock.advance(10_000);
    };
    for (let tens = 0; tens < 360; tens += 1) await work(broken);
    expect(world.transport.sent).toEqual([]);
    expect(world.ledger.deliveries.size).toBe(0);
    for (let tens = 0; tens < 13; tens += 1) await work({});
    const rows = [...world.ledger.deliveries.values()];
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(row).toMatchObject({ state: "delivered", attempts: 1 });
  });

  it.each([
    ["normal", "normal"],
    ["dead", "bulk"],
  ] as const)(
    "a message of the queue %s that was tried too often is sent anew",
    async (from, to) => {
      const message = messageOf(messageWith({ to: ["pager"] }).body, MESSAGE_ATTEMPTS_MAX);
      const broken = { ledger: { ...world.ledger, claim: down } };
      expect(await consume(world, from, [message], broken)).toEqual(["ack"]);
      const [renewed] = world.queues.kept[to].values();
      expect(renewed?.body).toEqual(message.body);
      expect(renewed?.visibleAtMs).toBe(world.clock.nowMs() + BACKOFF_SECONDS_MAX * 1_000);
    },
  );

  it("a message that cannot be sent anew is not acknowledged either", async () => {
    const message = messageOf(messageWith({ to: ["pager"] }).body, MESSAGE_ATTEMPTS_MAX);
    world.queues.refuses = true;
    const broken = { ledger: { ...world.ledger, claim: down } };
    expect(await consume(world, "normal", [message], broken)).toEqual([BACKOFF_SECONDS_MAX]);
  });

  it("for a settle, what was sent is not acknowledged", async () => {
    const broken = { ledger: { ...world.ledger, settle: down } };
    expect(await consume(world, "normal", twoEvents(), broken)).toEqual([5, 5]);
    expect(world.transport.sent).toHaveLength(2);
    expect(world.ledger.deliveries.size).toBe(0);
  });

  it("for a moment, a settle is written by its next try", async () => {
    let tries = 0;
    const { ledger } = world;
    const settle: typeof ledger.settle = (...parameters) => {
      tries += 1;
      return tries < 3 ? down() : ledger.settle(...parameters);
    };
    const broken = { ledger: { ...ledger, settle } };
    expect(await consume(world, "normal", twoEvents(), broken)).toEqual(["ack", "ack"]);
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "delivered" });
  });

  it("to close a target, the answer 410 still makes a dead letter", async () => {
    world.transport.answer = () => response(410);
    const broken = { ledger: { ...world.ledger, disableTarget: down } };
    const answers = await consume(world, "normal", [messageWith({ to: ["pager"] })], broken);
    expect(answers).toEqual(["ack"]);
    expect(rowOf(world, {}, "pager")?.state).toBe("dead");
    expect(world.log.of("target-not-disabled")).toHaveLength(1);
  });
});

describe("with a claim that is no longer held", () => {
  it("a settle is refused, and the message comes again", async () => {
    world.transport.answer = async () => {
      // Another consumer took over meanwhile: this one's token fences nothing any more.
      for (const row of world.ledger.events.values()) row.token = "another";
      return response(200);
    };
    expect(await consume(world, "normal", [messageWith({ to: ["pager"] })])).toEqual([5]);
    expect(world.ledger.deliveries.size).toBe(0);
    expect(world.log.of("settle-refused")).toMatchObject([{ count: 1 }]);
  });
});

describe("without the archive", () => {
  const broken = () => ({ archive: { ...world.archive, put: down } });

  it("what is delivered is settled, and its message comes again until its bytes are kept", async () => {
    for (const archive of [broken(), broken()]) {
      expect(await consume(world, "normal", twoEvents(), archive)).toEqual([5, 5]);
      expect(statesOf(world)).toEqual({ pager: "delivered", mail: "delivered" });
    }
    expect(await consume(world, "normal", twoEvents())).toEqual(["ack", "ack"]);
    expect(world.transport.sent).toHaveLength(2);
    for (const { pointer } of world.ledger.events.values()) {
      expect(await world.archive.frame(pointer)).not.toBeNull();
    }
  });

  it("the message of what was delivered waits for the lease's end when that cannot be given back", async () => {
    const ledger = { ...world.ledger, giveBack: down };
    expect(await consume(world, "normal", twoEvents(), { ...broken(), ledger })).toEqual([
      ...[LEASE_SECONDS + 1, LEASE_SECONDS + 1],
    ]);
    expect(world.log.of("lease-kept")).toHaveLength(1);
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    expect(await consume(world, "normal", twoEvents())).toEqual(["ack", "ack"]);
    expect(world.transport.sent).toHaveLength(2);
    for (const { pointer } of world.ledger.events.values()) {
      expect(await world.archive.frame(pointer)).not.toBeNull();
    }
  });

  it("that hangs, what is delivered waits a moment for its bytes, not for every try", async () => {
    const startedAtMs = world.clock.nowMs();
    const put = (): Promise<void> => new Promise(() => {});
    const archive = { ...world.archive, put };
    expect(await consume(world, "normal", twoEvents(), { archive })).toEqual([5, 5]);
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "delivered" });
    expect(world.clock.nowMs() - startedAtMs).toBeLessThan(2 * ARCHIVE_WAIT_MS);
  });

  it("what must be tried again is not promised by the ledger: its message comes again", async () => {
    world.transport.answer = ({ url }) => response(url.includes("mail") ? 500 : 200);
    expect(await consume(world, "normal", twoEvents(), broken())).toEqual([5, 5]);
    expect(statesOf(world)).toEqual({ pager: "delivered" });
    expect(world.queues.kept.normal.size).toBe(0);
  });

  it("nothing is recorded as unmatched, dead or handed on either", async () => {
    world.transport.answer = () => response(410);
    const batch = [
      messageWith({ key: "a" }),
      messageWith({ key: "b", to: ["pager"] }),
      messageWith({ key: "c", to: [{ rule: "orders", target: "mail", priority: "bulk" }] }),
      messageWith({ key: "d", to: ["deleted"] }),
    ];
    expect(await consume(world, "normal", batch, broken())).toEqual([5, 5, 5, 5]);
    expect(world.ledger.deliveries.size).toBe(0);
  });

  it("a message that comes again does not take the bytes from what was settled before", async () => {
    world.transport.answer = () => response(500);
    const batch = () => [messageWith({ to: ["pager"] })];
    await consume(world, "normal", batch());
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    expect(await consume(world, "normal", batch(), broken())).toEqual(["ack"]);
    const [due] = await world.ledger.due(3_600_000, 1);
    if (due === undefined) throw new Error("nothing is owed");
    expect(await world.archive.frame(due.pointer)).not.toBeNull();
  });

  it("that refuses is asked three times", async () => {
    let tries = 0;
    const put = (): Promise<void> => {
      tries += 1;
      return down();
    };
    await consume(world, "normal", [messageWith({})], { archive: { ...world.archive, put } });
    expect(tries).toBe(3);
    expect(world.log.of("archive-failed")).toHaveLength(1);
  });

  it("a consumer that dies leaves no message that is done and not archived", async () => {
    const batch = () => [messageWith({ to: ["pager"] })];
    const dead = { ...broken(), ledger: { ...world.ledger, giveBack: down } };
    await consume(world, "normal", batch(), dead);
    expect(statesOf(world)).toEqual({ pager: "delivered" });
    const before = await consume(world, "normal", batch());
    expect(before).toEqual([expect.any(Number)]);
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    // Of the next one the claim's answer is lost: its place is never filled.
    const claim: typeof world.ledger.claim = async (request) => {
      await world.ledger.claim(request);
      return down();
    };
    const lost = { ledger: { ...world.ledger, claim } };
    expect(await consume(world, "normal", batch(), lost)).toEqual([5]);
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    expect(await consume(world, "normal", batch())).toEqual(["ack"]);
    expect(world.transport.sent).toHaveLength(1);
    for (const { pointer } of world.ledger.events.values()) {
      expect(await world.archive.frame(pointer)).not.toBeNull();
    }
  });

  it("a body that rests there is tried again, and a message that cannot be kept is not lost", async () => {
    const { id, receipt, tenant } = recordOf();
    const pointer = { segment: "acme/big/1", offset: 0, length: 9 };
    const big = messageOfItems({ content: { pointer, id, receipt, tenant } });
    const poison = messageOf(Uint8Array.of(9));
    const answers = await consume(world, "normal", [big, poison], {
      archive: { ...world.archive, meta: down, putPoison: down },
    });
    expect(answers).toEqual([5, 5]);
  });

  it("a body that cannot be read is no attempt: the target is not to blame", async () => {
    const frame = frameOf({ to: ["pager"] }, "x".repeat(100));
    const pointer = { segment: "acme/big/1", offset: 0, length: frame.bytes.length };
    await world.archive.put(pointer.segment, [frame.bytes]);
    const { id, receipt, tenant } = frame.record;
    const message = messageOfItems({ content: { pointer, id, receipt, tenant } });
    const archive = { ...world.archive, stream: down };
    expect(await consume(world, "normal", [message], { archive })).toEqual([5]);
    expect(rowOf(world, {}, "pager")).toBeUndefined();
    expect(world.transport.sent).toEqual([]);
  });
});

describe("without the queue", () => {
  it("a retry is left to the ledger, and the message is acknowledged", async () => {
    world.transport.answer = () => response(500);
    const broken = { queues: { ...world.queues, send: down } };
    const answers = await consume(world, "normal", [messageWith({ to: ["pager"] })], broken);
    expect(answers).toEqual(["ack"]);
    expect(rowOf(world, {}, "pager")).toMatchObject({ state: "retrying" });
    expect(world.log.of("send-again-failed")).toHaveLength(1);
  });
});

describe("without the tenant's configuration", () => {
  it("nothing is attempted or cancelled, and the messages come again", async () => {
    const directory = { get: down, at: down, refresh: down, forget: () => {} };
    expect(await consume(world, "normal", twoEvents(), { directory })).toEqual([5, 5]);
    expect(world.transport.sent).toEqual([]);
    // Nothing stays claimed: they need not wait for the end of a lease.
    for (const { leaseUntilMs } of world.ledger.events.values()) expect(leaseUntilMs).toBe(0);
    expect(world.ledger.events.size).toBe(2);
    expect(world.ledger.deliveries.size).toBe(0);
  });
});

describe("without the limiter", () => {
  it("a target that answers 410 is closed all the same", async () => {
    world.transport.answer = () => response(410);
    const broken = { limiter: { ...world.limiter, announce: down } };
    await consume(world, "normal", [messageWith({ to: ["pager"] })], broken);
    expect((await world.tenants.load("acme"))?.targets.get("pager")?.closed).toBe("disabled");
  });
});

describe("a queue that throws on ack", () => {
  it("does not keep the others from being answered", async () => {
    const [first, second] = twoEvents();
    if (first === undefined || second === undefined) throw new Error("there are two");
    const broken = {
      ...first,
      ack() {
        first.ack();
        throw new Error("connection lost");
      },
    };
    expect(await consume(world, "normal", [broken, second])).toEqual(["ack", "ack"]);
  });
});
