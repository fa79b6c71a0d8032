/** One batch of a queue: what is delivered, what is settled, and which messages are acked. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, isParcel } from "../../src/core/enqueue/pack.ts";
import { LEASE_SECONDS } from "../../src/core/limits.ts";
import { boundTo, frameOf, recordOf } from "../support/memory-records.ts";
import { createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import {
  consume,
  dyingClock,
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

const sentTo = (): string[] => world.transport.sent.map(({ url }) => new URL(url).host);

/** What waits in a queue: the events' keys, the deliveries they are for, and when. */
function waitingIn(role: "critical" | "normal" | "bulk") {
  return [...world.queues.kept[role].values()].flatMap(({ body, visibleAtMs }) => {
    const decoded = decodePack(body, platformText);
    if (!decoded.ok) throw new Error(decoded.reason);
    return decoded.pack.items.map(({ content, again }) => ({
      key: isParcel(content) ? content.id : content.record.key,
      again,
      inSeconds: (visibleAtMs - world.clock.nowMs()) / 1_000,
    }));
  });
}

describe("an event", () => {
  it("goes to every target, is settled and archived, and its message is acknowledged", async () => {
    const answers = await consume(world, "normal", [messageWith({ to: ["pager", "mail"] })]);
    expect(answers).toEqual(["ack"]);
    expect(sentTo().toSorted()).toEqual(["mail.example.com", "pager.example.com"]);
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "delivered" });
    const { pointer } = world.ledger.events.get(recordOf().id) ?? {};
    if (pointer === undefined) throw new Error("the event has no row");
    expect(await world.archive.frame(pointer)).toEqual(frameOf({ to: ["pager", "mail"] }));
  });

  it("rests under the hour in which it was received, however late its batch comes", async () => {
    const received = ["2026-01-01T00:59:59.999Z", "2026-01-01T01:00:00.000Z"].map(Date.parse);
    await world.clock.advance(50 * 3_600_000);
    const batch = received.flatMap((receivedAtMs) =>
      ["a", "b"].map((key) => {
        return messageWith({ key: `${key} ${receivedAtMs}`, receivedAtMs, to: ["pager"] });
      }),
    );
    await consume(world, "normal", batch);
    expect([...world.archive.objects.keys()].map((key) => key.slice(0, -26))).toEqual([
      "segments/acme/2026-01-01T00/",
      "segments/acme/2026-01-01T01/",
    ]);
    for (const { pointer } of world.ledger.events.values()) {
      expect(await world.archive.frame(pointer)).not.toBeNull();
    }
  });

  it("that no rule wanted is recorded as unmatched, and nothing is sent", async () => {
    expect(await consume(world, "bulk", [messageWith({})])).toEqual(["ack"]);
    expect(world.transport.sent).toEqual([]);
    expect([...world.ledger.deliveries.values()]).toMatchObject([
      { state: "unmatched", lastError: "no rule matched" },
    ]);
  });

  it("whose message comes again is not delivered again", async () => {
    const sketch = { to: ["pager"] };
    await consume(world, "normal", [messageWith(sketch)]);
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    expect(await consume(world, "normal", [messageWith(sketch)])).toEqual(["ack"]);
    expect(world.transport.sent).toHaveLength(1);
  });

  it("that another consumer works on comes back when its lease ends", async () => {
    const sketch = { to: ["pager", "mail"] };
    const dies = consume(world, "normal", [messageWith(sketch)], {
      clock: dyingClock(world),
      transport: { send: () => new Promise(() => {}) },
    });
    await expect(dies).rejects.toThrow("waits for something");
    world.transport.sent.length = 0;
    expect(await consume(world, "normal", [messageWith(sketch)])).toEqual([LEASE_SECONDS + 1]);
    expect(world.transport.sent).toEqual([]);
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    expect(await consume(world, "normal", [messageWith(sketch)])).toEqual(["ack"]);
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "delivered" });
  });

  it("with another receipt is a duplicate: recorded with its reason, not delivered", async () => {
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    const copy = messageWith({ to: ["pager"], receipt: "rcp_2" });
    expect(await consume(world, "normal", [copy])).toEqual(["ack"]);
    expect(world.transport.sent).toHaveLength(1);
    expect([...world.ledger.duplicates.values()]).toMatchObject([
      { receipt: "rcp_2", reason: "duplicate of rcp_1" },
    ]);
  });

  it("twice in one batch is delivered once, whichever receipt comes first", async () => {
    const batch = [
      messageWith({ to: ["pager"] }),
      messageWith({ to: ["pager"], receipt: "rcp_2" }),
    ];
    expect(await consume(world, "normal", batch)).toEqual(["ack", "ack"]);
    expect(world.transport.sent).toHaveLength(1);
    expect(world.ledger.duplicates.size).toBe(1);
  });

  it("twice in one message is delivered once, and the copy is recorded before it is acknowledged", async () => {
    const contents = ["rcp_1", "rcp_2"].map((receipt) => frameOf({ to: ["pager"], receipt }));
    const message = messageOfItems(...contents.map((content) => ({ content })));
    expect(await consume(world, "normal", [message])).toEqual(["ack"]);
    expect(world.transport.sent).toHaveLength(1);
    expect([...world.ledger.duplicates.values()]).toMatchObject([
      { receipt: "rcp_2", reason: "duplicate of rcp_1" },
    ]);
  });

  it("twice in one batch by one receipt: the copy's message waits for the other's end", async () => {
    const batch = [messageWith({ to: ["pager"] }), messageWith({ to: ["pager"] })];
    expect(await consume(world, "normal", batch)).toEqual(["ack", 2]);
    expect(world.transport.sent).toHaveLength(1);
    expect(await consume(world, "normal", [messageWith({ to: ["pager"] })])).toEqual(["ack"]);
    expect(world.transport.sent).toHaveLength(1);
  });
});

