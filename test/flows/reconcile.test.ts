/** Reconciliation: what the archive or the ledger lost is found from the other side, and mended once. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { bigKey, HOUR_MS } from "../../src/core/archive-keys.ts";
import {
  RECONCILE_BIG_GRACE_MS,
  RECONCILE_CALLS_MAX,
  RECONCILE_OBJECTS_MAX,
  RECONCILE_SHOWN_MAX,
} from "../../src/core/archive-limits.ts";
import { GENERATION_MS, LEASE_SECONDS, PACK_BYTES_MAX } from "../../src/core/limits.ts";
import { PRIORITIES } from "../../src/core/priority.ts";
import type { OutboxMode } from "../../src/flows/enqueue.ts";
import { reconcile } from "../../src/flows/reconcile.ts";
import type {
  Reconciled,
  ReconcilePorts,
  ReconcileRequest,
} from "../../src/flows/reconcile-pass.ts";
import { createMemoryListing } from "../support/memory-archive.ts";
import { createMemoryAudit } from "../support/memory-audit.ts";
import { boundTo, frameOf, type RecordSketch, recordOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, messageOf, messageWith, rowOf, statesOf } from "./consumer.ts";

let world: World;
let outbox: OutboxMode;

beforeEach(() => {
  world = createWorld();
  outbox = "on-failure";
  for (const tenant of ["acme", "other"]) {
    world.tenants.put(tenant, { targets: { pager: {}, mail: {} } });
  }
});

const START = Date.UTC(2026, 0, 1);
const DAY = { fromMs: START, untilMs: START + 24 * HOUR_MS };
const TO = ["pager", "mail"];
const idOf = (key: string, tenant = "acme"): string => recordOf({ key, tenant }).id;

/** Events that came and were delivered, in one batch; the lease of their consumer has ended. */
async function delivered(...sketches: RecordSketch[]): Promise<void> {
  const messages = sketches.map((sketch) => messageWith({ to: TO, ...sketch }));
  await consume(world, "normal", messages);
  await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
  world.transport.sent.length = 0;
}

function reconciling(
  request: Partial<ReconcileRequest> = {},
  broken: Partial<ReconcilePorts> = {},
): Promise<Reconciled> {
  const ids = ["acme", "other"];
  const ports: ReconcilePorts = {
    ...createIsolate(world, { outbox }).accept,
    listing: createMemoryListing(world.archive, platformText),
    audit: createMemoryAudit(world.ledger, world.clock),
    config: {
      async tenants(after, count) {
        const items = ids.filter((id) => id > after).slice(0, count);
        const unread = { doc: "{}", revision: 1, version: 1, createdAtMs: 0, updatedAtMs: 0 };
        return { items: items.map((id) => ({ id, ...unread })), after: null };
      },
    },
    ...broken,
  };
  const whole = { tenant: "acme", range: DAY, mend: true, cursor: null, ...request };
  return world.clock.run(reconcile(whole, ports));
}

/** Lets consumers have what the queues hold, and their leases end. */
async function consumeQueues(): Promise<void> {
  for (const priority of PRIORITIES) {
    const kept = [...world.queues.kept[priority].values()];
    world.queues.kept[priority].clear();
    await consume(
      world,
      priority,
      kept.map(({ body }) => messageOf(body)),
    );
  }
  await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
}

/** The row of an event is lost, with those of its deliveries unless they are kept. */
function forget(key: string): void {
  world.ledger.events.delete(idOf(key));
  for (const [at, { event }] of world.ledger.deliveries) {
    if (event === idOf(key)) world.ledger.deliveries.delete(at);
  }
}

function forgetDelivery(key: string, target: string): void {
  for (const [at, row] of world.ledger.deliveries) {
    if (row.event === idOf(key) && row.target === target) world.ledger.deliveries.delete(at);
  }
}

const sentTo = (): string[] => world.transport.sent.map(({ url }) => new URL(url).host).sort();
const PAGER = "pager.example.com";
const MAIL = "mail.example.com";

/** Where an event's row says that its bytes are. */
function pointerOf(key: string) {
  const row = world.ledger.events.get(idOf(key));
  if (row === undefined) throw new Error(`The ledger does not know ${key}.`);
  return row.pointer;
}

function pointTo(key: string, segment: string): void {
  const row = world.ledger.events.get(idOf(key));
  if (row === undefined) throw new Error(`The ledger does not know ${key}.`);
  world.ledger.events.set(row.id, { ...row, pointer: { ...row.pointer, segment } });
}

