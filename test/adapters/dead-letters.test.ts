/** Dead letters in D1 that a person gives up: one or a selection, and never what is under way. */
import { describe, expect, it } from "vitest";
import { createHistory } from "../../src/adapters/d1/history.ts";
import { deliveryId } from "../../src/core/ids.ts";
import { DELIVERY_STATES, type DeliveryState } from "../../src/core/settle.ts";
import type { FirstClaim } from "../../src/ports/claim.ts";
import type { DeliveryResult } from "../../src/ports/ledger.ts";
import {
  againOf,
  claim,
  dueOf,
  firstOf,
  freshTenant,
  freshToken,
  resultOf,
  SUBJECTS,
  session,
  settledOnce,
} from "./ledgers.ts";

const history = createHistory(session);
const [real] = SUBJECTS;
if (real === undefined) throw new Error("There is no ledger in D1.");
const { ledger } = real;

const SUBSCRIPTION = "s".repeat(13);
const ALL = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
const OPEN: readonly DeliveryState[] = ["dead", "parked", "retrying"];

const settled = (state: DeliveryState, first: FirstClaim, more: Partial<DeliveryResult> = {}) =>
  settledOnce(ledger, { state, subscription: SUBSCRIPTION, dueInMs: 0, ...more }, first);

const idOf = (first: FirstClaim): string => deliveryId(first.id, SUBSCRIPTION);

async function stateOf(first: FirstClaim): Promise<string | undefined> {
  return (await history.delivery(first.tenant, idOf(first)))?.state;
}

describe("a delivery that is given up", () => {
  it.each(DELIVERY_STATES)("is so only if its state allows it: %s", async (state) => {
    const first = await settled(state, firstOf());
    const isOpen = OPEN.includes(state);
    const { tenant } = first;
    expect(await history.cancel(tenant, idOf(first), OPEN, "discarded: test")).toBe(isOpen);
    expect(await stateOf(first)).toBe(isOpen ? "cancelled" : state);
  });

  it("says why, keeps its attempts, and is owed no more", async () => {
    const tenant = freshTenant();
    const first = await settled("retrying", firstOf({ tenant }));
    await history.cancel(tenant, idOf(first), OPEN, "discarded: of no use");
    expect(await history.delivery(tenant, idOf(first))).toMatchObject({
      state: "cancelled",
      lastError: "discarded: of no use",
      nextAttemptAtMs: null,
      attempts: 1,
      log: [{ number: 1 }],
    });
    expect(await dueOf(ledger, tenant, 1_000_000)).toEqual([]);
    const agains = [againOf(first, { subscription: SUBSCRIPTION })];
    expect((await claim(ledger, freshToken(), { agains })).agains.size).toBe(0);
  });

  it("is not brought back by a settle that is written once more because its answer was lost", async () => {
    const [first, token] = [firstOf(), freshToken()];
    await claim(ledger, token, { firsts: [first] });
    const result = resultOf(first, { state: "dead", subscription: SUBSCRIPTION });
    await ledger.settle(token, [result], []);
    await history.cancel(first.tenant, idOf(first), OPEN, "discarded");
    expect((await ledger.settle(token, [result], [])).refused.size).toBe(1);
    expect(await stateOf(first)).toBe("cancelled");
  });

  it("is not another tenant's, and not one that does not exist", async () => {
    const first = await settled("dead", firstOf({ tenant: freshTenant() }));
    expect(await history.cancel(freshTenant(), idOf(first), OPEN, "x")).toBe(false);
    expect(await history.cancel(first.tenant, `dlv_${"0".repeat(39)}`, OPEN, "x")).toBe(false);
    expect(await stateOf(first)).toBe("dead");
  });

  it("can be redriven, if that was a mistake", async () => {
    const first = await settled("dead", firstOf());
    await history.cancel(first.tenant, idOf(first), OPEN, "discarded");
    expect(await history.redrive(first.tenant, idOf(first))).toBe(true);
    expect(await stateOf(first)).toBe("pending");
  });
});

describe("dead letters that are given up together", () => {
  it("are all of the selection, through every page, and nothing else", async () => {
    const tenant = freshTenant();
    const letters = Array.from({ length: 3 }, () => firstOf({ tenant }));
    for (const letter of letters) await settled("dead", letter);
    const parked = await settled("parked", firstOf({ tenant }));
    const elsewhere = await settled("dead", firstOf({ tenant }), { target: "else" });
    const theirs = await settled("dead", firstOf({ tenant: freshTenant() }));
    const selection = { ...ALL, target: "sink", rule: "all" };
    expect(await history.cancelAll(tenant, selection, "discarded: all")).toBe(3);
    expect(await Promise.all(letters.map(stateOf))).toEqual(Array(3).fill("cancelled"));
    const others = [parked, elsewhere, theirs];
    expect(await Promise.all(others.map(stateOf))).toEqual(["parked", "dead", "dead"]);
    expect(await history.cancelAll(tenant, selection, "again")).toBe(0);
  });

  it("are more than a page of them when there are", async () => {
    const tenant = freshTenant();
    const token = freshToken();
    const firsts = Array.from({ length: 501 }, () => firstOf({ tenant }));
    await claim(ledger, token, { firsts });
    const results = firsts.map((first) => resultOf(first, { state: "dead" }));
    await ledger.settle(token, results, []);
    expect(await history.cancelAll(tenant, ALL, "discarded: many")).toBe(501);
  });

  it("are of the time asked for, its start included and its end not", async () => {
    const tenant = freshTenant();
    const times = [1_000, 2_000, 3_000];
    const letters = times.map((receivedAtMs) => firstOf({ tenant, receivedAtMs }));
    for (const letter of letters) await settled("dead", letter);
    const range = { fromMs: 2_000, toMs: 3_000 };
    expect(await history.cancelAll(tenant, range, "discarded: old")).toBe(1);
    expect(await Promise.all(letters.map(stateOf))).toEqual(["dead", "cancelled", "dead"]);
  });
});
