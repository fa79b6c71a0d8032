/** Targets of a batch: closed, deleted, gone or slow, and what that means for others. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, messageOf, messageWith, rowOf } from "./consumer.ts";
import { settleDown } from "./settle-down.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", {
    targets: { pager: {}, mail: {}, paused: { closed: "paused" }, gone: { closed: "disabled" } },
  });
});

const sentTo = (): string[] => world.transport.sent.map(({ url }) => new URL(url).host);

describe("a target", () => {
  it.each([
    ["paused", "target paused"],
    ["gone", "target disabled"],
  ])(
    "that is %s gets nothing: its deliveries are parked, and not sent again",
    async (name, why) => {
      expect(await consume(world, "normal", [messageWith({ to: [name] })])).toEqual(["ack"]);
      expect(world.transport.sent).toEqual([]);
      expect(rowOf(world, {}, name)).toMatchObject({
        state: "parked",
        lastError: why,
        attempts: 0,
      });
      expect(world.queues.kept.normal.size).toBe(0);
    },
  );

  it("that is resumed before what was set aside is written down gets it with the next batch", async () => {
    const { settle } = world.ledger;
    const ledger: DeliverPorts["ledger"] = {
      ...world.ledger,
      settle(...given) {
        world.tenants.put("acme", { targets: { paused: {} } });
        return settle(...given);
      },
    };
    expect(await consume(world, "normal", [messageWith({ to: ["paused"] })], { ledger })).toEqual([
      "ack",
    ]);
    expect(world.transport.sent).toEqual([]);
    expect(rowOf(world, {}, "paused")).toMatchObject({ state: "pending", attempts: 0 });
    const again = world.queues.take("normal", 50).map(({ body }) => messageOf(body));
    expect(again).toHaveLength(1);
    expect(await consume(world, "normal", again)).toEqual(["ack"]);
    expect(sentTo()).toEqual(["paused.example.com"]);
    expect(rowOf(world, {}, "paused")?.state).toBe("delivered");
  });

  it("that was deleted cancels its deliveries", async () => {
    expect(await consume(world, "normal", [messageWith({ to: ["deleted"] })])).toEqual(["ack"]);
    expect([...world.ledger.deliveries.values()]).toMatchObject([
      { state: "cancelled", lastError: "target deleted" },
    ]);
    expect(world.transport.sent).toEqual([]);
  });

  it("that answers 410 is closed: for the rest of the batch, for the next, and announced", async () => {
    world.transport.answer = () => response(410);
    const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);
    const batch = keys.map((key) => messageWith({ key, to: ["pager"] }));
    expect(await consume(world, "normal", batch)).toEqual(keys.map(() => "ack"));
    const states = keys.map((key) => rowOf(world, { key }, "pager")?.state);
    expect(states.filter((state) => state === "parked").length).toBeGreaterThanOrEqual(6);
    expect(states.filter((state) => state === "dead").length).toBe(world.transport.sent.length);
    expect(world.limiter.revisions.get("acme")).toBe(world.tenants.revision("acme"));
    expect(world.log.of("target-disabled")).toMatchObject([{ tenant: "acme", target: "pager" }]);

    world.transport.sent.length = 0;
    await consume(world, "normal", [messageWith({ key: "later", to: ["pager", "mail"] })]);
    expect(sentTo()).toEqual(["mail.example.com"]);
    expect(rowOf(world, { key: "later" }, "pager")?.state).toBe("parked");
  });

  it("that was changed while one was on its way is not closed by that one's 410, but by one of its own", async () => {
    const old = { targets: { pager: { url: "https://old.example.com/" }, log: {} } };
    world.tenants.put("acme", old);
    world.transport.answer = ({ url }) => {
      if (url.includes("old")) world.tenants.put("acme", { targets: { pager: {}, log: {} } });
      return response(url.includes("old") ? 410 : 200);
    };
    const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);
    const batch = keys.map((key) => messageWith({ key, to: ["pager"] }));
    await consume(world, "normal", batch);
    await settleDown(world, 3);
    const states = keys.map((key) => rowOf(world, { key }, "pager")?.state);
    const toOld = sentTo().filter((host) => host.startsWith("old")).length;
    expect(states.filter((state) => state === "dead")).toHaveLength(toOld);
    // What the batch has not sent any more goes to the target as it is.
    expect(states.filter((state) => state === "delivered")).toHaveLength(keys.length - toOld);
    expect(toOld).toBeLessThan(keys.length);
    expect(world.log.of("target-disabled")).toEqual([]);

    world.transport.answer = () => response(410);
    await consume(world, "normal", [messageWith({ key: "gone", to: ["pager"] })]);
    expect(world.tenants.isOpen("acme", "pager")).toBe(false);
  });

  it("of one tenant that answers 410 closes nobody else's of the same name", async () => {
    const sketch = { targets: { pager: { url: "https://other.example.com/" } } };
    const { revision } = world.tenants.put("other", sketch);
    world.transport.answer = ({ url }) => response(url.includes("other") ? 200 : 410);
    const batch = Array.from({ length: 8 }, (_, at) => [
      messageWith({ key: `a${at}`, to: ["pager"] }),
      messageWith({ key: `b${at}`, to: ["pager"], tenant: "other", revision }),
    ]).flat();
    await consume(world, "normal", batch);
    const others = [...world.ledger.deliveries.values()].filter(({ tenant }) => tenant === "other");
    expect(others.map(({ state }) => state)).toEqual(Array(8).fill("delivered"));
  });

  it("that is slow takes no place from another's deliveries", async () => {
    world.transport.answer = async ({ url }) => {
      if (url.includes("pager")) await world.clock.timer(14_000).elapsed;
      return response(200);
    };
    const startedAtMs = world.clock.nowMs();
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
    const batch = keys.map((key) => messageWith({ key, to: ["pager", "mail"] }));
    await consume(world, "normal", batch);
    const toMail = world.transport.sent.filter(({ url }) => url.includes("mail"));
    expect(toMail.map(({ atMs }) => atMs - startedAtMs)).toEqual(keys.map(() => 0));
  });
});

describe("time", () => {
  it("that is left of the lease bounds what is begun: the rest comes back at once", async () => {
    const { settle } = world.ledger;
    const ledger: DeliverPorts["ledger"] = {
      ...world.ledger,
      async settle(...given) {
        await world.clock.timer(14_500).elapsed;
        return settle(...given);
      },
    };
    const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`);
    const answers = await consume(
      world,
      "normal",
      keys.map((key) => messageWith({ key, to: ["pager"] })),
      { ledger },
    );
    const acked = answers.filter((answer) => answer === "ack").length;
    expect(acked).toBe(world.transport.sent.length);
    expect(acked).toBeLessThan(keys.length);
    expect(answers.filter((answer) => answer === 1)).toHaveLength(keys.length - acked);
    expect(world.log.of("settle-refused")).toEqual([]);
    // Their claims are given back: the next consumer need not wait for the lease's end.
    const rest = keys.slice(acked).map((key) => messageWith({ key, to: ["pager"] }));
    expect(await consume(world, "normal", rest.slice(0, 6))).toEqual(Array(6).fill("ack"));
    expect(world.transport.sent).toHaveLength(acked + 6);
  });
});
