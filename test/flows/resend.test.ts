/** Resending: a delivery's event goes out as a new one, to the same target, before the old one ends. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { bodyOf, type EventRecord } from "../../src/core/enqueue/record.ts";
import { PACK_BYTES_MAX } from "../../src/core/limits.ts";
import { type Edit, type ResendPorts, type Resent, resend } from "../../src/flows/resend.ts";
import type { StoredDelivery } from "../../src/ports/history.ts";
import { createMemoryHistory, storedDelivery } from "../support/memory-history.ts";
import { boundTo, type RecordSketch } from "../support/memory-records.ts";
import { response } from "../support/memory-transport.ts";
import { consume, down, messageOf, messageWith, rowOf } from "./consumer.ts";
import { createSender, type Sender } from "./sender.ts";

const MENDED: Edit = {
  body: platformText.encode('{"total":2.50}'),
  contentType: "application/json",
  reason: "the total was missing",
};
const AS_IT_CAME: Edit = { body: null, contentType: null, reason: "sent too early" };

let sender: Sender;

beforeEach(() => {
  sender = createSender();
});

/** The dead letter of an event that the mail target refused. */
async function deadLetter(sketch: RecordSketch = {}, body = "{}"): Promise<StoredDelivery> {
  const { world } = sender;
  const retry = { delaysSeconds: [] };
  world.tenants.put("acme", { targets: { mail: { retry }, pager: { retry } } });
  world.transport.answer = () => response(500);
  await consume(world, "normal", [messageWith({ to: ["mail"], ...sketch }, body)]);
  world.transport.answer = () => response(200);
  world.transport.sent.length = 0;
  return oldDelivery(sketch);
}

function oldDelivery(sketch: RecordSketch = {}): StoredDelivery {
  const row = rowOf(sender.world, { to: ["mail"], ...sketch }, "mail");
  if (row === undefined) throw new Error("There is no such delivery.");
  return storedDelivery(row);
}

function resending(
  delivery: StoredDelivery,
  edit: Edit = MENDED,
  broken: Partial<ResendPorts> = {},
): Promise<Resent> {
  const { world, isolate } = sender;
  const ports = { ...isolate.accept, history: createMemoryHistory(world.ledger), ...broken };
  return world.clock.run(resend("acme", delivery, edit, ports));
}

async function idOf(resent: Promise<Resent>): Promise<string> {
  const result = await resent;
  if (result.kind !== "accepted") throw new Error(JSON.stringify(result));
  return result.event.id;
}

/** Lets a consumer have what the queue holds. */
async function consumeQueue(): Promise<void> {
  const messages = [...sender.world.queues.kept.normal.values()].map(({ body }) => messageOf(body));
  sender.world.queues.kept.normal.clear();
  await consume(sender.world, "normal", messages);
}

const only = (): EventRecord => {
  const [record, ...rest] = sender.recordsIn("normal");
  if (record === undefined || rest.length > 0) throw new Error(`${rest.length + 1} records`);
  return record;
};

describe("a dead letter that is resent", () => {
  it("goes to its own target alone with the mended bytes, and ends with the new event's name", async () => {
    const letter = await deadLetter({ to: ["mail", "pager"] });
    const resent = await resending(letter);
    expect(resent).toMatchObject({
      kind: "accepted",
      event: { deliveries: 1, priorities: ["normal"], receipt: expect.stringMatching(/^rcp_/) },
    });
    const { id, subscriptions } = only();
    expect(id).not.toBe(letter.event);
    expect(subscriptions).toEqual([boundTo("mail")]);
    expect(oldDelivery()).toMatchObject({
      state: "cancelled",
      lastError: `resent as ${id}: the total was missing`,
    });
    await consumeQueue();
    expect(sender.world.transport.sent.map(({ url }) => url)).toEqual([letter.target].map(urlOf));
    expect(
      rowOf(sender.world, { id, receivedAtMs: sender.world.clock.nowMs() }, "mail")?.state,
    ).toBe("delivered");
  });

  it("with another body keeps its headers, but for those that vouch for the old bytes", async () => {
    const letter = await deadLetter({
      contentType: "text/xml",
      headers: [
        ["content-type", "text/xml"],
        ["x-topic", "orders"],
        ["x-hub-signature-256", "sha256=00"],
        ["x-own", "mac"],
        ["content-digest", "sha-256=:00:"],
      ],
      verification: { scheme: "hmac", secretIndex: 0, header: "x-own" },
    });
    await resending(letter);
    const [frame] = sender.framesIn("normal");
    expect(frame?.record).toMatchObject({
      contentType: "application/json",
      headers: [
        ["content-type", "application/json"],
        ["x-topic", "orders"],
      ],
      verification: { scheme: "operator", secretIndex: null },
    });
    expect(platformText.decode(bodyOf(frame as never))).toBe('{"total":2.50}');
  });

  it("as it came keeps the sender's proof too, and is a new event all the same", async () => {
    const headers = [["x-hub-signature-256", "sha256=00"]] as const;
    const verification = { scheme: "hmac", secretIndex: 0, header: "x-own" };
    const letter = await deadLetter({ headers, verification }, "<raw/>");
    await resending(letter, AS_IT_CAME);
    const [frame] = sender.framesIn("normal");
    expect(frame?.record).toMatchObject({ headers, verification: { header: "x-own" } });
    expect(frame?.record.id).not.toBe(letter.event);
    expect(platformText.decode(bodyOf(frame as never))).toBe("<raw/>");
  });

  it("that came as a CloudEvent is another one: receivers know them by their id", async () => {
    const cloudevent = { specversion: "1.0", id: "1", source: "/shop", type: "order" };
    await resending(await deadLetter({ cloudevent }));
    expect(only().cloudevent).toEqual({ ...cloudevent, id: only().id });
  });

  it("that was an element of a list is none any more: what becomes of its fan-out is no matter", async () => {
    const elementOf = { fanOut: "fan_1", event: "evt_1", rule: "orders", index: 0, count: 1 };
    await resending(await deadLetter({ elementOf }));
    expect(only()).not.toHaveProperty("elementOf");
  });

  it("is urgent as the delivery was, not as the event", async () => {
    const bulk = { ...(await deadLetter()), priority: "bulk" } as const;
    expect(await resending(bulk)).toMatchObject({ event: { priorities: ["bulk"] } });
    expect(sender.framesIn("bulk")).toHaveLength(1);
  });

  it("is made what its rule makes of it for that target, and never shows what that leaves out", async () => {
    const transformed = {
      rule: "orders",
      target: "mail",
      priority: "normal",
      transformed: true,
    } as const;
    const letter = await deadLetter({ to: [transformed] });
    await resending({ ...letter, rule: "orders" });
    expect(only().subscriptions).toEqual([transformed]);
  });

  it("that a replay made is made by its rule of now, as it was before", async () => {
    const letter = await deadLetter();
    const transformers = {
      mail: { template: "<id>", paths: { id: "$.id" }, missing: "null" },
    } as const;
    sender.world.tenants.put("acme", {
      targets: { mail: {} },
      rules: { [letter.rule]: { targets: ["mail"], transformers } },
    });
    await sender.world.clock.advance(1_000);
    await resending({ ...letter, replay: "rpl_1", priority: "replay" });
    const [frame] = sender.framesIn("bulk");
    expect(frame?.record.subscriptions).toMatchObject([{ target: "mail", transformed: true }]);
  });

  it("rests in the archive when no message can carry it", async () => {
    const letter = await deadLetter();
    const body = new Uint8Array(PACK_BYTES_MAX);
    const id = await idOf(resending(letter, { ...MENDED, body }));
    expect(sender.contentsOf("normal")).toMatchObject([{ id, pointer: { offset: 0 } }]);
  });
});