describe("messages that hold the same events in another order", () => {
  it("do not wait for each other: the first is finished, the other comes again", async () => {
    const [a, b] = ["a", "b"].map((key) => ({ content: frameOf({ key, to: ["pager"] }) }));
    if (a === undefined || b === undefined) throw new Error("there are two");
    const batch = [messageOfItems(a, b), messageOfItems(b, a)];
    expect(await consume(world, "normal", batch)).toEqual(["ack", 2]);
    expect(await consume(world, "normal", [messageOfItems(b, a)])).toEqual(["ack"]);
    expect(world.transport.sent).toHaveLength(2);
  });
});

describe("a failed attempt", () => {
  it("is tried again by a delayed message, and settled as retrying first", async () => {
    world.transport.answer = () => response(500);
    expect(await consume(world, "normal", [messageWith({ to: ["pager"] })])).toEqual(["ack"]);
    const row = rowOf(world, {}, "pager");
    expect(row).toMatchObject({ state: "retrying", attempts: 1, lastError: "status 500" });
    const [waiting] = waitingIn("normal");
    expect(waiting).toMatchObject({ again: [{ rule: "orders", target: "pager", attempts: 1 }] });
    expect(waiting?.inSeconds).toBeGreaterThanOrEqual(5);
    expect(waiting?.inSeconds).toBeLessThanOrEqual(6);
  });

  it("is tried alone: what was delivered beside it is not sent again", async () => {
    world.transport.answer = ({ url }) => response(url.includes("mail") ? 500 : 200);
    await consume(world, "normal", [messageWith({ to: ["pager", "mail"] })]);
    world.transport.sent.length = 0;
    world.transport.answer = () => response(200);
    await world.clock.advance(6_000);
    const [message] = world.queues.take("normal", 10);
    if (message === undefined) throw new Error("nothing waits");
    await consume(world, "normal", [messageOf(message.body)]);
    expect(sentTo()).toEqual(["mail.example.com"]);
    expect(rowOf(world, {}, "mail")).toMatchObject({ state: "delivered", attempts: 2 });
    expect(rowOf(world, {}, "mail")?.log.map(({ number }) => number)).toEqual([1, 2]);
  });

  it("whose pause is longer than a message may wait rests in the ledger alone", async () => {
    world.transport.answer = () => response(503, 3_600_000);
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    expect(waitingIn("normal")).toEqual([]);
    expect(rowOf(world, {}, "pager")?.dueAtMs).toBe(world.clock.nowMs() + 3_600_000);
  });

  it("that was the last makes a dead letter, and nothing is sent again", async () => {
    world.tenants.put("acme", { targets: { pager: { retry: { delaysSeconds: [] } } } });
    world.transport.answer = () => response(500);
    expect(await consume(world, "normal", [messageWith({ to: ["pager"] })])).toEqual(["ack"]);
    expect(rowOf(world, {}, "pager")).toMatchObject({
      state: "dead",
      lastError: "status 500; attempts exhausted",
    });
    expect(waitingIn("normal")).toEqual([]);
  });

  it("that was redriven starts its ladder anew, with its attempts counted on", async () => {
    world.tenants.put("acme", { targets: { pager: { retry: { delaysSeconds: [] } } } });
    world.transport.answer = () => response(500);
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    const key = [...world.ledger.deliveries.keys()][0] ?? "";
    world.ledger.redrive(key);
    world.tenants.put("acme", { targets: { pager: { retry: { delaysSeconds: [7] } } } });
    const again = [{ rule: "orders", target: "pager", attempts: 1 }];
    await consume(world, "normal", [
      messageOfItems({ content: frameOf({ to: ["pager"] }), again }),
    ]);
    expect(rowOf(world, {}, "pager")).toMatchObject({ state: "retrying", attempts: 2 });
  });

  it("that two messages of one batch carry is made once, by the newer of them", async () => {
    world.transport.answer = () => response(500);
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    await world.clock.advance(6_000);
    world.transport.sent.length = 0;
    const carrying = (attempts: number) => {
      const again = [{ rule: "orders", target: "pager", attempts }];
      return messageOfItems({ content: frameOf({ to: ["pager"] }), again });
    };
    const batch = [carrying(0), carrying(1), carrying(1), carrying(0)];
    expect(await consume(world, "normal", batch)).toEqual(["ack", "ack", "ack", "ack"]);
    expect(world.transport.sent).toHaveLength(1);
    expect(rowOf(world, {}, "pager")).toMatchObject({ state: "retrying", attempts: 2 });
  });

  it("is not repeated by a message that knows of fewer attempts than were made", async () => {
    world.transport.answer = () => response(500);
    const again = [{ rule: "orders", target: "pager", attempts: 1 }];
    const stale = () => messageOfItems({ content: frameOf({ to: ["pager"] }), again });
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    await world.clock.advance(6_000);
    await consume(world, "normal", [stale()]);
    expect(world.transport.sent).toHaveLength(2);
    expect(await consume(world, "normal", [stale()])).toEqual(["ack"]);
    expect(world.transport.sent).toHaveLength(2);
  });
});

