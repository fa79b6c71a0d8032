/** The fast path of a retry: few packs, each within a message's bound. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, isParcel } from "../../src/core/enqueue/pack.ts";
import {
  PACK_BYTES_MAX,
  QUEUE_DELAY_SECONDS_MAX,
  SEND_AGAIN_TIMEOUT_MS,
} from "../../src/core/limits.ts";
import type { Priority } from "../../src/core/priority.ts";
import type { DeliveryState } from "../../src/core/settle.ts";
import type { HeldEvent } from "../../src/flows/open-messages.ts";
import { type Settled, sendAgain } from "../../src/flows/send-again.ts";
import type { DeliveryResult } from "../../src/ports/ledger.ts";
import type { Queues } from "../../src/ports/queues.ts";
import { frameOf, type RecordSketch } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { down, messageOf } from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
});

interface Owed {
  readonly target: string;
  readonly rule?: string;
  readonly state?: DeliveryState;
  readonly dueInMs?: number;
  readonly priority?: Priority;
  readonly attempts?: number;
}

function held(sketch: RecordSketch, body: string | Uint8Array = "{}"): HeldEvent {
  const frame = frameOf(sketch, body);
  const open = { message: messageOf(frame.bytes), origin: null, retryAfterSeconds: null };
  return { ...frame, frame, open, pointer: null, again: null };
}

function settled(event: HeldEvent, owed: Owed): Settled {
  const { tenant, receivedAtMs, id, source, type } = event.record;
  const result: DeliveryResult = {
    ...{ tenant, receivedAtMs, event: id, source, type, subscription: owed.target },
    ...{ rule: "orders", priority: "normal", state: "retrying", attempts: 1, dueInMs: 5_000 },
    ...{ lastStatus: 500, lastError: "status 500", attempt: null, claimedBy: "event" },
    ...owed,
  };
  return { held: event, result };
}

const send = (...all: Settled[]): Promise<void> =>
  world.clock.run(sendAgain(all, createIsolate(world).deliver));

/** What each message of a queue carries. */
function messages(priority: Priority) {
  return [...world.queues.kept[priority].values()].map(({ body, visibleAtMs }) => {
    const decoded = decodePack(body, platformText);
    if (!decoded.ok) throw new Error(decoded.reason);
    expect(body.length).toBeLessThanOrEqual(PACK_BYTES_MAX);
    return {
      inSeconds: (visibleAtMs - world.clock.nowMs()) / 1_000,
      items: decoded.pack.items.map(({ content, again }) => ({
        key: isParcel(content) ? content.pointer.segment : content.record.key,
        again: again?.map(({ target, attempts }) => `${target} ${attempts}`),
      })),
    };
  });
}

describe("what is owed", () => {
  it("of one event at one moment goes in one item, with its attempts", async () => {
    const event = held({ key: "a" });
    await send(
      settled(event, { target: "pager" }),
      settled(event, { target: "mail", attempts: 3 }),
    );
    expect(messages("normal")).toEqual([
      { inSeconds: 5, items: [{ key: "a", again: ["pager 1", "mail 3"] }] },
    ]);
  });

  it("of many events at one moment goes in one message, by its own queue", async () => {
    await send(
      settled(held({ key: "a" }), { target: "pager" }),
      settled(held({ key: "b" }), { target: "pager", dueInMs: 4_001 }),
      settled(held({ key: "c" }), { target: "pager", priority: "bulk" }),
    );
    expect(messages("normal").map(({ items }) => items.map(({ key }) => key))).toEqual([
      ["a", "b"],
    ]);
    expect(messages("bulk")).toHaveLength(1);
  });

  it("never leaves before it is due", async () => {
    const event = held({});
    await send(
      settled(event, { target: "pager", dueInMs: 1 }),
      settled(event, { target: "mail", dueInMs: 1_001 }),
      settled(event, { target: "bill", state: "pending", dueInMs: 0 }),
    );
    expect(messages("normal").map(({ inSeconds }) => inSeconds)).toEqual([1, 2, 0]);
  });

  it("leaves at one of few moments although each pause is its own", async () => {
    const all = Array.from({ length: 600 }, (_, at) =>
      settled(held({ key: `${at}` }), { target: "pager", dueInMs: 300_000 + at * 100 }),
    );
    await send(...all);
    const moments = new Set(messages("normal").map(({ inSeconds }) => inSeconds));
    expect([...moments]).toEqual([300, 315, 330, 345, 360]);
    expect(messages("normal").flatMap(({ items }) => items)).toHaveLength(600);
  });

  it("rests in the archive where its event does", async () => {
    const pointer = { segment: "acme/big/1", offset: 0, length: 9 };
    await send(settled({ ...held({}), frame: null, pointer }, { target: "pager" }));
    expect(messages("normal")[0]?.items).toEqual([{ key: "acme/big/1", again: ["pager 1"] }]);
  });
});

