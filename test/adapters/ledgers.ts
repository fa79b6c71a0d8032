/** The two ledgers under test, the real one and the simulation's, and what is claimed and settled in them. */
import { env } from "cloudflare:workers";
import { createArchive } from "../../src/adapters/archive.ts";
import { createArchiveListing } from "../../src/adapters/archive-listing.ts";
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { createBatches } from "../../src/adapters/d1/batches.ts";
import { createConfigStore } from "../../src/adapters/d1/config-store.ts";
import { runningDeletions } from "../../src/adapters/d1/deletions.ts";
import { createFanOuts } from "../../src/adapters/d1/fan-outs.ts";
import { createLedger } from "../../src/adapters/d1/ledger.ts";
import { createPulls } from "../../src/adapters/d1/pulls.ts";
import { createQueueControls } from "../../src/adapters/d1/queue-controls.ts";
import { createRemover } from "../../src/adapters/d1/remover.ts";
import { createReplays } from "../../src/adapters/d1/replays.ts";
import { createSession } from "../../src/adapters/d1/session.ts";
import { acrossSlots, deliveriesOf, duplicatesOf } from "../../src/adapters/d1/slots.ts";
import { createTurns } from "../../src/adapters/d1/turns.ts";
import { createFanOutJobs } from "../../src/adapters/fan-out-jobs.ts";
import { createVault } from "../../src/adapters/secrets.ts";
import { createMeter, systemClock } from "../../src/adapters/system.ts";
import { type BatchBody, batchLimitsOf } from "../../src/core/batch/batch.ts";
import { CLAIM_MAX } from "../../src/core/limits.ts";
import { compileOrder, type OrderDoc } from "../../src/core/order/order.ts";
import type { QueueName } from "../../src/core/priority.ts";
import { pullTargetOf } from "../../src/core/pull/pull.ts";
import { uncontrolled } from "../../src/core/queue-control.ts";
import type { Archive } from "../../src/ports/archive.ts";
import type { Batches } from "../../src/ports/batches.ts";
import {
  type AgainClaim,
  type ClaimRequest,
  type FirstClaim,
  firstKey,
} from "../../src/ports/claim.ts";
import type { Deletions } from "../../src/ports/deletions.ts";
import type { FanOutId, FanOutJobs, FanOuts } from "../../src/ports/fan-outs.ts";
import type { DeliveryResult, DueDelivery, Ledger } from "../../src/ports/ledger.ts";
import type { Pulls } from "../../src/ports/pulls.ts";
import type { Replays } from "../../src/ports/replays.ts";
import type { Turns } from "../../src/ports/turns.ts";
import { createMemoryArchive, createMemoryListing } from "../support/memory-archive.ts";
import { createMemoryBatches } from "../support/memory-batches.ts";
import { createMemoryDeletions } from "../support/memory-deletions.ts";
import { createMemoryFanOuts } from "../support/memory-fan-outs.ts";
import { createMemoryLedger } from "../support/memory-ledger.ts";
import { createMemoryPulls } from "../support/memory-pulls.ts";
import { createMemoryReplays } from "../support/memory-replays.ts";
import { createMemoryTenants, NO_GATE } from "../support/memory-tenants.ts";
import { createMemoryTurns } from "../support/memory-turns.ts";

export interface Subject {
  readonly name: string;
  readonly ledger: Ledger;
  readonly turns: Turns;
  readonly replays: Replays;
  readonly fanOuts: FanOuts & Pick<FanOutJobs, "create" | "forget" | "overdue">;
  /** Has a fan-out begun so long ago. */
  ageFanOut(fanOut: FanOutId, ageMs: number): Promise<void>;
  /** Makes sure that there are such tenants, and counts as no cost of the ledger's. */
  ensure(tenants: Iterable<string>): Promise<void>;
  /** Makes a tenant with a target `sink`; answers its revision. */
  prepare(tenant: string): Promise<number>;
  readonly pulls: Pulls;
  readonly batches: Batches;
  /** Makes the target `sink` of a tenant one that gets batches, or with null none any more. */
  haveBatched(tenant: string, batch?: BatchBody | null): Promise<void>;
  /** Makes the target `sink` of a tenant one that keeps an order. */
  haveOrdered(tenant: string): Promise<void>;
  /** Makes the target `sink` of a tenant one that is pulled. */
  havePulled(tenant: string): Promise<void>;
  /** As an operator does. */
  pauseQueue(queue: QueueName, isPaused: boolean): Promise<void>;
  /** Deletes the target `sink` of a tenant. */
  removeTarget(tenant: string): Promise<void>;
  /** How the only delivery of an event stands. */
  stateOf(
    first: FirstClaim,
  ): Promise<{ state: unknown; lastError: unknown; type: unknown } | undefined>;
  /** Deletes a tenant, which begins a job. */
  deleteTenant(tenant: string, job: string): Promise<void>;
  readonly deletions: Deletions;
  readonly archive: Archive;
  /** Receipts of the copies of an event that were recorded. */
  copiesOf(event: string): Promise<string[]>;
}

