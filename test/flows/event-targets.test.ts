/** Targets that make a new event of each they get: once, by the rules of now, and no circle goes on for ever. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import type { EventRecord } from "../../src/core/enqueue/record.ts";
import { SAGA_HOPS_MAX } from "../../src/core/saga/limits.ts";
import type { EventTarget } from "../../src/core/tenant.ts";
import { acceptEvent } from "../../src/flows/accept-event.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { createIsolate, createWorld, type Isolate, type World } from "../support/memory-router.ts";
import type { RuleSketch, TenantSketch } from "../support/memory-tenants.ts";
import { webhook } from "./sender.ts";

let world: World;
let isolate: Isolate;

beforeEach(() => {
  world = createWorld();
  isolate = createIsolate(world);
});

const paid: EventTarget = { kind: "event", source: "billing", type: "order.paid" };

/** What comes from `shop` becomes an event of `billing`, which is mailed. */
function tenantWith(
  rule: Partial<RuleSketch> = {},
  target: object = {},
  more: Pick<TenantSketch, "limit"> = {},
) {
  world.tenants.put("acme", {
    ...{ sources: { shop: {} }, ...more },
    targets: { again: { other: paid, ...target }, mail: {} },
    rules: {
      again: { pattern: { source: ["shop"] }, targets: ["again"], ...rule },
      told: { pattern: { source: ["billing"] }, priority: "critical", targets: ["mail"] },
    },
  });
}

async function send(body: string, headers: Readonly<Record<string, string>> = {}) {
  const sent = webhook("acme/shop", body, { "content-type": "application/json", ...headers });
  const acceptance = await world.clock.run(acceptEvent(sent, isolate.accept));
  if (acceptance.kind !== "accepted") throw new Error(JSON.stringify(acceptance));
  return acceptance.events[0]?.id ?? "";
}

/** Delivers whatever is queued, and what comes of it. */
async function drain(ports = isolate.deliver) {
  for (let found = 1; found > 0; ) {
    found = 0;
    for (const role of ["critical", "normal", "bulk"] as const) {
      const messages = world.queues.take(role, 100);
      found += messages.length;
      if (messages.length > 0) await world.clock.run(deliverBatch(role, messages, ports));
    }
  }
}

const rows = (target: string) =>
  [...world.ledger.deliveries.values()].filter((row) => row.target === target);
const sent = (at = 0) => {
  const { headers, body } = world.transport.sent[at] ?? { headers: new Map(), body: "" };
  const text = body instanceof Uint8Array ? platformText.decode(body) : null;
  return { headers: Object.fromEntries(headers), text };
};

