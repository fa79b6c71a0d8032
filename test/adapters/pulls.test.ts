/** What readers pull, in both ledgers: leased once and in order, fenced, given up in the end; and what it costs. */
import { describe, expect, it, vi } from "vitest";
import type { FirstClaim } from "../../src/ports/claim.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { DeliveryResult } from "../../src/ports/ledger.ts";
import { GATE, type HeldLease, keyOfLease, NO_LEASE } from "../../src/ports/pulls.ts";
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
  lastError: "waits to be pulled",
};

const TARGET = "sink";

describe.each(SUBJECTS)("what waits for a reader in $name", (subject) => {
  const { ledger, pulls, prepare, havePulled, stateOf } = subject;

  async function reader() {
    const tenant = freshTenant();
    await prepare(tenant);
    await havePulled(tenant);
    return { tenant, target: TARGET };
  }
  type Reader = Awaited<ReturnType<typeof reader>>;

  const park = (
    { tenant }: Reader,
    more: Partial<DeliveryResult> = {},
    first: Partial<FirstClaim> = {},
  ) => settledOnce(ledger, { ...parked, ...more }, firstOf({ tenant, ...first }));

  /** Leases what there is. */
  async function leaseAll(id: Reader, leaseMs = 60_000, count = 100): Promise<HeldLease[]> {
    const [ready, token] = [await pulls.ready(id, count), freshToken()];
    const leased = await pulls.lease(ready, token, leaseMs);
    return ready
      .filter((each) => leased.has(keyOf(each)))
      .map((each) => ({ ...each, token, leasedAtMs: Date.now() }));
  }

  it("is ready the most urgent first, and of those the oldest", async () => {
    const id = await reader();
    const base = Date.now() - 60_000;
    const bulk = await park(id, { priority: "bulk" }, { receivedAtMs: base });
    const late = await park(id, { priority: "critical" }, { receivedAtMs: base + 2_000 });
    const early = await park(id, { priority: "critical" }, { receivedAtMs: base + 1_000 });
    const replay = await park(id, { priority: "replay" }, { receivedAtMs: base - 5_000 });
    const order = (await pulls.ready(id, 10)).map(({ event }) => event);
    expect(order).toEqual([early, late, bulk, replay].map((first) => first.id));
    expect(await pulls.ready(id, 2)).toHaveLength(2);
    expect(await pulls.ready({ ...id, target: "other" }, 10)).toEqual([]);
  });

  it("is found with the revision of its tenant at that moment", async () => {
    const id = await reader();
    const first = await park(id);
    const before = await pulls.look(id, 10);
    expect(before.ready).toEqual([expect.objectContaining({ event: first.id })]);
    expect(before.revision).toBeGreaterThan(0);
    await havePulled(id.tenant);
    const { revision } = await pulls.look(id, 10);
    expect(revision).toBeGreaterThan(before.revision ?? Number.POSITIVE_INFINITY);
  });

  it("is nobody's when its tenant is gone", async () => {
    const id = await reader();
    await park(id);
    await subject.deleteTenant(id.tenant, `job_of_${id.tenant}`);
    expect(await pulls.look(id, 10)).toEqual({ revision: null, ready: [] });
  });

  it("is leased to one of those who pull at once, and is not ready while the lease lasts", async () => {
    const id = await reader();
    const firsts = [await park(id), await park(id), await park(id)];
    const leased = (await Promise.all([leaseAll(id), leaseAll(id), leaseAll(id)])).flat();
    expect(leased.map(({ event }) => event).sort()).toEqual(firsts.map((first) => first.id).sort());
    expect(await pulls.ready(id, 10)).toEqual([]);
    expect(await pulls.backlog(id)).toMatchObject([{ waiting: 0, leased: 3, delayed: 0 }]);
  });

  it("is delivered when it is acknowledged, with the attempt", async () => {
    const id = await reader();
    const first = await park(id);
    const leases = await leaseAll(id);
    expect((await pulls.acknowledge(id, leases)).size).toBe(1);
    expect(await stateOf(first)).toMatchObject({ state: "delivered", lastError: null });
    expect(await pulls.backlog(id)).toEqual([]);
    const [key = ""] = leases.map(keyOfLease);
    expect((await pulls.standing(id, leases)).get(key)).toEqual({
      ...{ state: "delivered", isLast: true },
    });
    expect((await pulls.acknowledge(id, leases)).size).toBe(0);
  });

  it("is ready again when its lease ends, and the lease of before is refused once another is given", async () => {
    const id = await reader();
    await park(id);
    const before = await leaseAll(id, -1);
    const now = await leaseAll(id);
    expect(now).toHaveLength(1);
    for (const answered of [
      await pulls.acknowledge(id, before),
      await pulls.extend(id, before, 1_000),
      await pulls.refuse(id, before, { reason: "no", delayMs: 0, attemptsMax: 1 }),
    ]) {
      expect(answered.size).toBe(0);
    }
    // Each lease has a word of its own.
    const standing = await pulls.standing(id, [...before, ...now]);
    expect([...before, ...now].map((lease) => standing.get(keyOfLease(lease)))).toEqual([
      { state: "parked", isLast: false },
      { state: "parked", isLast: true },
    ]);
    expect((await pulls.acknowledge(id, now)).size).toBe(1);
  });

  it("is acknowledged by a lease that has ended, while nobody has another", async () => {
    const id = await reader();
    await park(id);
    const ended = await leaseAll(id, -1);
    expect((await pulls.acknowledge(id, ended)).size).toBe(1);
  });

  it("is no other target's, and no other tenant's", async () => {
    const [id, other] = [await reader(), await reader()];
    await park(id);
    const leases = await leaseAll(id);
    expect((await pulls.acknowledge({ ...id, target: "other" }, leases)).size).toBe(0);
    const strange = leases.map((lease) => ({ ...lease, tenant: other.tenant }));
    expect((await pulls.acknowledge(other, strange)).size).toBe(0);
    expect((await pulls.standing(other, strange)).size).toBe(0);
  });

  it("that is refused comes again after its delay, and is a dead letter at its last try", async () => {
    const id = await reader();
    const first = await park(id);
    const said = { reason: "given back: busy", delayMs: 60_000, attemptsMax: 2 };
    expect((await pulls.refuse(id, await leaseAll(id), said)).size).toBe(1);
    expect(await pulls.backlog(id)).toMatchObject([{ waiting: 0, leased: 0, delayed: 1 }]);
    expect(await stateOf(first)).toMatchObject({ state: "parked", lastError: said.reason });
    const soon = freshTenant();
    await prepare(soon);
    const again = { tenant: soon, target: TARGET };
    const second = await park(again);
    for (const attempt of [1, 2]) {
      const leases = await leaseAll(again);
      expect([attempt, leases.length]).toEqual([attempt, 1]);
      await pulls.refuse(again, leases, { ...said, delayMs: 0 });
    }
    expect(await stateOf(second)).toMatchObject({
      ...{ state: "dead", lastError: "given back: busy; attempts exhausted" },
    });
    expect(await pulls.ready(again, 10)).toEqual([]);
  });

  it("stays with its reader for as long as that extends the lease", async () => {
    const id = await reader();
    await park(id);
    const ended = await leaseAll(id, -1);
    expect((await pulls.extend(id, ended, 60_000)).size).toBe(1);
    expect(await pulls.ready(id, 10)).toEqual([]);
  });

  it("counts its tries, but not those that were given back by ourselves", async () => {
    const id = await reader();
    await park(id);
    await leaseAll(id, -1);
    await pulls.giveBack(await leaseAll(id));
    expect(await pulls.ready(id, 10)).toMatchObject([{ attempts: 1, tries: 1 }]);
  });

  it("is given up with its reason, but not while it is leased to somebody", async () => {
    const id = await reader();
    const [held, free] = [await park(id), await park(id)];
    const [lease] = await leaseAll(id, 60_000, 1);
    const all = [held, free].map((first) => ({
      ...{ tenant: id.tenant, receivedAtMs: first.receivedAtMs, event: first.id },
      subscription: lease?.subscription ?? "",
    }));
    expect(await pulls.bury(all, null, "too many")).toBe(1);
    expect(await pulls.bury(all, lease?.token ?? "", "not transformed")).toBe(1);
    const states = [await stateOf(held), await stateOf(free)].map((row) => row?.lastError);
    expect(states.sort()).toEqual(["not transformed", "too many"]);
  });

  it("is given up also while a reader has put it off, and of a gate whenever it is due", async () => {
    const id = await reader();
    const putOff = await park(id);
    const [lease] = await leaseAll(id);
    if (lease === undefined) throw new Error("nothing was leased");
    await pulls.refuse(id, [lease], { reason: "later", delayMs: 60_000, attemptsMax: 10 });
    expect(await pulls.bury([lease], NO_LEASE, "too many")).toBe(1);
    expect(await stateOf(putOff)).toMatchObject({ state: "dead", lastError: "too many" });
    const gated = await park(id, { dueInMs: 3_600_000, lastError: "gate: retry-after" });
    const { tenant } = id;
    const { receivedAtMs, id: event } = gated;
    const keys = [{ tenant, receivedAtMs, event, subscription: lease.subscription }];
    expect(await pulls.bury(keys, NO_LEASE, "too many")).toBe(0);
    expect(await pulls.bury(keys, GATE, "too many")).toBe(1);
    expect(await pulls.bury(keys, GATE, "again")).toBe(0);
    expect(await stateOf(gated)).toMatchObject({ state: "dead", lastError: "too many" });
  });

  it("is not given up for its age while a reader has it", async () => {
    const id = await reader();
    const first = await park(id, {}, { receivedAtMs: Date.now() - 100_000 });
    const leases = await leaseAll(id, 60_000);
    expect(await ledger.buryParked(id.tenant, TARGET, -60_000, "leased")).toBe(0);
    expect((await pulls.acknowledge(id, leases)).size).toBe(1);
    expect(await stateOf(first)).toMatchObject({ state: "delivered" });
    await park(id, {}, { receivedAtMs: Date.now() - 100_000 });
    expect(await ledger.buryParked(id.tenant, TARGET, -60_000, "leased")).toBe(1);
  });

  it("is too much behind as many as may wait: the least urgent and newest", async () => {
    const id = await reader();
    const base = Date.now() + 60_000;
    const bulk = await park(id, { priority: "bulk" }, { receivedAtMs: base });
    const later = await park(id, { priority: "bulk" }, { receivedAtMs: base + 1 });
    await park(id, { priority: "critical" }, { receivedAtMs: base + 2 });
    const excess = async (max: number) =>
      (await pulls.excess(id, max, 10)).map(({ event }) => event);
    expect(await excess(1)).toEqual([bulk.id, later.id]);
    expect(await excess(2)).toEqual([later.id]);
    expect(await excess(3)).toEqual([]);
  });

  it("is skipped by a seek with its reason, and owed anew by one that goes behind it", async () => {
    const id = await reader();
    const base = Date.now() - 60_000;
    const firsts = [];
    for (const at of [0, 1, 2, 3]) firsts.push(await park(id, {}, { receivedAtMs: base + at }));
    const strange = await park(id, { target: "other" }, { receivedAtMs: base + 4 });
    const [old, done] = await leaseAll(id, 60_000, 2);
    expect(
      (
        await pulls.acknowledge(
          id,
          [old, done].filter((each) => each !== undefined),
        )
      ).size,
    ).toBe(2);
    expect(await pulls.passOver(id, base + 3, " to then: tested", 10)).toBe(1);
    expect(await pulls.passOver(id, base + 3, " to then: tested", 10)).toBe(0);
    const [, , skipped] = firsts;
    if (skipped === undefined) throw new Error("there are four");
    expect(await stateOf(skipped)).toMatchObject({
      ...{ state: "cancelled", lastError: "skipped by a seek to then: tested" },
    });
    const range = { fromMs: base + 1, untilMs: base + 100 };
    let after = null;
    let owed = 0;
    for (let page = 0; page < 10; page += 1) {
      const part: Awaited<ReturnType<typeof pulls.owe>> = await pulls.owe(
        id,
        range,
        ": tested",
        after,
        2,
      );
      owed += part.owed;
      after = part.next;
      if (after === null) break;
    }
    expect([owed, after]).toEqual([2, null]);
    const ready = await pulls.ready(id, 10);
    expect(ready.map(({ event }) => event)).toEqual(firsts.slice(1).map((first) => first.id));
    expect(ready[0]).toMatchObject({ attempts: 1, tries: 0 });
    expect(await stateOf(strange)).toMatchObject({ state: "parked", lastError: parked.lastError });
  });

  it("is not given to a tenant that was made anew under the same name", async () => {
    const id = await reader();
    await park(id);
    const before = Date.now();
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(before));
    await subject.deleteTenant(id.tenant, `job_of_${id.tenant}`);
    await prepare(id.tenant);
    await havePulled(id.tenant);
    expect(await pulls.ready(id, 10)).toEqual([]);
    const own = await park(id);
    // Nor does it stand before what is.
    expect(await pulls.ready(id, 1)).toMatchObject([{ event: own.id }]);
  });

  it("is not too much because of what a former life of its tenant has left", async () => {
    const id = await reader();
    await park(id);
    await park(id);
    const before = Date.now();
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(before));
    await subject.deleteTenant(id.tenant, `job_of_${id.tenant}`);
    await prepare(id.tenant);
    await havePulled(id.tenant);
    await park(id, {}, { receivedAtMs: Date.now() });
    const last = await park(id, {}, { receivedAtMs: Date.now() + 1_000 });
    expect(await pulls.excess(id, 2, 10)).toEqual([]);
    expect(await pulls.excess(id, 1, 10)).toMatchObject([{ event: last.id }]);
  });

  it("is not let go by a gate", async () => {
    const id = await reader();
    await park(id);
    expect(await takeParked(ledger, id.tenant, id.target, 10)).toEqual([]);
    expect(await pulls.ready(id, 10)).toHaveLength(1);
  });
});