describe("what is not owed, or not soon", () => {
  it.each<[DeliveryState]>([["delivered"], ["parked"], ["dead"], ["cancelled"]])(
    "because it is %s is not sent",
    async (state) => {
      await send(settled(held({}), { target: "pager", state }));
      expect(messages("normal")).toEqual([]);
    },
  );

  it("because its pause is too long for a message is left to the ledger", async () => {
    const longest = QUEUE_DELAY_SECONDS_MAX * 1_000;
    await send(
      settled(held({}), { target: "pager", dueInMs: longest }),
      settled(held({}), { target: "mail", dueInMs: longest + 1 }),
    );
    expect(messages("normal").map(({ items }) => items[0]?.again)).toEqual([["pager 1"]]);
  });
});

describe("an event nearly as big as a message", () => {
  it("goes in several when its deliveries do not fit with it, and keeps nobody back", async () => {
    const names = Array.from({ length: 12 }, (_, at) => `target-${at}`.padEnd(63, "x"));
    const body = new Uint8Array(PACK_BYTES_MAX - 200 - frameOf({}, "").bytes.length - 6);
    const big = held({ key: "big" }, body);
    await send(
      ...names.map((target) => settled(big, { target, rule: "r".repeat(63) })),
      settled(held({ key: "small" }), { target: "pager" }),
    );
    const items = messages("normal").flatMap((message) => message.items);
    expect(items.flatMap(({ again }) => again)).toEqual([
      ...names.map((name) => `${name} 1`),
      "pager 1",
    ]);
  });
});

describe("a queue that refuses", () => {
  it("is logged once a call, and nothing escapes", async () => {
    const { deliver } = createIsolate(world, {
      broken: { queues: { ...world.queues, send: down } },
    });
    const all = [settled(held({}), { target: "a" }), settled(held({}), { target: "b" })];
    await world.clock.run(sendAgain(all, deliver));
    expect(world.log.of("send-again-failed")).toMatchObject([{ priority: "normal", packs: 1 }]);
  });
});

describe("a queue that hangs", () => {
  it("holds nobody up for long, and what it was to take is left to the sweeper", async () => {
    const { promise: answer, resolve } = Promise.withResolvers<void>();
    const queues: Queues = {
      ...world.queues,
      send: (...asked) => answer.then(() => world.queues.send(...asked)),
    };
    const { deliver } = createIsolate(world, { broken: { queues } });
    const beganAtMs = world.clock.nowMs();
    const all = [settled(held({}), { target: "a" }), settled(held({}), { target: "b" })];
    await world.clock.run(sendAgain(all, deliver));
    expect(world.clock.nowMs() - beganAtMs).toBe(SEND_AGAIN_TIMEOUT_MS);
    expect(world.log.of("send-again-failed")).toMatchObject([{ priority: "normal", packs: 1 }]);
    resolve();
    await world.clock.advance(0);
    expect(messages("normal")).toHaveLength(1);
  });
});
