/** From a webhook to a durable event: what is answered, what is kept, by which configuration. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { isParcel } from "../../src/core/enqueue/pack.ts";
import { bodyOf } from "../../src/core/enqueue/record.ts";
import { LEASE_TTL_MS } from "../../src/core/limits.ts";
import { down } from "./consumer.ts";
import { ACME, ALARM, createSender, ORDER, type Sender } from "./sender.ts";

let sender: Sender;

beforeEach(() => {
  sender = createSender();
});

describe("a webhook", () => {
  it("becomes an event in the queue of its most urgent rule, with its own bytes", async () => {
    const [answer] = await sender.accepted("acme/open", ORDER, {
      "content-type": "application/json",
    });
    expect(answer).toEqual({
      id: expect.stringMatching(/^evt_[0-9a-z]{26}$/),
      receipt: expect.stringMatching(/^rcp_[0-9a-z]{26}$/),
      deliveries: 1,
      priorities: ["normal"],
    });
    const [frame] = sender.framesIn("normal");
    if (frame === undefined) throw new Error("nothing was enqueued");
    expect(platformText.decode(bodyOf(frame))).toBe(ORDER);
    expect(frame.record).toMatchObject({
      id: answer?.id,
      receipt: answer?.receipt,
      receivedAtMs: sender.world.clock.nowMs(),
      priority: "normal",
      subscriptions: [{ rule: "orders", target: "mail", priority: "normal" }],
      revision: sender.world.tenants.revision("acme"),
    });
  });

  it("that several rules want is one event with a subscription for each rule and target", async () => {
    expect(await sender.accepted("acme/open", ALARM)).toMatchObject([
      { deliveries: 3, priorities: ["critical", "normal"] },
    ]);
    expect(sender.recordsIn("critical")).toHaveLength(1);
    expect(sender.recordsIn("normal")).toEqual([]);
  });

  it("that no rule wants is accepted, and travels as bulk to be recorded", async () => {
    expect(await sender.accepted("acme/open", "{}")).toMatchObject([
      { deliveries: 0, priorities: [] },
    ]);
    expect(sender.recordsIn("bulk")).toMatchObject([{ subscriptions: [] }]);
  });

  it("sent twice has one id and two receipts", async () => {
    const [first] = await sender.accepted("acme/named", ORDER, { "x-id": "1" });
    await sender.world.clock.advance(604_800_000);
    const [second] = await sender.accepted("acme/named", '{"kind":"other"}', { "x-id": "1" });
    expect(second?.id).toBe(first?.id);
    expect(second?.receipt).not.toBe(first?.receipt);
  });

  it("with the same key for another source is another event", async () => {
    const [first] = await sender.accepted("acme/open", ORDER);
    const [second] = await sender.accepted("acme/demoting", ORDER);
    expect(second?.id).not.toBe(first?.id);
  });

  it("above a limit that demotes goes to every subscription as bulk, and says so", async () => {
    await sender.accepted("acme/demoting", ALARM);
    expect(await sender.accepted("acme/demoting", ALARM)).toMatchObject([
      { deliveries: 3, priorities: ["bulk"] },
    ]);
    expect(sender.recordsIn("bulk")).toMatchObject([{ demoted: true, priority: "bulk" }]);
  });

  it("keeps no credential of its sender", async () => {
    await sender.accepted("acme/keyed", "{}", { "x-key": "good", authorization: "Bearer s3cret" });
    const [frame] = sender.framesIn("bulk");
    expect(JSON.stringify(frame?.record)).not.toMatch(/s3cret|good/);
    expect(frame?.record.verification).toEqual({ scheme: "api-key", secretIndex: 0 });
  });
});

describe("a batch of CloudEvents", () => {
  const HEADERS = { "content-type": "application/cloudevents-batch+json" };
  const event = (id: string, more: object = {}) => ({
    ...{ specversion: "1.0", id, source: "/shop", type: "order.created" },
    ...more,
  });

  it("is an event and a receipt for each, in order", async () => {
    const events = await sender.accepted(
      "acme/open",
      JSON.stringify([event("1"), event("2")]),
      HEADERS,
    );
    expect(events).toHaveLength(2);
    expect(new Set(events.map(({ id }) => id)).size).toBe(2);
    expect(new Set(events.map(({ receipt }) => receipt)).size).toBe(2);
    const kept = sender.recordsIn("bulk").map(({ id }) => id);
    expect(kept.toSorted()).toEqual(events.map(({ id }) => id).toSorted());
  });

  it("with the same event twice is one id under two receipts, so that the copy can be told", async () => {
    const body = JSON.stringify([event("1"), event("1")]);
    const events = await sender.accepted("acme/open", body, HEADERS);
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
    const kept = sender.recordsIn("bulk").map(({ receipt }) => receipt);
    expect(new Set(kept).size).toBe(2);
    expect(kept.toSorted()).toEqual(events.map(({ receipt }) => receipt).toSorted());
  });

  it("with one bad event is refused whole", async () => {
    const body = JSON.stringify([event("1"), event("2", { specversion: "9" })]);
    expect(await sender.refused("acme/open", body, HEADERS)).toMatchObject({
      slug: "cloudevent-invalid",
      errors: [{ pointer: "/1/specversion" }],
    });
    sender.expectNothingKept();
  });

  it("beyond a limit's burst is refused whole, and not told to wait", async () => {
    const body = JSON.stringify([event("1"), event("2"), event("3")]);
    const problem = await sender.refused("acme/limited", body, HEADERS);
    expect(problem).toMatchObject({ slug: "payload-too-large", extensions: { eventsMax: 2 } });
    expect(problem.retryAfterMs).toBeUndefined();
    sender.expectNothingKept();
  });
});

describe("configuration that changed a moment ago", () => {
  it("is matched by before the event is accepted, also in an isolate that knows the old one", async () => {
    await sender.accepted("acme/open", ORDER);
    const changed = sender.world.tenants.put("acme", {
      ...ACME,
      rules: { all: { priority: "critical", targets: ["pager"] } },
    });
    await sender.world.limiter.announce("acme", changed.revision);
    await sender.world.clock.advance(LEASE_TTL_MS);
    expect(await sender.accepted("acme/open", ORDER)).toMatchObject([{ priorities: ["critical"] }]);
    expect(sender.recordsIn("critical")).toMatchObject([{ revision: changed.revision }]);
  });

  it("verifies: a new secret is known as soon as the limiter tells", async () => {
    await sender.accepted("acme/keyed", "{}", { "x-key": "good" });
    const verify = { scheme: "api-key", header: "x-key", keys: ["new"] } as const;
    const sources = { ...ACME.sources, keyed: { verify, secretIds: ["new-id"] } };
    const changed = sender.world.tenants.put("acme", { ...ACME, sources });
    await sender.world.limiter.announce("acme", changed.revision);
    await sender.world.clock.advance(LEASE_TTL_MS);
    await sender.accepted("acme/keyed", "{}", { "x-key": "new" });
    expect((await sender.refused("acme/keyed", "{}", { "x-key": "good" })).slug).toBe(
      "signature-invalid",
    );
  });

  it("costs the events that are judged again by it no second token", async () => {
    await sender.accepted("acme/open");
    const changed = sender.world.tenants.put("acme", ACME);
    await sender.world.limiter.announce("acme", changed.revision);
    await sender.world.clock.advance(LEASE_TTL_MS);
    await sender.accepted("acme/demoting", ALARM);
    expect(sender.recordsIn("critical")).toHaveLength(1);
    expect(sender.isolate.accept.meter.read().events_demoted).toBe(0);
  });

  it("takes a batch that only a limit from before it could not hold", async () => {
    await sender.accepted("acme/open");
    const limit = { perSecond: 100, burst: 10, overflow: "reject" } as const;
    const sources = { ...ACME.sources, limited: { limit } };
    const changed = sender.world.tenants.put("acme", { ...ACME, sources });
    await sender.world.limiter.announce("acme", changed.revision);
    await sender.world.clock.advance(LEASE_TTL_MS);
    const batch = ["1", "2", "3"].map((id) => {
      return { specversion: "1.0", id, source: "/shop", type: "order.created" };
    });
    const headers = { "content-type": "application/cloudevents-batch+json" };
    const events = await sender.accepted("acme/limited", JSON.stringify(batch), headers);
    expect(events).toHaveLength(3);
  });

  it("takes a deleted source away", async () => {
    await sender.accepted("acme/open");
    const changed = sender.world.tenants.put("acme", { ...ACME, sources: {} });
    await sender.world.limiter.announce("acme", changed.revision);
    await sender.world.clock.advance(LEASE_TTL_MS);
    expect((await sender.refused("acme/open")).slug).toBe("source-unknown");
  });

  it("brings a new source within a second, however often its name was tried", async () => {
    await sender.accepted("acme/open");
    sender.world.tenants.put("acme", { ...ACME, sources: { ...ACME.sources, fresh: {} } });
    const { loads } = sender.world.tenants;
    const before = loads.length;
    for (let each = 0; each < 10; each += 1) await sender.refused("acme/fresh");
    expect(loads).toHaveLength(before);
    await sender.world.clock.advance(1_000);
    await sender.accepted("acme/fresh");
    expect(loads).toHaveLength(before + 1);
  });
});

describe("a body too big for a message", () => {
  const BIG = new Uint8Array(100_000).fill(32);

  it("rests in the archive before the event is enqueued by its place", async () => {
    const [answer] = await sender.accepted("acme/open", BIG);
    const [content] = sender.contentsOf("bulk");
    if (content === undefined || !isParcel(content)) throw new Error("it is not a parcel");
    expect(content).toMatchObject({ id: answer?.id, receipt: answer?.receipt, tenant: "acme" });
    const frame = await sender.world.archive.frame(content.pointer);
    expect(frame && bodyOf(frame)).toEqual(BIG);
  });

  it("is refused when the archive does not take it, and nothing is enqueued", async () => {
    const ports = { ...sender.isolate.accept, archive: { ...sender.world.archive, put: down } };
    expect(await sender.refused("acme/open", BIG, {}, ports)).toMatchObject({
      slug: "unavailable",
    });
    sender.expectNothingKept();
  });
});