export const meter = createMeter();
export const session = createSession(env.DB, meter);
export const vault = createVault(env.ENCRYPTION_KEY ?? "");
export const config = createConfigStore(session, vault);

const ORDER: OrderDoc = { key: "$.data.id", mode: "fifo" };
const SINK = { kind: "http", url: "https://sink.example.com/" };

const real: Subject = {
  name: "D1",
  ledger: createLedger(session),
  turns: createTurns(session),
  replays: createReplays(session),
  fanOuts: {
    ...createFanOuts(session, { crypto: platformCrypto, text: platformText }),
    ...createFanOutJobs(session, {} as never, meter),
  },
  async ageFanOut({ tenant, id }, ageMs) {
    const sql = "UPDATE fan_outs SET created_at = created_at - ?3 WHERE tenant = ?1 AND id = ?2";
    await env.DB.prepare(sql).bind(tenant, id, ageMs).run();
  },
  async ensure(ids) {
    await env.DB.prepare(
      `INSERT INTO tenants (id, doc, revision, version, created_at, updated_at)
       SELECT value, '{}', 1, 1, 1, 1 FROM json_each(?1) WHERE true
       ON CONFLICT DO NOTHING`,
    )
      .bind(JSON.stringify([...ids]))
      .run();
  },
  async prepare(tenant) {
    await config.putTenant(tenant, "{}", null);
    const sink = { doc: JSON.stringify(SINK), secrets: null };
    const written = await config.putResource(tenant, "target", "sink", sink, null);
    if (written.kind !== "written") throw new Error(written.kind);
    return written.revision;
  },
  pulls: createPulls(session),
  batches: createBatches(session),
  async haveBatched(tenant, batch = { seconds: 5 }) {
    const doc = JSON.stringify({ ...SINK, batch: batch ?? undefined });
    const sink = { doc, secrets: null };
    await config.putResource(tenant, "target", "sink", sink, null);
  },
  async haveOrdered(tenant) {
    const sink = { doc: JSON.stringify({ ...SINK, order: ORDER }), secrets: null };
    await config.putResource(tenant, "target", "sink", sink, null);
  },
  async havePulled(tenant) {
    const sink = { doc: JSON.stringify({ kind: "pull" }), secrets: null };
    await config.putResource(tenant, "target", "sink", sink, null);
  },
  pauseQueue: async (queue, isPaused) =>
    void (await createQueueControls(session).pause(queue, isPaused)),
  async removeTarget(tenant) {
    await config.deleteResource(tenant, "target", "sink", null);
  },
  async stateOf({ id }) {
    const query = acrossSlots(
      (slot) => `SELECT state, last_error, type FROM ${deliveriesOf(slot)} WHERE event = ?1`,
    );
    const row = await env.DB.prepare(query).bind(id).first<Record<string, unknown>>();
    if (row === null) return undefined;
    return { state: row.state, lastError: row.last_error, type: row.type };
  },
  async deleteTenant(tenant, job) {
    const written = await config.deleteTenant(tenant, null, job);
    if (written.kind !== "written") throw new Error(written.kind);
  },
  deletions: {
    running: (count) => runningDeletions(session, count),
    remover: async () =>
      createRemover(session, createArchiveListing(env.ARCHIVE, platformText, meter)),
  },
  archive: createArchive(env.ARCHIVE, platformText, meter),
  async copiesOf(event) {
    const query = env.DB.prepare(
      `${acrossSlots((slot) => `SELECT receipt FROM ${duplicatesOf(slot)} WHERE event = ?1`)}
       ORDER BY receipt`,
    );
    const { results } = await query.bind(event).all<{ receipt: string }>();
    return results.map(({ receipt }) => receipt);
  },
};

