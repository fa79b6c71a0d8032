/** A delivery whose rule has an input transformer for its target: what is sent, and when nothing is. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import type { TransformerDoc } from "../../src/core/transform/transformer.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { keyOf } from "../../src/ports/claim.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, messageWith, rowOf, sendThrough } from "./consumer.ts";

let world: World;

const ID: TransformerDoc = {
  paths: { id: "$.data.id" },
  template: { order: "<id>" },
  missing: "refuse",
};

function tenantWith(transformers: Record<string, TransformerDoc>): void {
  world.tenants.put("acme", {
    sources: { shop: { bytesMax: 6_000_000 } },
    targets: { pager: { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G" }, mail: {} },
    rules: { orders: { targets: ["pager", "mail"], transformers } },
  });
}

beforeEach(() => {
  world = createWorld();
  tenantWith({ pager: ID });
});

const bound = { rule: "orders", target: "pager", priority: "normal", transformed: true } as const;
const message = (body = '{"id":7,"secret":"s"}') =>
  messageWith(
    {
      to: [bound, "mail"],
      headers: [
        ["x-hub-signature-256", "sha256=aa"],
        ["content-encoding", "identity"],
        ["x-region", "eu"],
      ],
    },
    body,
  );
const bodyOf = (at: number): string => {
  const body = world.transport.sent[at]?.body;
  return body instanceof Uint8Array ? (platformText.decode(body) ?? "") : "";
};
const headersOf = (at: number) => Object.fromEntries(world.transport.sent[at]?.headers ?? []);

describe("a transformed delivery", () => {
  it("is what the transformer makes of the event, signed; other targets get the bytes", async () => {
    expect(await consume(world, "normal", [message()])).toEqual(["ack"]);
    const to = (host: string) => world.transport.sent.findIndex(({ url }) => url.includes(host));
    expect(bodyOf(to("pager"))).toBe('{"order":7}');
    expect(headersOf(to("pager"))).toMatchObject({
      "content-type": "application/json",
      "webhook-signature": expect.stringMatching(/^v1,/),
      "x-region": "eu",
    });
    // What proves or describes the sender's bytes does not go with others.
    expect(Object.keys(headersOf(to("pager")))).not.toContain("x-hub-signature-256");
    expect(Object.keys(headersOf(to("pager")))).not.toContain("content-encoding");
    expect(bodyOf(to("mail"))).toBe('{"id":7,"secret":"s"}');
    expect(headersOf(to("mail"))).toMatchObject({ "x-hub-signature-256": "sha256=aa" });
  });

  it("is the same bytes at every attempt", async () => {
    world.transport.answer = ({ url }) => response(url.includes("pager") ? 500 : 200);
    await consume(world, "normal", [message()]);
    await world.clock.advance(10_000);
    const { deliver } = createIsolate(world);
    await world.clock.run(deliverBatch("normal", world.queues.take("normal", 10), deliver));
    const sent = world.transport.sent.flatMap(({ url }, at) =>
      url.includes("pager") ? [bodyOf(at)] : [],
    );
    expect(sent).toHaveLength(2);
    expect(new Set(sent)).toEqual(new Set(['{"order":7}']));
  });

  it("that cannot be made is a dead letter with the reason; the target is not called", async () => {
    expect(await consume(world, "normal", [message("{}")])).toEqual(["ack"]);
    expect(rowOf(world, {}, "pager")).toMatchObject({
      state: "dead",
      attempts: 0,
      lastError: "not transformed: the event has no value for <id>",
    });
    expect(rowOf(world, {}, "mail")?.state).toBe("delivered");
  });

  it("is never sent as it came because the rule is another one by now", async () => {
    tenantWith({});
    await consume(world, "normal", [message()]);
    expect(rowOf(world, {}, "pager")).toMatchObject({
      ...{ state: "dead", lastError: expect.stringMatching(/no transformer/) },
    });
    expect(world.transport.sent.filter(({ url }) => url.includes("pager"))).toEqual([]);
    // Once the rule is mended, a redrive sends it.
    tenantWith({ pager: { ...ID, template: { mended: "<id>" } } });
    const row = rowOf(world, {}, "pager");
    if (row === undefined) throw new Error("there is no dead letter");
    world.ledger.redrive(keyOf(row));
    const again = [...world.ledger.deliveries.values()].filter(({ state }) => state === "pending");
    expect(again).toHaveLength(1);
  });
});

describe("of an event that came too large for a pack", () => {
  const large = (characters: number) => `{"id":7,"pad":"${"x".repeat(characters)}"}`;
  const rows = () =>
    [...world.ledger.deliveries.values()].filter(({ target }) => target === "pager");
  const toPager = () =>
    world.transport.sent.flatMap(({ url }, at) => (url.includes("pager") ? [bodyOf(at)] : []));

  it.each(["refuse", "null", "omit"] as const)(
    "it is made of its data, at each attempt (missing: %s)",
    async (missing) => {
      tenantWith({ pager: { ...ID, missing } });
      world.transport.answer = ({ url }) => response(url.includes("pager") ? 500 : 200);
      await sendThrough(world, createIsolate(world), large(70_000));
      await world.clock.advance(10_000);
      const { deliver } = createIsolate(world);
      await world.clock.run(deliverBatch("normal", world.queues.take("normal", 10), deliver));
      expect(toPager()).toEqual(['{"order":7}', '{"order":7}']);
    },
  );

  it("one read is made of it, and none for a target that gets the bytes", async () => {
    let reads = 0;
    const { frame } = world.archive;
    world.archive.frame = (pointer) => {
      reads += 1;
      return frame(pointer);
    };
    await sendThrough(world, createIsolate(world), large(70_000));
    expect([toPager(), reads]).toEqual([['{"order":7}'], 1]);
    expect(world.transport.sent).toHaveLength(2);
  });

  it.each([
    ["fails", () => Promise.reject(new Error("down"))],
    ["hangs", () => new Promise<never>(() => {})],
  ])("no attempt is counted while the archive %s, and it is made later", async (_, broken) => {
    const { frame } = world.archive;
    world.archive.frame = broken;
    await sendThrough(world, createIsolate(world), large(70_000));
    await world.clock.advance(6_000);
    expect([toPager(), rows().filter(({ state }) => state === "dead")]).toEqual([[], []]);
    expect(world.log.lines.map(({ event }) => event)).toContain("attempt-not-made");
    world.archive.frame = frame;
    await world.clock.advance(30_000);
    const { deliver } = createIsolate(world);
    await world.clock.run(deliverBatch("normal", world.queues.take("normal", 10), deliver));
    expect(toPager()).toEqual(['{"order":7}']);
    expect(rows()).toMatchObject([{ state: "delivered", attempts: 1 }]);
  });

  it.each([4_194_304, 5_000_001])(
    "with %d bytes and more its variables are missing",
    async (bytes) => {
      await sendThrough(world, createIsolate(world), large(bytes));
      expect(toPager()).toEqual([]);
      expect(rows()).toMatchObject([
        { state: "dead", lastError: "not transformed: the event has no value for <id>" },
      ]);
    },
  );
});