describe("subscriptions of another priority", () => {
  it("are handed on to their own queue, settled as pending first", async () => {
    const to = [boundTo("pager", "critical"), boundTo("mail", "bulk")];
    expect(await consume(world, "critical", [messageWith({ to })])).toEqual(["ack"]);
    expect(sentTo()).toEqual(["pager.example.com"]);
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "pending" });
    expect(waitingIn("bulk")).toEqual([
      { key: "key-1", again: [{ rule: "orders", target: "mail", attempts: 0 }], inSeconds: 0 },
    ]);
  });

  it("are delivered there", async () => {
    const to = [boundTo("pager", "critical"), boundTo("mail", "bulk")];
    await consume(world, "critical", [messageWith({ to })]);
    const [message] = world.queues.take("bulk", 10);
    if (message === undefined) throw new Error("nothing was handed on");
    expect(await consume(world, "bulk", [messageOf(message.body)])).toEqual(["ack"]);
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "delivered" });
  });

  it("do not wait for the archive before the urgent ones are sent", async () => {
    const to = [boundTo("pager", "critical"), boundTo("mail", "bulk")];
    const startedAtMs = world.clock.nowMs();
    await consume(world, "critical", [messageWith({ to })], {
      archive: { ...world.archive, put: () => world.clock.timer(5_000).elapsed },
    });
    expect(world.transport.sent[0]?.atMs).toBe(startedAtMs);
  });
});