const tenants = createMemoryTenants();
const inMemory = createMemoryLedger(systemClock, tenants);
const archive = createMemoryArchive(platformText);
const listing = createMemoryListing(archive, platformText);
const deletions = createMemoryDeletions(systemClock, tenants, inMemory, listing);
const pullsInMemory = createMemoryPulls(systemClock, inMemory, tenants);
const fanOutsInMemory = createMemoryFanOuts(systemClock, tenants, inMemory);
const simulated: Subject = {
  name: "memory",
  ledger: inMemory,
  turns: createMemoryTurns(systemClock, inMemory, tenants),
  replays: createMemoryReplays(systemClock, tenants, inMemory),
  fanOuts: fanOutsInMemory,
  async ageFanOut({ tenant, id }, ageMs) {
    const found = fanOutsInMemory.rows.get(`${tenant} ${id}`);
    if (found === undefined) throw new Error("there is none");
    const createdAtMs = found.createdAtMs - ageMs;
    fanOutsInMemory.rows.set(`${tenant} ${id}`, { ...found, createdAtMs });
  },
  async ensure(ids) {
    for (const id of ids) if (tenants.born(id) === undefined) tenants.put(id, {});
  },
  prepare: async (tenant) => tenants.put(tenant, { targets: { sink: {} } }).revision,
  pulls: pullsInMemory,
  batches: createMemoryBatches(systemClock, inMemory, pullsInMemory),
  async haveBatched(tenant, batch = { seconds: 5 }) {
    const gate = batch === null ? NO_GATE : { ...NO_GATE, batch: batchLimitsOf(batch) };
    tenants.put(tenant, { targets: { sink: { gate } } });
  },
  haveOrdered: async (tenant) =>
    void tenants.put(tenant, { targets: { sink: { order: compileOrder(ORDER) } } }),
  havePulled: async (tenant) =>
    void tenants.put(tenant, { targets: { sink: { other: pullTargetOf({}) } } }),
  pauseQueue: async (queue, isPaused) =>
    void inMemory.controls.set(queue, { ...uncontrolled(queue), isPaused }),
  removeTarget: async (tenant) => void tenants.put(tenant, {}),
  stateOf: async ({ id }) => [...inMemory.deliveries.values()].find(({ event }) => event === id),
  deleteTenant: async (tenant, job) => void deletions.begin(tenant, job),
  deletions,
  archive,
  copiesOf: async (event) =>
    [...inMemory.duplicates.values()]
      .filter((copy) => copy.event === event)
      .map(({ receipt }) => receipt)
      .sort(),
};

export const SUBJECTS: readonly Subject[] = [real, simulated];

let serial = 0;
const fresh = (prefix: string): string => {
  serial += 1;
  return `${prefix}${String(serial).padStart(26, "0")}`;
};
export const freshToken = (): string => fresh("token-");
export const freshTenant = (): string => fresh("t-");

/** An event that no other test has. */
export function firstOf(sketch: Partial<FirstClaim> = {}): FirstClaim {
  return {
    id: fresh("evt_"),
    receipt: fresh("rcp_"),
    tenant: "acme",
    source: "shop",
    type: "order.created",
    receivedAtMs: Date.UTC(2026, 0, 1),
    revision: Number.MAX_SAFE_INTEGER, // of the tenant's present life, whenever it began
    pointer: { segment: "acme/segments/2026-01-01/1", offset: 0, length: 100 },
    ...sketch,
  };
}

/** A lease that has ended before anyone can ask. */
export const ENDED = -1;