const nothing = { found: { "event-missing": 0, "delivery-missing": 0, "bytes-elsewhere": 0 } };

describe("an archive and a ledger that agree", () => {
  it("are read, and left as they are", async () => {
    await delivered({ key: "a" }, { key: "b" }, { key: "c", to: [] });
    expect(await reconciling()).toEqual({
      ...{ segments: 1, events: 3, known: 3, underWay: 0, expired: 0, mismatches: [] },
      found: { ...nothing.found, "bytes-missing": 0 },
      mended: { ...nothing.found, "bytes-missing": 0 },
      cursor: null,
    });
    await consumeQueues();
    expect(world.transport.sent).toEqual([]);
    expect(world.log.of("reconciled")).toEqual([]);
  });
});

describe("an event without a row", () => {
  it("is sent again as on its first way, once, however often the archive has it", async () => {
    await delivered({ key: "a" }, { key: "b" });
    const [bytes] = [...world.archive.objects.values()];
    world.archive.objects.set("segments/acme/2026-01-01T00/copy", bytes ?? new Uint8Array());
    forget("a");
    const { mended, mismatches } = await reconciling();
    expect(mended).toMatchObject({ "event-missing": 1, "delivery-missing": 0 });
    expect(mismatches).toMatchObject([
      { kind: "event-missing", event: idOf("a"), tenant: "acme", mended: true },
    ]);
    await consumeQueues();
    expect(sentTo()).toEqual([MAIL, PAGER]);
    expect(world.log.of("reconciled")).toHaveLength(1);
    expect(await reconciling()).toMatchObject({ known: 5, mended: { "event-missing": 0 } });
  });

  it("goes by the queue it came by, whole or by its place when it is big", async () => {
    const urgent = boundTo("pager", "critical");
    const receivedAtMs = START;
    const big = { key: "big", to: [urgent], receivedAtMs, priority: "critical" } as const;
    const key = bigKey(recordOf(big));
    world.archive.objects.set(key, frameOf(big, "x".repeat(PACK_BYTES_MAX)).bytes);
    await world.clock.advance(RECONCILE_BIG_GRACE_MS + 1);
    expect((await reconciling()).mended["event-missing"]).toBe(1);
    expect(world.queues.kept.critical.size).toBe(1);
    await consumeQueues();
    expect(sentTo()).toEqual([PAGER]);
    expect(pointerOf("big").segment).toBe(key);
  });

  it("is only named when that is all that is wished", async () => {
    await delivered({ key: "a" });
    forget("a");
    const { found, mended, mismatches } = await reconciling({ mend: false });
    expect([found["event-missing"], mended["event-missing"]]).toEqual([1, 0]);
    expect(mismatches).toMatchObject([{ kind: "event-missing", mended: false }]);
    expect(world.queues.kept.normal.size).toBe(0);
  });

  it("rests in the outbox first where a queue forgets", async () => {
    outbox = "always";
    await delivered({ key: "a" });
    forget("a");
    expect((await reconciling()).mended["event-missing"]).toBe(1);
    expect(world.outbox.rows.size).toBe(1); // until its consumer has settled it
  });

  it("is not called mended when no store takes it", async () => {
    await delivered({ key: "a" });
    forget("a");
    const down = () => Promise.reject(new Error("down"));
    const { accept } = createIsolate(world, {
      broken: { queues: { ...world.queues, send: down }, outbox: { ...world.outbox, put: down } },
    });
    expect(await reconciling({}, { commits: accept.commits })).toMatchObject({
      mended: { "event-missing": 0 },
      mismatches: [{ mended: false }],
    });
    expect(world.log.of("enqueue-failed")).toMatchObject([{ tenant: "acme", events: 1 }]);
    expect((await reconciling()).mended["event-missing"]).toBe(1);
  });

  it("is none that was lost while its big body still waits in a queue", async () => {
    const big = { key: "big", to: ["pager"], receivedAtMs: START };
    world.archive.objects.set(bigKey(recordOf(big)), frameOf(big).bytes);
    expect(await reconciling()).toMatchObject({ underWay: 1, mismatches: [] });
  });

  it("is none that was lost when the ledger no longer keeps what is so old", async () => {
    await delivered({ key: "a" });
    forget("a");
    await world.clock.advance(3 * GENERATION_MS);
    expect(await reconciling()).toMatchObject({ events: 1, expired: 1, mismatches: [] });
  });
});

