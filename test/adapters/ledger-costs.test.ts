/** What the ledger costs in D1: rows written, as D1 itself counts them, and round trips. */
import { describe, expect, it } from "vitest";
import { createHistory } from "../../src/adapters/d1/history.ts";
import { createLedger } from "../../src/adapters/d1/ledger.ts";
import { RELEASE_PAGE } from "../../src/adapters/d1/owed-statements.ts";
import { deliveryId } from "../../src/core/ids.ts";
import { keyOf } from "../../src/ports/claim.ts";
import {
  againOf,
  claim,
  claimFirsts,
  costOf,
  dueOf,
  ENDED,
  firstOf,
  freshTenant,
  freshToken,
  resultOf,
  retrying,
  SUBJECTS,
  session,
  settledOnce,
  takeParked,
} from "./ledgers.ts";

const ledger = createLedger(session);
const history = createHistory(session);

const COUNT = 100;
const batch = () => Array.from({ length: COUNT }, () => firstOf());

describe("a batch of events", () => {
  it("that are delivered at once writes two rows each: one by the claim, one by the settling", async () => {
    const [firsts, token] = [batch(), freshToken()];
    const results = firsts.map((first) => resultOf(first));
    expect(await costOf(() => claimFirsts(ledger, token, firsts))).toEqual({
      rows: COUNT,
      trips: 1,
    });
    expect(await costOf(() => ledger.settle(token, results, []))).toEqual({
      rows: COUNT,
      trips: 1,
    });
  });

  it("that are copies writes one row each, and none if they were recorded before", async () => {
    const firsts = batch();
    await claimFirsts(ledger, freshToken(), firsts);
    const copies = firsts.map(({ id }) => firstOf({ id }));
    const recorded = copies.map(({ id: event, receipt, receivedAtMs }) => {
      return { event, receipt, receivedAtMs, reason: "duplicate" };
    });
    expect(await costOf(() => claimFirsts(ledger, freshToken(), copies))).toMatchObject({
      rows: 0,
    });
    const settle = () => ledger.settle(freshToken(), [], recorded);
    expect(await costOf(settle)).toEqual({ rows: COUNT, trips: 1 });
    expect(await costOf(settle)).toEqual({ rows: 0, trips: 1 });
  });

  it("that another holds is refused without a row", async () => {
    const firsts = batch();
    await claimFirsts(ledger, freshToken(), firsts);
    const late = freshToken();
    expect(await costOf(() => claimFirsts(ledger, late, firsts))).toMatchObject({ rows: 0 });
    const results = firsts.map((first) => resultOf(first));
    expect(await costOf(() => ledger.settle(late, results, []))).toMatchObject({ rows: 0 });
  });

  it("claims and settles first ones and further ones, with revisions, in one round trip each", async () => {
    const again = againOf(await settledOnce(ledger, retrying()));
    const [first, token] = [firstOf(), freshToken()];
    const request = { firsts: [first], agains: [again], tenants: ["acme", "other"] };
    expect((await costOf(() => claim(ledger, token, request))).trips).toBe(1);
    const results = [
      resultOf(first),
      { ...resultOf(first), ...again, attempts: 2, claimedBy: "row" as const },
    ];
    const copy = { event: first.id, receipt: "rcp_copy", receivedAtMs: 1, reason: "duplicate" };
    expect((await costOf(() => ledger.settle(token, results, [copy]))).trips).toBe(1);
  });

  it("of a thousand passes in one claim, with statements of one parameter list", async () => {
    const firsts = Array.from({ length: 1_000 }, () => firstOf());
    const kinds = await claimFirsts(ledger, freshToken(), firsts);
    expect(new Set(kinds)).toEqual(new Set(["claimed"]));
  });
});

