/** What an event costs, by the router's own counters: counts and ratios, never times. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Counter } from "../../src/ports/meter.ts";
import { type Answer, type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { sendMany, statusesOf } from "../support/senders.ts";
import { eventually } from "../support/wait.ts";

const EVENTS = 3_000;
const SENDERS = 64;

type Counts = Readonly<Record<Counter, number>>;

let router: Router;
let receiver: Receiver;

async function start(outbox: "on-failure" | "always", answer?: Answer): Promise<void> {
  const vars = { OUTBOX: outbox };
  [router, receiver] = await Promise.all([startRouter({ vars }), startReceiver(answer)]);
  const limit = { eventsPerSecond: 10_000, burst: 10_000, overflow: "reject" };
  const { admin } = router;
  await admin.put("tenants/acme", { limit });
  await admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
  await admin.put("tenants/acme/sources/signed", { verify: { scheme: "github", secrets: ["s"] } });
  const sink = { kind: "http", url: receiver.url, timeoutMs: 30_000 };
  await admin.put("tenants/acme/targets/sink", sink);
  const pattern = { source: ["open"] };
  await admin.put("tenants/acme/rules/all", { pattern, priority: "normal", targets: ["sink"] });
}

async function stop(): Promise<void> {
  await router?.stop();
  await receiver?.stop();
}

const counts = async (): Promise<Counts> => (await router.admin.get("counters")).body;

function difference(after: Counts, before: Counts): Counts {
  const names = Object.keys(after) as Counter[];
  const entries = names.map((name) => [name, after[name] - before[name]]);
  return Object.fromEntries(entries) as Counts;
}

/** What `work` cost until `events` of it were delivered, written down and struck off the outbox. */
async function costOf(events: number, work: () => Promise<unknown>): Promise<Counts> {
  const before = await counts();
  await work();
  return eventually(
    async () => difference(await counts(), before),
    (cost) =>
      cost.deliveries_delivered >= events &&
      cost.d1_rows_written >= 2 * events &&
      cost.durable_object_rows_written >= 2 * cost.outbox_rows,
    60_000,
  );
}

const sendTo = (source: string, count: number, senders: number) =>
  sendMany({
    url: `${router.url}/in/acme/${source}`,
    senders,
    count,
    body: (index) => JSON.stringify({ index, at: performance.now(), text: "x".repeat(300) }),
  });

/** One event and all it brings: the tenant is known and leased afterwards, and nothing is under way. */
const warmUp = (): Promise<Counts> => costOf(1, () => sendTo("open", 1, 1));

describe(`events of ${SENDERS} senders at once, with one rule and one target`, () => {
  let cost: Counts;

  beforeAll(async () => {
    await start("on-failure");
    await warmUp();
    cost = await costOf(EVENTS, () => sendTo("open", EVENTS, SENDERS));
  });

  afterAll(stop);

  it("are accepted and delivered once each, so that what follows is divided by the right number", () => {
    expect(cost).toMatchObject({
      events_accepted: EVENTS,
      events_refused: 0,
      events_duplicate: 0,
      deliveries_attempted: EVENTS,
      deliveries_delivered: EVENTS,
    });
  });

  it("write two D1 rows each and not one more: the event's and its delivery's", () => {
    expect(cost.d1_rows_written).toBe(2 * EVENTS);
  });

  it("take at most a twentieth of a D1 round trip each, claim and settle together", () => {
    expect(cost.d1_round_trips / EVENTS).toBeLessThanOrEqual(0.05);
  });

  it("take at most a tenth of a Durable Object call each, under a limit", () => {
    expect(cost.durable_object_calls / EVENTS).toBeLessThanOrEqual(0.1);
    expect(cost.outbox_rows).toBe(0);
    expect(cost.durable_object_rows_written).toBeLessThanOrEqual(cost.durable_object_calls);
  });

  it("travel ten and more in a message", () => {
    expect(EVENTS / cost.queue_messages).toBeGreaterThanOrEqual(10);
  });

  it("are archived a hundred and more in an object, so that none costs an R2 put of its own", () => {
    expect(EVENTS / cost.r2_puts).toBeGreaterThanOrEqual(100);
    expect(cost.r2_gets).toBe(0);
  });
});

describe("events with OUTBOX=always", () => {
  let cost: Counts;

  beforeAll(async () => {
    await start("always");
    await warmUp();
    cost = await costOf(EVENTS, () => sendTo("open", EVENTS, SENDERS));
  });

  afterAll(stop);

  it("take at most a tenth of a Durable Object call each too, the limiter's and the outbox's", () => {
    expect(EVENTS / cost.outbox_rows).toBeGreaterThanOrEqual(10);
    expect(cost.durable_object_calls / EVENTS).toBeLessThanOrEqual(0.1);
  });

  it("write a row for each pack that is kept and one when it is struck off, at most 0.3 an event", () => {
    const { outbox_rows, durable_object_calls, durable_object_rows_written } = cost;
    expect(durable_object_rows_written).toBeLessThanOrEqual(2 * outbox_rows + durable_object_calls);
    expect(durable_object_rows_written / EVENTS).toBeLessThanOrEqual(0.3);
  });

  it("are archived a hundred and more in an object", () => {
    expect(EVENTS / cost.r2_puts).toBeGreaterThanOrEqual(100);
  });
});

describe("ingest", () => {
  beforeAll(async () => {
    await start("on-failure");
    await warmUp();
  });

  afterAll(stop);

  it("touches no store for webhooks that it refuses as not signed", async () => {
    const before = await counts();
    const sent = await sendTo("signed", 200, SENDERS);
    expect(statusesOf(sent)).toEqual(new Set([401]));
    const cost = difference(await counts(), before);
    expect(cost).toMatchObject({ d1_round_trips: 0, queue_sends: 0, r2_puts: 0, outbox_rows: 0 });
    expect(cost.durable_object_calls).toBeLessThan(20); // whether the secrets changed, once a lease
  });

  it("touches neither D1 nor R2 for an event it accepts: what there is comes by the batch", async () => {
    await router.admin.post("queues/normal/pause");
    const before = await counts();
    const sent = await sendTo("open", EVENTS, SENDERS);
    expect(statusesOf(sent)).toEqual(new Set([202]));
    const cost = difference(await counts(), before);
    expect(cost).toMatchObject({ events_accepted: EVENTS, deliveries_attempted: 0 });
    // The batch that is held asks each half second whether its queue is still paused.
    expect(cost.d1_round_trips).toBeLessThan(EVENTS / 10);
    expect(cost.r2_puts).toBeLessThan(EVENTS / 100);
  });
});

describe("a lone event", () => {
  beforeAll(() => start("on-failure"));
  afterAll(stop);

  it("goes in a message of its own, with one claim, one settle and no third of anything", async () => {
    await warmUp();
    const cost = await costOf(1, () => sendTo("open", 1, 1));
    expect(cost).toMatchObject({
      queue_sends: 1,
      queue_messages: 1,
      outbox_rows: 0,
      d1_round_trips: 2,
      d1_rows_written: 2,
      r2_puts: 1,
    });
    expect(cost.durable_object_calls).toBeLessThanOrEqual(1);
  });
});