describe("a delivery without a row", () => {
  it("goes out, and those of the same event that arrived do not", async () => {
    await delivered({ key: "a" }, { key: "b" });
    forgetDelivery("a", "mail");
    expect((await reconciling()).mended["delivery-missing"]).toBe(1);
    await consumeQueues();
    expect(sentTo()).toEqual([MAIL]);
    expect((await reconciling()).mended["delivery-missing"]).toBe(0);
  });

  it("is left alone while a consumer is at work on its event", async () => {
    await consume(world, "normal", [messageWith({ key: "a", to: TO })]);
    forgetDelivery("a", "mail");
    expect(await reconciling()).toMatchObject({ underWay: 1, mismatches: [] });
    expect(world.queues.kept.normal.size).toBe(0);
  });

  it("is one, too, when all that is missing is that no rule matched", async () => {
    await delivered({ key: "a", to: [] });
    world.ledger.deliveries.clear();
    expect((await reconciling()).mended["delivery-missing"]).toBe(1);
    await consumeQueues();
    expect([...world.ledger.deliveries.values()]).toMatchObject([{ state: "unmatched" }]);
  });

  it("is none that was lost when it went by age, and a replay brought its event's row back", async () => {
    await delivered({ key: "a" });
    world.ledger.deliveries.clear();
    await world.clock.advance(3 * GENERATION_MS);
    expect(await reconciling()).toMatchObject({ known: 1, expired: 1, mismatches: [] });
  });
});

describe("a suppressed copy", () => {
  it("is no mismatch, though it lies in the archive beside the others", async () => {
    await delivered({ key: "a" }, { key: "a", receipt: "rcp_2" }, { key: "b" });
    expect(await reconciling()).toMatchObject({ events: 3, known: 3, mismatches: [] });
  });

  it("does not lend its bytes to a row whose own are gone: they may be others", async () => {
    await delivered({ key: "a" });
    const { segment } = pointerOf("a");
    await delivered({ key: "a", receipt: "rcp_2" }, { key: "b" });
    world.archive.objects.delete(segment);
    const { found } = await reconciling();
    expect(found).toMatchObject({ "bytes-elsewhere": 0, "bytes-missing": 1 });
    expect(pointerOf("a").segment).toBe(segment);
  });

  it("does not come before the first one when the ledger has lost both", async () => {
    const later = { key: "a", receipt: "rcp_2", receivedAtMs: START + 1 };
    await delivered(later, { key: "a", receipt: "rcp_1" }, { key: "b" });
    const { receivedAtMs } = world.ledger.events.get(idOf("a")) ?? {};
    expect(receivedAtMs).toBe(START + 1);
    forget("a");
    await reconciling();
    await consumeQueues();
    expect(world.ledger.events.get(idOf("a"))?.receipt).toBe("rcp_1");
  });
});

describe("a row whose bytes are elsewhere", () => {
  it("is corrected, so that what is owed can be sent again", async () => {
    world.transport.answer = () => response(500);
    await delivered({ key: "a" }, { key: "b" });
    const { segment } = pointerOf("a");
    pointTo("a", "segments/acme/2026-01-01T00/gone");
    const { mended, mismatches } = await reconciling();
    expect(mended).toMatchObject({ "bytes-elsewhere": 1, "bytes-missing": 0 });
    expect(mismatches).toMatchObject([{ kind: "bytes-elsewhere", segment, mended: true }]);
    expect(pointerOf("a").segment).toBe(segment);
    expect((await reconciling()).mismatches).toEqual([]);
  });

  it("is not corrected while a consumer is at work, nor when that is not wished", async () => {
    await consume(world, "normal", [messageWith({ key: "a", to: TO })]);
    pointTo("a", "gone");
    expect((await reconciling()).mismatches).toEqual([]);
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    expect((await reconciling({ mend: false })).found).toMatchObject({
      ...{ "bytes-elsewhere": 1, "bytes-missing": 0 },
    });
    expect(pointerOf("a").segment).toBe("gone");
  });

  it("is right already when both places are there: one of two consumers died", async () => {
    await delivered({ key: "a" });
    const bytes = world.archive.objects.get(pointerOf("a").segment) ?? new Uint8Array();
    world.archive.objects.set("segments/acme/2026-01-01T00/0", bytes);
    expect(await reconciling()).toMatchObject({ events: 2, known: 2, mismatches: [] });
  });
});