describe("the same resend twice", () => {
  it("is one event, delivered once", async () => {
    const letter = await deadLetter();
    const first = await idOf(resending(letter));
    expect(await idOf(resending(oldDelivery()))).toBe(first);
    await consumeQueue();
    expect(sender.world.transport.sent).toHaveLength(1);
  });

  it("is two when the body or the media type differs, or the delivery does", async () => {
    const letter = await deadLetter();
    const other = await deadLetter({ key: "key-2" });
    const ids = [
      await idOf(resending(letter)),
      await idOf(resending(letter, AS_IT_CAME)),
      await idOf(resending(letter, { ...MENDED, contentType: "text/plain" })),
      await idOf(resending(other)),
    ];
    expect(new Set(ids).size).toBe(4);
  });
});

describe("nothing is resent", () => {
  it.each(["pending", "delivering"] as const)("while the delivery is %s", async (state) => {
    const letter = await deadLetter();
    expect(await resending({ ...letter, state })).toMatchObject({
      kind: "refused",
      problem: { slug: "conflict", detail: expect.stringContaining(state) },
    });
    expect(sender.contentsOf("normal")).toEqual([]);
    expect(oldDelivery().state).toBe("dead");
  });

  it("when the archive no longer has the event, and the dead letter stays", async () => {
    const letter = await deadLetter();
    sender.world.archive.objects.clear();
    expect(await resending(letter)).toMatchObject({ problem: { slug: "conflict" } });
    expect(oldDelivery().state).toBe("dead");
  });

  it("for another tenant, whatever it is called", async () => {
    const letter = await deadLetter();
    const history = createMemoryHistory(sender.world.ledger);
    const ports = { ...sender.isolate.accept, history };
    const resent = await sender.world.clock.run(resend("other", letter, MENDED, ports));
    expect(resent).toMatchObject({ problem: { slug: "conflict" } });
    expect(sender.contentsOf("normal")).toEqual([]);
  });

  it("when no store takes it: the answer says so, and the dead letter stays for another try", async () => {
    const letter = await deadLetter();
    const { world } = sender;
    world.queues.refuses = true;
    const commits = { ...sender.isolate.accept.commits, normal: { add: down } };
    expect(await resending(letter, MENDED, { commits })).toMatchObject({
      problem: { slug: "unavailable", retryAfterMs: expect.any(Number) },
    });
    expect(oldDelivery().state).toBe("dead");
    expect(world.log.of("enqueue-failed")).toHaveLength(1);
  });
});

describe("a delivery that is resent", () => {
  it("stays as it is when it was delivered", async () => {
    const { world } = sender;
    world.tenants.put("acme", { targets: { mail: {} } });
    await consume(world, "normal", [messageWith({ to: ["mail"] })]);
    await idOf(resending(oldDelivery(), AS_IT_CAME));
    expect(oldDelivery()).toMatchObject({ state: "delivered", lastError: null });
  });

  it("is still a dead letter after a crash between the two steps, and the next call ends it", async () => {
    const letter = await deadLetter();
    const history = { ...createMemoryHistory(sender.world.ledger), cancel: down };
    await expect(resending(letter, MENDED, { history })).rejects.toThrow("down");
    expect(oldDelivery().state).toBe("dead");
    await idOf(resending(letter));
    expect(oldDelivery().state).toBe("cancelled");
    await consumeQueue();
    expect(sender.world.transport.sent).toHaveLength(1);
  });
});

const urlOf = (target: string): string => `https://${target}.example.com/`;
