/** Messages out of the ordinary: dead ones, unreadable ones, and those that an outbox keeps too. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { poisonKey } from "../../src/core/archive-keys.ts";
import type { Answer } from "../../src/core/deliver/outcome.ts";
import { encodePack, type PackItem } from "../../src/core/enqueue/pack.ts";
import { LEASE_SECONDS } from "../../src/core/limits.ts";
import { keyOf } from "../../src/ports/claim.ts";
import { frameOf, recordOf } from "../support/memory-records.ts";
import { createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, messageOf, messageOfItems, messageWith, rowOf, statesOf } from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", {
    targets: { pager: {}, mail: {}, paused: { closed: "paused" } },
  });
});

describe("the queue of dead messages", () => {
  it("makes dead letters of what they carried, without an attempt", async () => {
    const again = [{ rule: "orders", target: "mail", attempts: 1 }];
    world.transport.answer = () => response(500);
    await consume(world, "normal", [messageWith({ key: "key-2", to: ["mail"] })]);
    world.transport.sent.length = 0;
    const batch = [
      messageWith({ to: ["pager", "paused"] }),
      messageOfItems({ content: frameOf({ key: "key-2", to: ["mail"] }), again }),
    ];
    expect(await consume(world, "dead", batch)).toEqual(["ack", "ack"]);
    expect(world.transport.sent).toEqual([]);
    expect(statesOf(world)).toEqual({ pager: "dead", paused: "dead", mail: "dead" });
    expect(rowOf(world, {}, "pager")?.lastError).toBe(
      "the message that carried it crashed too often",
    );
  });

  it("leaves with a dead letter what its target last answered, and the attempts that were made", async () => {
    world.transport.answer = () => ({ ...response(503), body: "busy" }) as Answer;
    await consume(world, "normal", [messageWith({ to: ["mail"] })]);
    const again = [{ rule: "orders", target: "mail", attempts: 1 }];
    const dead = messageOfItems({ content: frameOf({ to: ["mail"] }), again });
    await consume(world, "dead", [dead]);
    expect(rowOf(world, {}, "mail")).toMatchObject({
      state: "dead",
      attempts: 1,
      lastStatus: 503,
      lastError: "the message that carried it crashed too often",
      log: [{ number: 1, status: 503, answer: "busy" }],
    });
  });

  it("leaves alone what was finished before its message died", async () => {
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    await consume(world, "dead", [messageWith({ to: ["pager", "mail"] })]);
    expect(statesOf(world)).toEqual({ pager: "delivered", mail: "dead" });
  });
});

describe("a message that cannot be read", () => {
  it("is kept for a person and acknowledged, and disturbs nobody", async () => {
    const poison = messageOf(Uint8Array.of(1, 2, 3));
    const answers = await consume(world, "normal", [poison, messageWith({ to: ["pager"] })]);
    expect(answers).toEqual(["ack", "ack"]);
    expect(world.archive.poison.get(poisonKey(poison.id, world.clock.nowMs()))).toEqual({
      bytes: poison.body,
      reason: "shorter than a pack's prefix",
    });
    expect(statesOf(world)).toEqual({ pager: "delivered" });
    expect(world.log.of("poison-message")).toHaveLength(1);
  });

  it("because its big body is nowhere is kept as well", async () => {
    const { id, receipt, tenant } = recordOf();
    const pointer = { segment: "acme/big/lost", offset: 0, length: 100 };
    const lost = messageOfItems({ content: { pointer, id, receipt, tenant } });
    expect(await consume(world, "normal", [lost])).toEqual(["ack"]);
    expect(world.archive.poison.get(poisonKey(lost.id, world.clock.nowMs()))?.reason).toBe(
      "no object at acme/big/lost",
    );
  });

  it("is not written into the log", async () => {
    await consume(world, "normal", [messageOf(platformText.encode("s3cret"))]);
    expect(JSON.stringify(world.log.lines)).not.toContain("s3cret");
  });
});

describe("the outbox", () => {
  const from = (row: number, ...items: readonly PackItem[]) =>
    messageOf(encodePack({ origin: { shard: 3, row }, items }, platformText));

  it("is told which rows are settled, and only of those", async () => {
    const settled: unknown[] = [];
    const again = [{ rule: "orders", target: "pager", attempts: 0 }];
    const batch = [
      from(1, { content: frameOf({ key: "a", to: ["pager"] }) }),
      from(2, { content: frameOf({ key: "b", to: ["mail"] }) }),
      messageWith({ key: "c", to: ["pager"] }),
      from(4, { content: frameOf({ key: "d", to: ["pager"] }), again }),
    ];
    const { ledger } = world;
    const answers = await consume(world, "normal", batch, {
      outbox: { ...world.outbox, settled: async (origins) => void settled.push(...origins) },
      ledger: {
        ...ledger,
        async settle(token, results, duplicates) {
          const [refused, others] = [true, false].map((isRefused) =>
            results.filter(({ target }) => (target === "mail") === isRefused),
          );
          const settlement = await ledger.settle(token, others ?? [], duplicates);
          return { ...settlement, refused: new Set(refused?.map(keyOf)) };
        },
      },
    });
    expect(answers.map((answer) => answer === "ack")).toEqual([true, false, true, true]);
    expect(settled).toEqual([
      { shard: 3, row: 1 },
      { shard: 3, row: 4 },
    ]);
  });

  it("that cannot be told keeps no message from being acknowledged", async () => {
    const message = from(1, { content: frameOf({ to: ["pager"] }) });
    const answers = await consume(world, "normal", [message], {
      outbox: { ...world.outbox, settled: () => Promise.reject(new Error("down")) },
    });
    expect(answers).toEqual(["ack"]);
    expect(world.log.of("outbox-unreachable")).toMatchObject([{ rows: 1 }]);
  });
});
