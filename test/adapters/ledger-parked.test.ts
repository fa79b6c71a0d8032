/** What gates have parked, in both ledgers: taken in order and once, found by target, given up in the end. */
import { describe, expect, it } from "vitest";
import { GATE_RETRIES_PASSED_MAX } from "../../src/core/gate-limits.ts";
import type { FirstClaim } from "../../src/ports/claim.ts";
import {
  againOf,
  claim,
  dueOf,
  ENDED,
  firstOf,
  freshTenant,
  freshToken,
  resultOf,
  SUBJECTS,
  settledOnce,
  takeParked,
} from "./ledgers.ts";

const parked = {
  state: "parked",
  attempts: 0,
  attempt: null,
  dueInMs: 5_000,
  lastError: "gate: rate",
} as const;

describe.each(SUBJECTS)(
  "what a gate has parked in $name",
  ({ ledger, pauseQueue, prepare, stateOf, removeTarget }) => {
    async function tenantWithSink(): Promise<string> {
      const tenant = freshTenant();
      await prepare(tenant);
      return tenant;
    }
    const park = (tenant: string, more: object = {}, first: Partial<FirstClaim> = {}) =>
      settledOnce(ledger, { ...parked, ...more }, firstOf({ tenant, ...first }));

    it("stays parked although its target is open, with its reason, and is not due", async () => {
      const tenant = await tenantWithSink();
      const first = await park(tenant);
      expect(await stateOf(first)).toMatchObject({ state: "parked", lastError: "gate: rate" });
      expect(await dueOf(ledger, tenant, 1_000_000)).toEqual([]);
      expect(await ledger.release(tenant, "sink")).toBe(0);
    });

    it("is taken the most urgent first, and of those the oldest", async () => {
      const tenant = await tenantWithSink();
      const base = Date.now() - 60_000;
      const bulk = await park(tenant, { priority: "bulk" }, { receivedAtMs: base });
      const late = await park(tenant, { priority: "critical" }, { receivedAtMs: base + 2_000 });
      const early = await park(tenant, { priority: "critical" }, { receivedAtMs: base + 1_000 });
      const replay = await park(tenant, { priority: "replay" }, { receivedAtMs: base - 5_000 });
      const order: string[] = [];
      for (const count of [1, 2, 5]) {
        order.push(...(await takeParked(ledger, tenant, "sink", count)).map(({ event }) => event));
      }
      expect(order).toEqual([early, late, bulk, replay].map(({ id }) => id));
    });

    it("stays while its queue is paused, and is taken when that is resumed", async () => {
      const tenant = await tenantWithSink();
      const urgent = await park(tenant, { priority: "critical" });
      const other = await park(tenant, { priority: "normal" });
      const take = async () =>
        (await takeParked(ledger, tenant, "sink", 5)).map(({ event }) => event);
      await pauseQueue("critical", true);
      try {
        expect(await take()).toEqual([other.id]);
        expect(await stateOf(urgent)).toMatchObject({ state: "parked", lastError: "gate: rate" });
      } finally {
        await pauseQueue("critical", false);
      }
      expect(await take()).toEqual([urgent.id]);
    });

    it("is taken with no more retries than there may be: fresh ones behind them go first", async () => {
      const tenant = await tenantWithSink();
      const again = { attempts: 1, attempt: null };
      const receivedAtMs = Date.now() - 60_000;
      const retried = [1, 2, 3].map((at) =>
        park(tenant, again, { receivedAtMs: receivedAtMs + at }),
      );
      const [oldest] = await Promise.all(retried);
      const later = { receivedAtMs: receivedAtMs + 9 };
      const fresh = [await park(tenant, {}, later), await park(tenant, {}, later)];
      const take = (count: number, retries: number) =>
        ledger.takeParked(tenant, "sink", { count, retries });
      const first = await take(3, 1);
      expect(first).toMatchObject({ left: "normal", areRetries: false });
      expect(first.taken.map(({ event, isRetry }) => [event, isRetry])).toEqual(
        [oldest, ...fresh].map((one) => [one?.id, one === oldest]),
      );
      const more = { left: "normal", areRetries: true };
      expect(await take(3, 0)).toEqual({ taken: [], ...more });
      const urgent = await park(tenant, { priority: "critical" });
      expect(await take(3, 0)).toMatchObject({ taken: [{ event: urgent.id }], ...more });
      expect(await take(1, 1)).toMatchObject({ taken: [{}], left: "normal", areRetries: false });
      expect(await take(2, 2)).toMatchObject({ taken: [{}], left: null, areRetries: false });
    });

    it("is taken from behind so many retries without a token, and from no further", async () => {
      const tenant = await tenantWithSink();
      const receivedAtMs = Date.now() - 60_000;
      for (let page = 0; page < GATE_RETRIES_PASSED_MAX; page += 1_000) {
        const firsts = Array.from({ length: 1_000 }, () => firstOf({ tenant, receivedAtMs }));
        const token = freshToken();
        await claim(ledger, token, { firsts });
        const again = { ...parked, attempts: 1, attempt: null };
        const results = firsts.map((first) => resultOf(first, again));
        expect((await ledger.settle(token, results, [])).refused.size).toBe(0);
      }
      const fresh = await park(tenant, {}, { receivedAtMs: receivedAtMs + 1 });
      const take = (retries: number) => ledger.takeParked(tenant, "sink", { count: 2, retries });
      expect(await take(0)).toEqual({ taken: [], left: "normal", areRetries: true });
      expect((await take(1)).taken).toMatchObject([{ isRetry: true }]);
      expect((await take(0)).taken).toMatchObject([{ event: fresh.id, isRetry: false }]);
    }, 60_000);

    it("is given to one of those who take at once, and is owed from then on", async () => {
      const tenant = await tenantWithSink();
      const firsts = [await park(tenant), await park(tenant), await park(tenant)];
      const takings = await Promise.all([1, 2, 3].map(() => takeParked(ledger, tenant, "sink", 3)));
      const taken = takings.flat().map(({ event }) => event);
      expect(taken.sort()).toEqual(firsts.map(({ id }) => id).sort());
      expect(await dueOf(ledger, tenant, 60_000)).toHaveLength(3);
      const agains = firsts.map((first) => againOf(first, { attempts: 0 }));
      expect((await claim(ledger, freshToken(), { agains })).agains.size).toBe(3);
    });

    it("is not claimed by a message that still carries it", async () => {
      const first = await park(await tenantWithSink());
      const agains = [againOf(first, { attempts: 0 })];
      expect((await claim(ledger, freshToken(), { agains })).agains.size).toBe(0);
    });

    it("is found by its target, and no more once it is taken", async () => {
      const [one, other] = [await tenantWithSink(), await tenantWithSink()];
      await park(one);
      await park(one);
      await park(one, { target: "second" });
      await park(other);
      const mine = async () =>
        (await ledger.parkedTargets(10_000)).filter(
          ({ tenant }) => tenant === one || tenant === other,
        );
      expect((await mine()).map(({ tenant, target }) => `${tenant} ${target}`).sort()).toEqual(
        [`${one} second`, `${one} sink`, `${other} sink`].sort(),
      );
      await takeParked(ledger, one, "sink", 10);
      expect(await mine()).toHaveLength(2);
      expect(await ledger.parkedTargets(1)).toHaveLength(1);
    });

    it("is given up with its reason when it is old, and only then", async () => {
      const tenant = await tenantWithSink();
      const old = await park(tenant, {}, { receivedAtMs: Date.now() - 100_000 });
      const young = await park(tenant, {}, { receivedAtMs: Date.now() + 60_000 });
      // Of an old event, but parked just now: a replay brings it, or a redrive.
      expect(await ledger.buryParked(tenant, "sink", 50_000)).toBe(0);
      expect(await ledger.buryParked(tenant, "sink", ENDED)).toBe(1);
      expect(await stateOf(old)).toMatchObject({
        state: "dead",
        lastError: "parked for too long: gate: rate",
      });
      expect(await stateOf(young)).toMatchObject({ state: "parked" });
      expect(await ledger.buryParked(tenant, "sink", ENDED)).toBe(0);
    });

    it("tells of its target what is most urgent of it, and how old that is", async () => {
      const tenant = await tenantWithSink();
      const nowMs = Date.now();
      await park(tenant, { priority: "bulk" }, { receivedAtMs: nowMs - 90_000 });
      await park(tenant, { priority: "critical" }, { receivedAtMs: nowMs - 10_000 });
      await park(tenant, { priority: "critical" }, { receivedAtMs: nowMs - 20_000 });
      const [found] = (await ledger.parkedTargets(10_000)).filter((each) => each.tenant === tenant);
      expect(found).toMatchObject({ target: "sink", rank: 0, oldestAtMs: nowMs - 20_000 });
    });

    it("for a closed target is given up with its reason when it is old, and not what a gate has", async () => {
      const tenant = await tenantWithSink();
      const closed = { dueInMs: null, lastError: "target disabled" };
      await ledger.disableTarget(tenant, "sink", "410");
      const old = await park(tenant, closed, { receivedAtMs: Date.now() - 100_000 });
      const young = await park(tenant, closed, { receivedAtMs: Date.now() + 60_000 });
      const gated = await park(tenant, {}, { receivedAtMs: Date.now() - 100_000 });
      await ledger.buryClosed(50_000);
      expect(await stateOf(old)).toMatchObject({ state: "parked" });
      expect(await ledger.buryClosed(ENDED)).toBeGreaterThanOrEqual(1);
      expect(await stateOf(old)).toMatchObject({
        ...{ state: "dead", lastError: "parked for too long: target disabled" },
      });
      expect(await stateOf(young)).toMatchObject({ state: "parked" });
      expect(await stateOf(gated)).toMatchObject({ state: "parked" });
    });

    it("for a closed target is bounded: the least urgent and newest are given up with the reason, a page at most", async () => {
      const tenant = await tenantWithSink();
      const closed = { dueInMs: null, lastError: "target disabled" };
      const base = Date.now() + 60_000;
      await ledger.disableTarget(tenant, "sink", "410");
      const bulk = await park(tenant, { ...closed, priority: "bulk" }, { receivedAtMs: base });
      const replay = await park(tenant, { ...closed, priority: "replay" }, { receivedAtMs: base });
      const early = await park(tenant, closed, { receivedAtMs: base + 1 });
      const late = await park(tenant, closed, { receivedAtMs: base + 2 });
      const gated = await park(tenant, { priority: "bulk" }, { receivedAtMs: base + 3 });
      const bound = { countMax: 1, reason: "one waits already" };
      expect(await ledger.buryClosedExcess(tenant, "sink", bound, 2)).toBe(2);
      expect(await ledger.buryClosedExcess(tenant, "sink", bound, 2)).toBe(1);
      expect(await ledger.buryClosedExcess(tenant, "sink", bound, 2)).toBe(0);
      for (const first of [bulk, replay, late]) {
        expect(await stateOf(first)).toMatchObject({
          ...{ state: "dead", lastError: "one waits already" },
        });
      }
      for (const first of [early, gated]) {
        expect(await stateOf(first)).toMatchObject({ state: "parked" });
      }
      // What waited for one that is deleted is about to be cancelled.
      await removeTarget(tenant);
      expect(await ledger.buryClosedExcess(tenant, "sink", { ...bound, countMax: 0 }, 9)).toBe(0);
    });

    it("for a closed target is found by it, with the most urgent and oldest, and only while it waits", async () => {
      const tenant = await tenantWithSink();
      const nowMs = Date.now();
      const closed = { dueInMs: null, lastError: "target disabled" };
      await ledger.disableTarget(tenant, "sink", "410");
      await park(tenant, {}, { receivedAtMs: nowMs - 90_000 });
      const mine = async () =>
        (await ledger.closedTargets(10_000)).filter((each) => each.tenant === tenant);
      expect(await mine()).toEqual([]);
      await park(tenant, { ...closed, priority: "bulk" }, { receivedAtMs: nowMs - 80_000 });
      await park(tenant, closed, { receivedAtMs: nowMs - 70_000 });
      await park(tenant, closed, { receivedAtMs: nowMs - 75_000 });
      expect(await mine()).toEqual([
        { tenant, target: "sink", rank: 1, oldestAtMs: nowMs - 75_000 },
      ]);
      expect(await ledger.closedTargets(1)).toHaveLength(1);
    });

    it("is counted for its target with what waits until that is open, up to a bound, and says how old the oldest is", async () => {
      const tenant = await tenantWithSink();
      const base = Date.now() + 60_000;
      const waiting = (countMax = 9) => ledger.waiting(tenant, "sink", countMax);
      await park(tenant, { target: "second" }, { receivedAtMs: base });
      await settledOnce(ledger, {}, firstOf({ tenant, receivedAtMs: base }));
      expect(await waiting()).toBeNull();
      await park(tenant, { priority: "critical" }, { receivedAtMs: base + 9 });
      await park(tenant, { priority: "replay" }, { receivedAtMs: base + 5 });
      expect(await waiting()).toEqual({ count: 2, oldestAtMs: base + 5 });
      await ledger.disableTarget(tenant, "sink", "410");
      const closed = { dueInMs: null, lastError: "target disabled" };
      await park(tenant, { ...closed, priority: "bulk" }, { receivedAtMs: base + 3 });
      expect(await waiting()).toEqual({ count: 3, oldestAtMs: base + 3 });
      expect(await waiting(2)).toEqual({ count: 2, oldestAtMs: base + 3 });
      // Of a former life of the tenant: it is being removed.
      await park(tenant, closed, { receivedAtMs: 1 });
      expect(await waiting()).toEqual({ count: 3, oldestAtMs: base + 3 });
    });

    it("is cancelled when its target is deleted", async () => {
      const tenant = await tenantWithSink();
      const first = await park(tenant);
      await removeTarget(tenant);
      expect(await ledger.release(tenant, "sink")).toBe(1);
      expect(await stateOf(first)).toMatchObject({
        state: "cancelled",
        lastError: "target deleted",
      });
    });
  },
);