/** A claim of events whose tenants there are. */
export async function claim(
  ledger: Ledger,
  token: string,
  request: Partial<Omit<ClaimRequest, "token">>,
) {
  const { firsts = [], agains = [] } = request;
  const owners = new Set([...firsts, ...agains].map(({ tenant }) => tenant));
  const subject = SUBJECTS.find((each) => each.ledger === ledger) ?? real;
  if (owners.size > 0) await subject.ensure(owners);
  return ledger.claim({
    ...{ token, leaseSeconds: 90, firsts: [], agains: [], tenants: [] },
    ...request,
  });
}

/** The kinds of what a claim of first ones was answered, in their order. */
export async function claimFirsts(
  ledger: Ledger,
  token: string,
  firsts: readonly FirstClaim[],
  leaseSeconds = 90,
): Promise<(string | undefined)[]> {
  const answer = await claim(ledger, token, { firsts, leaseSeconds });
  return firsts.map((first) => answer.firsts.get(firstKey(first))?.kind);
}

/** What became of an event's delivery; delivered at the first attempt unless it says otherwise. */
export function resultOf(first: FirstClaim, sketch: Partial<DeliveryResult> = {}): DeliveryResult {
  const { tenant, receivedAtMs, id: event, source, type } = first;
  return {
    ...{ tenant, receivedAtMs, event, source, type, subscription: "s1", rule: "all" },
    ...{ target: "sink", priority: "normal", state: "delivered", attempts: 1, dueInMs: null },
    ...{ lastStatus: 200, lastError: null, claimedBy: "event" },
    attempt: attemptOf(sketch.attempts ?? 1),
    ...sketch,
  };
}

const attemptOf = (number: number): DeliveryResult["attempt"] => ({
  ...{ number, at: "2026-01-01T00:00:00.000Z", durationMs: 5 },
  ...{ status: 200, error: null, answer: "ok" },
});

export const retrying = (sketch: Partial<DeliveryResult> = {}): Partial<DeliveryResult> => ({
  ...{ state: "retrying", dueInMs: 0, lastStatus: 500, lastError: "status 500" },
  ...sketch,
});

/** The claim of a delivery that is tried again. */
export function againOf(first: FirstClaim, sketch: Partial<AgainClaim> = {}): AgainClaim {
  const { tenant, receivedAtMs, id: event } = first;
  const { revision } = first;
  return { tenant, receivedAtMs, event, subscription: "s1", attempts: 1, revision, ...sketch };
}

/** An event claimed and settled once as `sketch` says. */
export async function settledOnce(
  ledger: Ledger,
  sketch: Partial<DeliveryResult>,
  first: FirstClaim = firstOf(),
): Promise<FirstClaim> {
  const token = freshToken();
  await claim(ledger, token, { firsts: [first] });
  const { refused } = await ledger.settle(token, [resultOf(first, sketch)], []);
  if (refused.size > 0) throw new Error("the claim was not held");
  return first;
}

/** The same of many, so many at a time as a claim may have. */
export async function settledAll(
  ledger: Ledger,
  firsts: readonly FirstClaim[],
  sketch: Partial<DeliveryResult> = {},
): Promise<void> {
  for (let from = 0; from < firsts.length; from += CLAIM_MAX) {
    const [own, token] = [firsts.slice(from, from + CLAIM_MAX), freshToken()];
    await claimFirsts(ledger, token, own);
    await ledger.settle(
      token,
      own.map((first) => resultOf(first, sketch)),
      [],
    );
  }
}

/** What of a target is parked, whether it was attempted before or not. */
export async function takeParked(
  ledger: Ledger,
  tenant: string,
  target: string,
  count: number,
): Promise<readonly DueDelivery[]> {
  return (await ledger.takeParked(tenant, target, { count, retries: count })).taken;
}

/** What a tenant is owed within the horizon, in the ledger's order. */
export async function dueOf(
  ledger: Ledger,
  tenant: string,
  horizonMs = 1_000,
): Promise<DueDelivery[]> {
  return (await ledger.due(horizonMs, 10_000)).filter((due) => due.tenant === tenant);
}

/** Rows written and round trips made by `work`. */
export async function costOf(
  work: () => Promise<unknown>,
): Promise<{ rows: number; trips: number }> {
  const before = meter.read();
  await work();
  const after = meter.read();
  return {
    rows: after.d1_rows_written - before.d1_rows_written,
    trips: after.d1_round_trips - before.d1_round_trips,
  };
}
