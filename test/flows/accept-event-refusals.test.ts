/** Webhooks that do not become events: what each is told, and that nothing of it is kept. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEASE_TTL_MS } from "../../src/core/limits.ts";
import type { Problem } from "../../src/core/problem.ts";
import type { AcceptPorts } from "../../src/flows/accept-event.ts";
import type { Queues } from "../../src/ports/queues.ts";
import { createIsolate } from "../support/memory-router.ts";
import { down } from "./consumer.ts";
import { ACME, createSender, ORDER, type Sender, type Sending } from "./sender.ts";

let sender: Sender;

beforeEach(() => {
  sender = createSender();
});

describe("a refused webhook", () => {
  const cases: [string, Problem["slug"], Sending][] = [
    ["of an unknown tenant", "source-unknown", ["nobody/open"]],
    ["of an unknown source", "source-unknown", ["acme/nothing"]],
    ["whose path holds no slugs", "source-unknown", ["../open"]],
    ["with a wrong key", "signature-invalid", ["acme/keyed", "{}", { "x-key": "bad" }]],
    ["without a key", "signature-invalid", ["acme/keyed"]],
    ["that is too large", "payload-too-large", ["acme/small", "x".repeat(11)]],
    [
      "in a form of CloudEvents that is not taken",
      "unsupported-media-type",
      ["acme/open", "", { "content-type": "application/cloudevents+avro" }],
    ],
    [
      "that is no JSON although it says so as a CloudEvent",
      "malformed-request",
      ["acme/open", "{", { "content-type": "application/cloudevents+json" }],
    ],
    [
      "that is an incomplete CloudEvent",
      "cloudevent-invalid",
      ["acme/open", "{}", { "ce-specversion": "1.0", "ce-id": "1" }],
    ],
  ];

  it.each(cases)("%s is answered %s and leaves nothing", async (_, slug, parameters) => {
    expect((await sender.refused(...parameters)).slug).toBe(slug);
    sender.expectNothingKept();
  });

  it("tells an unknown tenant and an unknown source with the same words", async () => {
    expect(await sender.refused("nobody/open")).toEqual(await sender.refused("acme/nothing"));
  });

  it("over its limit says whose it is and when to come again, and only the excess is lost", async () => {
    await sender.accepted("acme/limited");
    await sender.accepted("acme/limited");
    expect(await sender.refused("acme/limited")).toMatchObject({
      slug: "rate-limited",
      retryAfterMs: 1_000,
      extensions: { scope: "source" },
    });
    expect(sender.recordsIn("bulk")).toHaveLength(2);
  });

  it("costs the sender's limit nothing when it cannot be verified", async () => {
    sender.world.tenants.put("acme", {
      limit: { perSecond: 1, burst: 1, overflow: "reject" },
      sources: { keyed: ACME.sources?.keyed ?? {} },
    });
    for (let each = 0; each < 5; each += 1) await sender.refused("acme/keyed");
    await sender.accepted("acme/keyed", "{}", { "x-key": "good" });
  });

  it("says nothing of the secret or of what was sent", async () => {
    const problem = await sender.refused("acme/keyed", "s3cret body", { "x-key": "s3cret key" });
    expect(JSON.stringify([problem, sender.world.log.lines])).not.toMatch(/s3cret|good/);
  });
});

describe("a question of Slack's whether this is the right place", () => {
  it("is answered, and no event", async () => {
    const secret = "slack-secret";
    sender.world.tenants.put("acme", {
      sources: { slack: { verify: { scheme: "slack", secrets: [secret] }, secretIds: ["id"] } },
    });
    const body = JSON.stringify({ type: "url_verification", challenge: "c-1" });
    const timestamp = String(Math.floor(sender.world.clock.nowMs() / 1_000));
    const { crypto, text } = sender.isolate.deliver;
    const mac = crypto.hmac("sha256", text.encode(secret), text.encode(`v0:${timestamp}:${body}`));
    const answer = await sender.send("acme/slack", body, {
      "content-type": "application/json",
      "x-slack-request-timestamp": timestamp,
      "x-slack-signature": `v0=${Buffer.from(mac).toString("hex")}`,
    });
    expect(answer).toEqual({ kind: "challenge", answer: "c-1" });
    sender.expectNothingKept();
  });
});

describe("without a store", () => {
  const isolateWith = (queue: boolean, outbox: boolean): AcceptPorts =>
    createIsolate(sender.world, {
      broken: {
        ...(queue ? {} : { queues: { ...sender.world.queues, send: down } }),
        ...(outbox ? {} : { outbox: { ...sender.world.outbox, put: down } }),
      },
    }).accept;

  it("for the queue, the outbox takes the event", async () => {
    await sender.accepted("acme/open", ORDER, {}, isolateWith(false, true));
    expect(sender.world.outbox.rows.size).toBe(1);
  });

  it("for either, the webhook is refused for now, and nothing is kept", async () => {
    expect(await sender.refused("acme/open", ORDER, {}, isolateWith(false, false))).toMatchObject({
      slug: "unavailable",
      retryAfterMs: 2_000,
    });
    sender.expectNothingKept();
    expect(sender.world.log.of("enqueue-failed")).toMatchObject([{ tenant: "acme" }]);
    expect(sender.isolate.accept.meter.read().events_accepted).toBe(0);
  });

  it("for one event of a batch, the answer waits for the others, which may go with other senders' events", async () => {
    const event = (id: string, data: string) => ({
      ...{ specversion: "1.0", id, source: "/shop", type: "order.created", data },
    });
    const { world } = sender;
    const beganAtMs = world.clock.nowMs();
    const send: Queues["send"] = async (queue, packs, delaySeconds) => {
      await world.clock.timer(500).elapsed;
      await world.queues.send(queue, packs, delaySeconds);
    };
    const isolate = createIsolate(world, { broken: { queues: { ...world.queues, send } } });
    const ports = { ...isolate.accept, archive: { ...world.archive, put: down } };
    const body = JSON.stringify([event("big", "x".repeat(100_000)), event("small", "x")]);
    const type = { "content-type": "application/cloudevents-batch+json" };
    await sender.refused("acme/open", body, type, ports);
    expect(world.clock.nowMs() - beganAtMs).toBe(500);
    expect(sender.recordsIn("bulk")).toMatchObject([{ key: `["/shop","small"]` }]);
  });

  it("for the limiter, webhooks are accepted", async () => {
    const { accept: ports } = createIsolate(sender.world, {
      broken: { limiter: { ...sender.world.limiter, lease: down } },
    });
    await sender.accepted("acme/limited", ORDER, {}, ports);
  });

  it("for the configuration, nothing is answered for good: it throws what means 503", async () => {
    const directory = { get: down, at: down, refresh: down, forget: () => {} };
    const ports = { ...sender.isolate.accept, directory };
    await expect(sender.send("acme/open", ORDER, {}, ports)).rejects.toThrow("down");
    sender.expectNothingKept();
  });
});

describe("a source whose secrets are locked", () => {
  it("takes nothing and puts its sender off; another source of its tenant goes on", async () => {
    const { world } = sender;
    const keyed = { ...ACME.sources?.keyed, isLocked: true };
    world.tenants.put("acme", { ...ACME, sources: { ...ACME.sources, keyed } });
    const sending = sender.send("acme/keyed", ORDER, { "x-key": "good" });
    await expect(sending).rejects.toMatchObject({ name: "Retryable", retryAfterMs: 60_000 });
    // Its secrets may have been sent anew: that is asked for, and no token is.
    expect(world.limiter.asked.map(({ asks }) => asks)).toEqual([[]]);
    await sender.accepted("acme/open", ORDER);
  });

  it("takes webhooks as soon as its secrets are sent anew, through whatever isolate", async () => {
    const { world } = sender;
    const keyed = { ...ACME.sources?.keyed, isLocked: true };
    world.tenants.put("acme", { ...ACME, sources: { ...ACME.sources, keyed } });
    const sending = sender.send("acme/keyed", ORDER, { "x-key": "good" });
    await expect(sending).rejects.toThrow("locked");
    const changed = world.tenants.put("acme", ACME);
    await world.limiter.announce("acme", changed.revision);
    await world.clock.advance(LEASE_TTL_MS);
    await sender.accepted("acme/keyed", ORDER, { "x-key": "good" });
  });
});
