/** Dead letters in D1 that a person gives up: one or a selection, and never what is under way. */
import { describe, expect, it } from "vitest";
import { createHistory } from "../../src/adapters/d1/history.ts";
import { createJobs } from "../../src/adapters/d1/jobs.ts";
import type { Session } from "../../src/adapters/d1/session.ts";
import { deliveryId } from "../../src/core/ids.ts";
import { DELIVERY_STATES, type DeliveryState } from "../../src/core/settle.ts";
import { BATCH_TOKEN } from "../../src/ports/batches.ts";
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
const { haveBatched, ledger, pulls } = real;

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

describe("a redrive that is cancelled", () => {
  const jobs = createJobs(session);
  const by = { reason: "the wrong receiver", actor: "kim" };
  let made = 0;
  const newJob = () => `job_cancelled_${++made}`;

  async function redriven(count: number, perSecond: number | null = 1) {
    const [tenant, job, token] = [freshTenant(), newJob(), freshToken()];
    const firsts = Array.from({ length: count }, () => firstOf({ tenant }));
    await claim(ledger, token, { firsts });
    const dead = { state: "dead", subscription: SUBSCRIPTION } as const;
    await ledger.settle(
      token,
      firsts.map((first) => resultOf(first, dead)),
      [],
    );
    await history.redriveAll(tenant, job, ALL, perSecond);
    return { tenant, job, firsts };
  }
  const again = (first: FirstClaim) => againOf(first, { subscription: SUBSCRIPTION });
  async function attempted(first: FirstClaim, result: Partial<DeliveryResult> | null) {
    const token = freshToken();
    expect((await claim(ledger, token, { agains: [again(first)] })).agains.size).toBe(1);
    const common = { subscription: SUBSCRIPTION, attempts: 2, claimedBy: "row" } as const;
    if (result === null) return;
    await ledger.settle(token, [resultOf(first, { ...common, ...result })], []);
  }

  it("has all that it owes and nobody has in hand be dead again, with the reason; what was sent stays", async () => {
    const { tenant, job, firsts } = await redriven(5);
    const [sent, failed, parked, held, waiting] = firsts;
    if (!sent || !failed || !parked || !held || !waiting) throw new Error("there are five");
    await attempted(sent, { state: "delivered" });
    await attempted(failed, { state: "retrying", dueInMs: 60_000 });
    await attempted(parked, { state: "parked", dueInMs: 60_000 });
    await attempted(held, null);
    const other = await settled("retrying", firstOf({ tenant }), { dueInMs: 60_000 });
    expect(await history.cancelRedrive(tenant, job, by)).toBe(true);
    const states = ["delivered", "dead", "dead", "delivering", "dead", "retrying"];
    expect(await Promise.all([...firsts, other].map(stateOf))).toEqual(states);
    expect(await history.delivery(tenant, idOf(waiting))).toMatchObject({
      ...{ lastError: "redrive cancelled: the wrong receiver", nextAttemptAtMs: null },
    });
    expect(await jobs.job(tenant, job)).toMatchObject({
      ...{ state: "cancelled", cancelled: by, total: 5 },
      states: { delivered: 1, dead: 3, delivering: 1 },
    });
    const late = { agains: [again(waiting)] };
    expect((await claim(ledger, freshToken(), late)).agains.size).toBe(0);
    expect((await jobs.jobs("running", null, 200)).items.map(({ id }) => id)).not.toContain(job);
  });

  it("ends what failed since when it is cancelled once more, and can be redriven by another", async () => {
    const { tenant, job, firsts } = await redriven(1);
    const [first] = firsts;
    if (first === undefined) throw new Error("there is one");
    const token = freshToken();
    await claim(ledger, token, { agains: [again(first)] });
    await history.cancelRedrive(tenant, job, by);
    const result = { subscription: SUBSCRIPTION, attempts: 2, claimedBy: "row" } as const;
    const failing = resultOf(first, { ...result, state: "retrying", dueInMs: 60_000 });
    await ledger.settle(token, [failing], []);
    expect(await history.cancelRedrive(tenant, job, { reason: "as said" })).toBe(true);
    expect(await stateOf(first)).toBe("dead");
    expect((await jobs.job(tenant, job))?.cancelled).toEqual(by);
    await history.redriveAll(tenant, newJob(), ALL, null);
    expect(await stateOf(first)).toBe("pending");
    await history.cancelRedrive(tenant, job, by);
    expect(await stateOf(first)).toBe("pending");
  });

  it("leaves what goes with a batch now, until it is cancelled once more", async () => {
    const { tenant, job, firsts } = await redriven(2);
    await haveBatched(tenant);
    for (const first of firsts) await attempted(first, { state: "parked", dueInMs: 0 });
    const [ready] = await pulls.ready({ tenant, target: "sink" }, 1);
    if (ready === undefined) throw new Error("both are ready");
    await pulls.lease([ready], `${BATCH_TOKEN}1`, 60_000);
    await history.cancelRedrive(tenant, job, by);
    expect((await jobs.job(tenant, job))?.states).toEqual({ dead: 1, parked: 1 });
    await pulls.giveBack([{ ...ready, token: `${BATCH_TOKEN}1`, leasedAtMs: 0 }]);
    await history.cancelRedrive(tenant, job, by);
    expect((await jobs.job(tenant, job))?.states).toEqual({ dead: 2 });
  });

  it("takes back more than a page", async () => {
    const { tenant, job } = await redriven(501);
    await history.cancelRedrive(tenant, job, by);
    expect((await jobs.job(tenant, job))?.states).toEqual({ dead: 501 });
  });

  it("takes nothing more while it is still being begun", async () => {
    const { tenant, job } = await redriven(1_001);
    await history.cancelRedrive(tenant, job, by);
    const second = newJob();
    let pages = 0;
    const cancelling: Session = {
      ...session,
      async rows(operation, ...asked) {
        const found = await session.rows(operation, ...asked);
        pages += found.length === 500 ? 1 : 0;
        // The first is on its way, the second is read.
        if (found.length === 500 && pages === 2) await history.cancelRedrive(tenant, second, by);
        return found;
      },
    };
    await createHistory(cancelling).redriveAll(tenant, second, ALL, null);
    expect(await jobs.job(tenant, second)).toMatchObject({
      ...{ state: "cancelled", total: 500, states: { dead: 500 } },
    });
  });

  it("is one of the tenant that is not over: others are left as they are", async () => {
    const { tenant, job, firsts } = await redriven(1);
    expect(await history.cancelRedrive(freshTenant(), job, by)).toBe(false);
    expect(await history.cancelRedrive(tenant, "job_unknown", by)).toBe(false);
    const [first] = firsts;
    if (first === undefined) throw new Error("there is one");
    await attempted(first, { state: "delivered" });
    expect(await history.cancelRedrive(tenant, job, by)).toBe(true);
    expect(await jobs.job(tenant, job)).toMatchObject({ state: "done", cancelled: null });
  });
});