describe("a target of kind event", () => {
  it("makes an event of its own source and type, with the data as rules saw it", async () => {
    tenantWith();
    const id = await send("total=12.50&total2=1", {
      "content-type": "application/x-www-form-urlencoded",
      "x-hub-signature": "sha1=00",
    });
    await drain();
    const { headers, text } = sent();
    expect(text).toBe('{"total":"12.50","total2":"1"}');
    expect(headers).toMatchObject({
      ...{ "ce-source": "/acme/billing", "ce-type": "order.paid" },
      "content-type": "application/json",
    });
    expect(headers["signalbox-event"]).not.toBe(id);
    expect(headers).not.toHaveProperty("x-hub-signature");
    expect(rows("again")).toMatchObject([{ state: "delivered", attempts: 1 }]);
  });

  it("keeps every number exact, and the type unless it has one", async () => {
    tenantWith({}, { other: { ...paid, type: null } });
    await send('{"total":12.5,"id":12345678901234567890}');
    await drain();
    expect(sent().text).toBe('{"total":12.5,"id":12345678901234567890}');
    expect(sent().headers["ce-type"]).toBe("webhook");
  });

  it("publishes what the rule's transformer makes of the event", async () => {
    const again = { paths: { id: "$.data.id" }, template: { order: "<id>" } };
    tenantWith({ transformers: { again: { ...again, missing: "refuse" } } });
    await send('{"id":7,"card":"4111"}');
    await drain();
    expect(sent().text).toBe('{"order":7}');
  });

  it("goes on in the trace of the event, and names the delivery that it comes from", async () => {
    tenantWith();
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    await send("{}", { traceparent: `00-${trace}-00f067aa0ba902b7-01` });
    const records: EventRecord[] = [];
    const { publisher } = isolate.deliver;
    await drain({
      ...isolate.deliver,
      publisher: {
        async publish(event) {
          const { add } = isolate.accept.commits.critical;
          isolate.accept.commits.critical.add = (item) => {
            if ("record" in item.content) records.push(item.content.record);
            return add(item);
          };
          return publisher.publish(event).finally(() => {
            isolate.accept.commits.critical.add = add;
          });
        },
      },
    });
    expect(records[0]?.traceparent).toMatch(new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)`));
    expect(records[0]).toMatchObject({
      ...{ parent: expect.stringMatching(/^dlv_/), key: records[0]?.parent, hops: 1 },
    });
  });

  it("makes one event however often it is attempted, and of a process that died after it", async () => {
    tenantWith({}, { retry: { delaysSeconds: [1, 1] } });
    await send("{}");
    let isDown = true;
    await drain({
      ...isolate.deliver,
      publisher: {
        async publish(event) {
          const answer = await isolate.deliver.publisher.publish(event);
          if (!isDown) return answer;
          isDown = false;
          return { kind: "timeout" };
        },
      },
    });
    expect(rows("again")).toMatchObject([{ state: "retrying" }]);
    await world.clock.advance(2_000);
    await drain();
    expect(rows("again")).toMatchObject([{ state: "delivered", attempts: 2 }]);
    expect(rows("mail")).toMatchObject([{ state: "delivered" }]);
    expect(world.transport.sent).toHaveLength(1);
    expect([...world.ledger.duplicates.values()]).toHaveLength(1);
  });

  it("leads to nothing more urgent than bulk where the event itself may not", async () => {
    const limit = { perSecond: 0.001, burst: 1, overflow: "demote" } as const;
    tenantWith({}, {}, { limit });
    await send('{"n":1}');
    await send('{"n":2}');
    await drain();
    expect(rows("mail").map(({ priority }) => priority)).toEqual(["bulk", "bulk"]);
  });
});

describe("refused is what a target would publish", () => {
  it("when it has gone round in a circle: the last delivery is a dead letter and says so", async () => {
    tenantWith({ pattern: { source: ["shop", "billing"] } });
    await send("{}");
    await drain();
    const dead = rows("again").filter(({ state }) => state === "dead");
    expect(rows("again")).toHaveLength(SAGA_HOPS_MAX + 1);
    expect(dead).toMatchObject([
      {
        lastError:
          "refused: 10 published events have led to it, one after another, and no more may",
      },
    ]);
    expect(world.transport.sent).toHaveLength(SAGA_HOPS_MAX);
  });

  it("above the tenant's limit: it waits as after a 429, and is published then", async () => {
    const limit = { perSecond: 1, burst: 1, overflow: "reject" } as const;
    tenantWith({}, { retry: { delaysSeconds: [1, 1, 1] } }, { limit });
    await send("{}");
    await drain();
    expect(rows("again")).toMatchObject([{ state: "retrying", lastStatus: 429 }]);
    expect(rows("mail")).toEqual([]);
    await world.clock.advance(5_000);
    await drain();
    expect(rows("mail")).toMatchObject([{ state: "delivered" }]);
  });

  it("when its data is too large to be read", async () => {
    tenantWith();
    await send(`{"text":"${"x".repeat(70_000)}"}`);
    await drain();
    expect(rows("again")).toMatchObject([
      { state: "dead", lastError: expect.stringMatching(/^refused: its data is too large/) },
    ]);
  });

  it("when no store takes it: no attempt is counted, and it is tried again", async () => {
    tenantWith();
    await send("{}");
    const [message] = world.queues.take("normal", 1);
    world.queues.refuses = true;
    world.outbox.put = async () => false;
    await world.clock.run(
      deliverBatch("normal", message === undefined ? [] : [message], isolate.deliver),
    );
    expect(rows("again").filter(({ state }) => state !== "pending")).toEqual([]);
    expect(world.log.lines.map(({ event }) => event)).toContain("attempt-not-made");
    world.queues.refuses = false;
    await world.clock.advance(30_000);
    await drain();
    expect(rows("mail")).toMatchObject([{ state: "delivered" }]);
  });

  it("when it does not become durable in time", async () => {
    tenantWith();
    await send("{}");
    const late: Promise<void>[] = [];
    await drain({
      ...isolate.deliver,
      defer: (work) => void late.push(work),
      publisher: { publish: () => new Promise(() => {}) },
    });
    await world.clock.run(Promise.all(late));
    expect(rows("again")).toMatchObject([{ state: "retrying", attempts: 1 }]);
  });
});