describe("a delivery that is pulled in D1", () => {
  const [subject] = SUBJECTS;

  it("costs seven rows: its event's, three to park it, two to lease it, one to acknowledge it", async () => {
    if (subject === undefined) throw new Error("there is no D1");
    const { ledger, pulls, prepare } = subject;
    const tenant = freshTenant();
    await prepare(tenant);
    const id = { tenant, target: TARGET };
    const park = await costOf(() => settledOnce(ledger, parked, firstOf({ tenant })));
    const token = freshToken();
    const ready = await pulls.ready(id, 10);
    const leases = ready.map((each): HeldLease => ({ ...each, token, leasedAtMs: 1 }));
    expect({
      park,
      ready: await costOf(() => pulls.ready(id, 10)),
      look: await costOf(() => pulls.look(id, 10)),
      lease: await costOf(() => pulls.lease(ready, token, 60_000)),
      extend: await costOf(() => pulls.extend(id, leases, 60_000)),
      acknowledge: await costOf(() => pulls.acknowledge(id, leases)),
    }).toEqual({
      park: { rows: 4, trips: 2 },
      ready: { rows: 0, trips: 1 },
      look: { rows: 0, trips: 1 },
      lease: { rows: 2, trips: 1 },
      extend: { rows: 2, trips: 1 },
      acknowledge: { rows: 1, trips: 1 },
    });
  });
});