describe("a delivery that fails first", () => {
  it("costs its row and two index entries, two rows when it is claimed again, one when it succeeds", async () => {
    const [first, token, second] = [firstOf(), freshToken(), freshToken()];
    await claimFirsts(ledger, token, [first]);
    const failed = [resultOf(first, retrying())];
    expect(await costOf(() => ledger.settle(token, failed, []))).toMatchObject({ rows: 3 });
    const agains = [againOf(first)];
    expect(await costOf(() => claim(ledger, second, { agains }))).toMatchObject({ rows: 2 });
    const succeeded = [resultOf(first, { claimedBy: "row", attempts: 2 })];
    expect(await costOf(() => ledger.settle(second, succeeded, []))).toMatchObject({ rows: 1 });
  });

  it("keeps its last twenty attempts, each of them once however often it was settled", async () => {
    const tenant = freshTenant();
    const first = await settledOnce(ledger, retrying(), firstOf({ tenant }));
    for (let attempts = 2; attempts <= 23; attempts += 1) {
      const token = freshToken();
      await claim(ledger, token, { agains: [againOf(first, { attempts: attempts - 1 })] });
      const result = resultOf(first, retrying({ claimedBy: "row", attempts }));
      await ledger.settle(token, [result], []);
      await ledger.settle(token, [result], []);
    }
    const stored = await history.event(tenant, first.id);
    const numbers = stored?.deliveries[0]?.log.map(({ number }) => number);
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 4));
  });

  it("that a person redrives starts its retries anew, and is refused to another tenant's hands", async () => {
    const tenant = freshTenant();
    const first = firstOf({ tenant, id: `evt_${"7".repeat(26)}` });
    const subscription = "7".repeat(13);
    const id = deliveryId(first.id, subscription);
    await settledOnce(ledger, { subscription, state: "dead", attempts: 9 }, first);
    expect(await history.redrive(freshTenant(), id)).toBe(false);
    expect(await history.redrive(tenant, id)).toBe(true);
    const again = againOf(first, { subscription, attempts: 9 });
    const { agains } = await claim(ledger, freshToken(), { agains: [again] });
    expect(agains.get(keyOf(again))).toEqual({ attemptsBase: 9 });
  });
});

describe("a backlog", () => {
  it("of a target is released whole, in statements of a bounded length", async () => {
    const tenant = freshTenant();
    const token = freshToken();
    const firsts = Array.from({ length: RELEASE_PAGE + 1 }, () => firstOf({ tenant }));
    await claimFirsts(ledger, token, firsts);
    const parked = { state: "parked", attempts: 0, attempt: null } as const;
    await ledger.settle(
      token,
      firsts.map((first) => resultOf(first, parked)),
      [],
    );
    await SUBJECTS[0]?.prepare(tenant);
    const cost = await costOf(async () => {
      expect(await ledger.release(tenant, "sink")).toBe(RELEASE_PAGE + 1);
    });
    expect(cost.trips).toBe(4); // what is to be released, two pages, and that it is done
    expect(await dueOf(ledger, tenant)).toHaveLength(RELEASE_PAGE + 1);
  });

  it("of a gate costs each delivery seven rows more than one that is delivered at once", async () => {
    const tenant = freshTenant();
    await SUBJECTS[0]?.prepare(tenant);
    const firsts = Array.from({ length: COUNT }, () => firstOf({ tenant }));
    const parked = { state: "parked", attempts: 0, attempt: null, dueInMs: 1_000 } as const;
    const atOnce = 2 * COUNT;
    const { rows } = await costOf(async () => {
      const token = freshToken();
      await claimFirsts(ledger, token, firsts);
      const waiting = firsts.map((first) => resultOf(first, parked));
      await ledger.settle(token, waiting, []);
      const taken = await takeParked(ledger, tenant, "sink", COUNT);
      expect(taken).toHaveLength(COUNT);
      const again = freshToken();
      const agains = firsts.map((first) => againOf(first, { attempts: 0 }));
      await claim(ledger, again, { agains });
      const delivered = firsts.map((first) => resultOf(first, { claimedBy: "row" }));
      await ledger.settle(again, delivered, []);
    });
    expect((rows - atOnce) / COUNT).toBe(7);
  });

  it("of leases that ended long ago is claimed anew with one row each", async () => {
    const firsts = batch();
    await claimFirsts(ledger, freshToken(), firsts, ENDED);
    expect(await costOf(() => claimFirsts(ledger, freshToken(), firsts))).toMatchObject({
      rows: COUNT,
    });
  });
});
