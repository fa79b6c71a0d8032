/** What goes to a target in batches, in both ledgers: found, leased, settled each by itself; and what it costs. */
import { describe, expect, it } from "vitest";
import { WAITS_FOR_ITS_BATCH } from "../../src/core/batch/batch.ts";
import { BATCH_TOKEN, type BatchResult } from "../../src/ports/batches.ts";
import type { FirstClaim } from "../../src/ports/claim.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { DeliveryResult } from "../../src/ports/ledger.ts";
import type { HeldLease } from "../../src/ports/pulls.ts";
import {
  costOf,
  firstOf,
  freshTenant,
  freshToken,
  SUBJECTS,
  settledOnce,
  takeParked,
} from "./ledgers.ts";

const parked: Partial<DeliveryResult> = {
  ...{ state: "parked", attempts: 0, attempt: null, dueInMs: 0 },
  lastError: WAITS_FOR_ITS_BATCH,
};
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

describe.each(SUBJECTS)("what waits for a batch in $name", (subject) => {
  const { ledger, pulls, batches, prepare, haveBatched, stateOf } = subject;

  async function target() {
    const tenant = freshTenant();
    await prepare(tenant);
    await haveBatched(tenant);
    return { tenant, target: "sink" };
  }
  type Id = Awaited<ReturnType<typeof target>>;

  const park = ({ tenant }: Id, more: Partial<DeliveryResult> = {}, at: Partial<FirstClaim> = {}) =>
    settledOnce(ledger, { ...parked, ...more }, firstOf({ tenant, ...at }));

  async function take(id: Id, leaseMs = MINUTE_MS): Promise<HeldLease[]> {
    const [{ ready }, token] = [await batches.look(id, 100), `${BATCH_TOKEN}${freshToken()}`];
    const leased = await pulls.lease(ready, token, leaseMs);
    return ready
      .filter((each) => leased.has(keyOf(each)))
      .map((each) => ({ ...each, token, leasedAtMs: Date.now() }));
  }

  const result = (lease: HeldLease, more: Partial<BatchResult> = {}): BatchResult => ({
    ...{ ...lease, state: "delivered", dueInMs: null, lastStatus: 200, lastError: null },
    attempt: {
      ...{ number: 1, at: "2026-01-01T00:00:00.000Z", durationMs: 5, status: 200, error: null },
      ...{ answer: "", batch: "bat_1" },
    },
    ...more,
  });

  it("says that its target was opened when it waits since then", async () => {
    const tenant = freshTenant();
    await prepare(tenant);
    await ledger.disableTarget(tenant, "sink", "410");
    const closed = { dueInMs: null, lastError: "target disabled" };
    const first = await park({ tenant, target: "sink" }, closed);
    await haveBatched(tenant);
    expect(await ledger.release(tenant, "sink")).toBe(1);
    expect(await stateOf(first)).toMatchObject({ state: "parked", lastError: "target opened" });
    expect((await batches.look({ tenant, target: "sink" }, 1)).ready).toHaveLength(1);
  });

  it("is found in its order with how long it waits, and the revision of its tenant", async () => {
    const id = await target();
    const base = Date.now() - MINUTE_MS;
    const late = await park(id, {}, { receivedAtMs: base + 1 });
    const early = await park(id, {}, { receivedAtMs: base });
    const urgent = await park(id, { priority: "critical" }, { receivedAtMs: base + 2 });
    const { ready, revision } = await batches.look(id, 10);
    expect(ready.map(({ event }) => event)).toEqual([urgent, early, late].map((each) => each.id));
    for (const each of ready) {
      expect(each).toMatchObject({ tries: 0, isLeft: false });
      expect(each.waitedMs).toBeGreaterThanOrEqual(0);
      expect(each.waitedMs).toBeLessThan(MINUTE_MS);
    }
    expect(revision).toBeGreaterThan(0);
    expect(await batches.nextDueInMs(id)).toBeNull();
    expect((await batches.look(id, 2)).ready).toHaveLength(2);
  });

  it("waits on while its queue is paused, and hides nothing of others", async () => {
    const id = await target();
    await park(id, { priority: "normal" });
    const urgent = await park(id, { priority: "critical" });
    const events = async () => (await batches.look(id, 10)).ready.map(({ event }) => event);
    await subject.pauseQueue("normal", true);
    try {
      expect(await events()).toEqual([urgent.id]);
    } finally {
      await subject.pauseQueue("normal", false);
    }
    expect(await events()).toHaveLength(2);
  });

  it("is nobody's when its tenant is gone", async () => {
    const id = { tenant: freshTenant(), target: "sink" };
    expect(await batches.look(id, 10)).toEqual({ revision: null, ready: [] });
  });

  it("is settled each by itself: delivered, waiting again, or a dead letter", async () => {
    const id = await target();
    const base = Date.now() - MINUTE_MS;
    const at = (receivedAtMs: number) => park(id, {}, { receivedAtMs });
    const firsts = [await at(base), await at(base + 1), await at(base + 2)];
    const [a, b, c] = await take(id);
    if (a === undefined || b === undefined || c === undefined) throw new Error("not leased");
    const failed = { lastStatus: 500, lastError: "status 500" };
    const written = await batches.settle(id, [
      result(a),
      result(b, { ...failed, state: "parked", dueInMs: MINUTE_MS }),
      result(c, { ...failed, state: "dead" }),
    ]);
    expect(written.size).toBe(3);
    const states = await Promise.all(firsts.map(stateOf));
    expect(states).toMatchObject([
      { state: "delivered", lastError: null },
      { state: "parked", lastError: "status 500" },
      { state: "dead", lastError: "status 500" },
    ]);
    expect((await batches.look(id, 10)).ready).toEqual([]);
    const nextMs = (await batches.nextDueInMs(id)) ?? 0;
    expect(nextMs).toBeGreaterThan(MINUTE_MS / 2);
    expect(nextMs).toBeLessThanOrEqual(MINUTE_MS);
    expect(await pulls.backlog(id)).toMatchObject([{ waiting: 0, leased: 0, delayed: 1 }]);
  });

  it("waits again without a trace of its lease, with its tries", async () => {
    const id = await target();
    await park(id);
    const [lease] = await take(id);
    if (lease === undefined) throw new Error("not leased");
    await batches.settle(id, [result(lease, { state: "parked", dueInMs: 0, lastError: "no" })]);
    expect((await batches.look(id, 10)).ready).toMatchObject([{ tries: 1, isLeft: false }]);
  });

  it("is left behind when its lease ends without a word", async () => {
    const id = await target();
    await park(id);
    await take(id, -1);
    expect((await batches.look(id, 10)).ready).toMatchObject([{ tries: 1, isLeft: true }]);
  });

  it("is not settled by a lease that somebody else has since, by another target, or twice", async () => {
    const id = await target();
    await park(id);
    const [before] = await take(id, -1);
    const [now] = await take(id);
    if (before === undefined || now === undefined) throw new Error("not leased");
    expect((await batches.settle(id, [result(before)])).size).toBe(0);
    expect((await batches.settle({ ...id, target: "other" }, [result(now)])).size).toBe(0);
    const again = result(now, { state: "parked", dueInMs: 0 });
    expect((await batches.settle(id, [again])).size).toBe(1);
    expect((await batches.settle(id, [again])).size).toBe(0);
  });

  it("is let go by no gate, nor when its target gets none any more while it is on its way", async () => {
    const id = await target();
    const [first] = [await park(id)];
    expect(await takeParked(ledger, id.tenant, id.target, 10)).toEqual([]);
    await take(id);
    await subject.haveBatched(id.tenant, null);
    expect(await takeParked(ledger, id.tenant, id.target, 10)).toEqual([]);
    const other = await park(id);
    const taken = await takeParked(ledger, id.tenant, id.target, 10);
    expect(taken.map(({ event }) => event)).toEqual([other.id]);
    expect(await stateOf(first)).toMatchObject({ state: "parked" });
  });

  it("is given up when it has waited too long, but not what is to be tried later", async () => {
    const id = await target();
    const old = { receivedAtMs: Date.now() - 10 * DAY_MS };
    const waiting = await park(id, {}, old);
    const later = await park(id, { dueInMs: DAY_MS }, old);
    expect(await ledger.buryParked(id.tenant, id.target, -1_000, "later")).toBe(1);
    expect(await stateOf(waiting)).toMatchObject({ state: "dead" });
    expect(await stateOf(later)).toMatchObject({ state: "parked" });
  });
});