describe("a row whose bytes are nowhere", () => {
  it("is named, and cannot be mended", async () => {
    await delivered({ key: "a" });
    const { segment } = pointerOf("a");
    world.archive.objects.clear();
    expect(await reconciling()).toMatchObject({
      ...{ segments: 0, events: 0, cursor: null },
      mismatches: [{ kind: "bytes-missing", event: idOf("a"), segment, mended: false }],
      mended: { "bytes-missing": 0 },
    });
  });

  it("is counted when there are more of them than can be named", async () => {
    const count = RECONCILE_SHOWN_MAX + 20;
    await delivered(...Array.from({ length: count }, (_, at) => ({ key: `k-${at}`, to: [] })));
    world.archive.objects.clear();
    const { found, mismatches } = await reconciling();
    expect(found["bytes-missing"]).toBe(count);
    expect(mismatches).toHaveLength(RECONCILE_SHOWN_MAX);
  });
});

describe("a slice", () => {
  it("has its start in it and not its end, within an hour and within a segment", async () => {
    const times = [START, START + 1_000, START + 2_000];
    await delivered(...times.map((receivedAtMs, at) => ({ key: `k-${at}`, receivedAtMs })));
    for (const at of times.keys()) forget(`k-${at}`);
    const range = { fromMs: START + 1_000, untilMs: START + 2_000 };
    const { events, mismatches } = await reconciling({ range });
    expect([events, mismatches.map(({ event }) => event)]).toEqual([1, [idOf("k-1")]]);
  });

  it("of one tenant holds nothing of another; of all, each in turn", async () => {
    const revision = world.tenants.revision("other") ?? 0;
    await delivered({ key: "a" }, { key: "b", tenant: "other", revision });
    forget("a");
    world.ledger.events.delete(idOf("b", "other"));
    expect((await reconciling({ mend: false })).mismatches).toMatchObject([{ tenant: "acme" }]);
    const all = await reconciling({ mend: false, tenant: null });
    expect(all.mismatches).toMatchObject([{ tenant: "acme" }, { tenant: "other" }]);
    expect(all.cursor).toBeNull();
  });
});

describe("a pass", () => {
  it("is bounded, and the next goes on where it stopped until all was looked at", async () => {
    const hours = RECONCILE_OBJECTS_MAX + 10;
    const range = { fromMs: START, untilMs: START + hours * HOUR_MS };
    for (let hour = 0; hour < hours; hour += 1) {
      const sketch = { key: `k-${hour}`, receivedAtMs: START + hour * HOUR_MS, to: TO };
      await consume(world, "normal", [messageWith(sketch)]);
    }
    await world.clock.advance((LEASE_SECONDS + 1) * 1_000);
    forget("k-0");
    forget(`k-${hours - 1}`);
    const first = await reconciling({ range });
    expect(first).toMatchObject({ segments: RECONCILE_OBJECTS_MAX, events: RECONCILE_OBJECTS_MAX });
    expect(first.cursor).toMatchObject({ tenant: "acme", phase: "segments" });
    const second = await reconciling({ range, cursor: first.cursor });
    expect(second).toMatchObject({ segments: 10, events: 10, cursor: null });
    expect([first, second].map(({ mended }) => mended["event-missing"])).toEqual([1, 1]);
    await consumeQueues();
    expect(rowOf(world, { key: "k-0", receivedAtMs: START }, "mail")?.state).toBe("delivered");
    expect(new Set(Object.values(statesOf(world)))).toEqual(new Set(["delivered"]));
  });

  it("ends with the calls it may make, and makes some way even with the last of them", async () => {
    await delivered({ key: "a" });
    let calls = 0;
    const listing = createMemoryListing(world.archive, platformText);
    const list: typeof listing.list = async (...asked) => {
      calls += 1;
      if (calls === RECONCILE_CALLS_MAX) return listing.list(...asked);
      return { items: [], next: `segments/acme/${String(calls).padStart(9, "0")}` };
    };
    const result = await reconciling({}, { listing: { ...listing, list } });
    expect(result).toMatchObject({ segments: 1, known: 1, cursor: { phase: "big", after: null } });
    expect(calls).toBe(RECONCILE_CALLS_MAX);
  });
});