describe("a delivery in a batch in D1", () => {
  const [subject] = SUBJECTS;

  it("costs seven rows: its event's, three to park it, two to lease it, one to settle it", async () => {
    if (subject === undefined) throw new Error("there is no D1");
    const { ledger, pulls, batches, prepare, haveBatched } = subject;
    const tenant = freshTenant();
    await prepare(tenant);
    await haveBatched(tenant);
    const id = { tenant, target: "sink" };
    const count = 20;
    const base = Date.now();
    const park = await costOf(async () => {
      for (let at = 0; at < count; at += 1) {
        await settledOnce(ledger, parked, firstOf({ tenant, receivedAtMs: base + at }));
      }
    });
    const token = `${BATCH_TOKEN}1`;
    const { ready } = await batches.look(id, 100);
    const attempt = { number: 1, at: "", durationMs: 1, status: 200, error: null, answer: "" };
    const results = ready.map(
      (each): BatchResult => ({
        ...{ ...each, token, leasedAtMs: 1, state: "delivered", dueInMs: null },
        ...{ lastStatus: 200, lastError: null, attempt },
      }),
    );
    expect({
      rows: park.rows,
      look: await costOf(() => batches.look(id, 100)),
      lease: await costOf(() => pulls.lease(ready, token, MINUTE_MS)),
      settle: await costOf(() => batches.settle(id, results)),
      nextDue: await costOf(() => batches.nextDueInMs(id)),
    }).toEqual({
      rows: 4 * count,
      look: { rows: 0, trips: 1 },
      lease: { rows: 2 * count, trips: 1 },
      settle: { rows: count, trips: 1 },
      nextDue: { rows: 0, trips: 1 },
    });
  });
});
