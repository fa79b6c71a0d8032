/** What is still owed, in both ledgers: claimed again, found when due, put off, released, recovered. */
import { describe, expect, it } from "vitest";
import { type AgainClaim, type FirstClaim, firstKey, keyOf } from "../../src/ports/claim.ts";
import {
  againOf,
  claim,
  claimFirsts,
  dueOf,
  ENDED,
  firstOf,
  freshTenant,
  freshToken,
  resultOf,
  retrying,
  SUBJECTS,
  settledOnce,
} from "./ledgers.ts";

const SECOND = 1_000;

describe.each(SUBJECTS)("a delivery owed in $name", ({ ledger, pauseQueue }) => {
  const owed = (first: FirstClaim = firstOf()) => settledOnce(ledger, retrying(), first);

  /** The keys that a claim of these deliveries was given. */
  async function given(
    agains: readonly AgainClaim[],
    leaseSeconds = 90,
    token = freshToken(),
  ): Promise<string[]> {
    return [...(await claim(ledger, token, { agains, leaseSeconds })).agains.keys()];
  }

  it("is given to one of many who claim it at once, and refused to the others", async () => {
    const firsts = await Promise.all(Array.from({ length: 10 }, () => owed()));
    const agains = firsts.map((first) => againOf(first));
    const answers = await Promise.all(Array.from({ length: 6 }, () => given(agains)));
    expect(answers.flat().sort()).toEqual(agains.map(keyOf).sort());
  });

  it("is refused to a message that knows an older number of attempts", async () => {
    const first = await owed();
    expect(await given([againOf(first, { attempts: 0 })])).toEqual([]);
    expect(await given([againOf(first, { attempts: 2 })])).toEqual([]);
    expect(await given([againOf(first)])).toHaveLength(1);
  });

  it("is given again to the same token: its first answer may have been lost", async () => {
    const again = againOf(await owed());
    const token = freshToken();
    expect(await given([again], 90, token)).toEqual([keyOf(again)]);
    expect(await given([again], 90, token)).toEqual([keyOf(again)]);
    expect(await given([again])).toEqual([]);
  });

  it("is given to another when the lease has ended, and the first can no longer settle it", async () => {
    const first = await owed();
    const [stale, holder] = [freshToken(), freshToken()];
    expect(await given([againOf(first)], ENDED, stale)).toHaveLength(1);
    expect(await given([againOf(first)], 90, holder)).toHaveLength(1);
    const result = resultOf(first, { claimedBy: "row", attempts: 2 });
    expect((await ledger.settle(stale, [result], [])).refused).toEqual(new Set([keyOf(result)]));
    expect((await ledger.settle(holder, [result], [])).refused).toEqual(new Set());
  });

  it.each(["delivered", "dead", "cancelled", "parked", "unmatched"] as const)(
    "is owed no more once it is %s: no claim is given it, and it is never due",
    async (state) => {
      const tenant = freshTenant();
      const first = await settledOnce(ledger, { state }, firstOf({ tenant }));
      expect(await given([againOf(first)])).toEqual([]);
      expect(await dueOf(ledger, tenant, 1_000_000)).toEqual([]);
    },
  );

  it("is not given to whoever names another tenant, time, event or subscription", async () => {
    const again = againOf(await owed());
    const strangers = [
      { ...again, tenant: "other" },
      { ...again, receivedAtMs: again.receivedAtMs + 1 },
      { ...again, event: firstOf().id },
      { ...again, subscription: "s2" },
    ];
    expect(await given(strangers)).toEqual([]);
    expect(await given([...strangers, again])).toEqual([keyOf(again)]);
  });

  it("is due within the horizon and not before, with all that is needed to send it", async () => {
    const tenant = freshTenant();
    const pointer = { segment: "acme/segments/x", offset: 7, length: 9 };
    const first = firstOf({ tenant, pointer });
    await settledOnce(ledger, retrying({ dueInMs: 60 * SECOND, attempts: 3 }), first);
    expect(await dueOf(ledger, tenant, 30 * SECOND)).toEqual([]);
    const [due, ...rest] = await dueOf(ledger, tenant, 90 * SECOND);
    expect(rest).toEqual([]);
    const { receivedAtMs, id: event } = first;
    const to = { rule: "all", target: "sink", priority: "normal", subscription: "s1" };
    expect(due).toMatchObject({ tenant, receivedAtMs, event, pointer, attempts: 3, ...to });
    expect(due?.dueInMs).toBeGreaterThan(30 * SECOND);
    expect(due?.dueInMs).toBeLessThanOrEqual(60 * SECOND);
  });

  it("comes the sooner the longer it is due, and no more than are asked for", async () => {
    const tenant = freshTenant();
    for (const dueInMs of [-20, -40, -30]) {
      const late = retrying({ dueInMs: dueInMs * SECOND });
      await settledOnce(ledger, late, firstOf({ tenant }));
    }
    const due = (await dueOf(ledger, tenant)).map(({ dueInMs }) => Math.round(dueInMs / 10_000));
    expect(due).toEqual([-4, -3, -2]);
    expect(await ledger.due(SECOND, 2)).toHaveLength(2);
  });

  it("is due in no paused queue, and when that is resumed as it was", async () => {
    const tenant = freshTenant();
    const late = (priority: "critical" | "replay") =>
      settledOnce(ledger, retrying({ priority, dueInMs: -SECOND }), firstOf({ tenant }));
    const [urgent, replay] = [await late("critical"), await late("replay")];
    const found = async () => new Set((await dueOf(ledger, tenant)).map(({ event }) => event));
    await pauseQueue("replay", true);
    try {
      expect(await found()).toEqual(new Set([urgent.id]));
    } finally {
      await pauseQueue("replay", false);
    }
    expect(await found()).toEqual(new Set([urgent.id, replay.id]));
  });

  it("is due when its holder's lease has ended, and not while it holds", async () => {
    const tenant = freshTenant();
    const held = await owed(firstOf({ tenant }));
    const lost = await owed(firstOf({ tenant }));
    await given([againOf(held)]);
    await given([againOf(lost)], ENDED);
    expect(await dueOf(ledger, tenant, 0)).toMatchObject([{ event: lost.id }]);
  });

  it("is put off from now on, and only if it is still owed", async () => {
    const tenant = freshTenant();
    const late = await settledOnce(
      ledger,
      retrying({ dueInMs: -500 * SECOND }),
      firstOf({ tenant }),
    );
    const done = await settledOnce(ledger, {}, firstOf({ tenant }));
    await ledger.putOff([againOf(late), againOf(done)], 100 * SECOND);
    expect(await dueOf(ledger, tenant, 90 * SECOND)).toEqual([]);
    expect(await dueOf(ledger, tenant, 110 * SECOND)).toMatchObject([{ event: late.id }]);
  });

  it("is given to the message that was sent when its holder's lease had ended, also once put off", async () => {
    const tenant = freshTenant();
    const again = againOf(await owed(firstOf({ tenant })));
    await given([again], ENDED);
    await ledger.putOff([again], 100 * SECOND);
    expect(await dueOf(ledger, tenant, 90 * SECOND)).toEqual([]);
    expect(await given([again])).toEqual([keyOf(again)]);
  });

  it("keeps the lease that another has taken since it was sent", async () => {
    const tenant = freshTenant();
    const again = againOf(await owed(firstOf({ tenant })));
    await given([again], 90);
    await ledger.putOff([again], 1_000 * SECOND);
    expect(await dueOf(ledger, tenant, 95 * SECOND)).toMatchObject([{ event: again.event }]);
    expect(await given([again])).toEqual([]);
  });
});

describe.each(SUBJECTS)("a claim that is given back in $name", ({ ledger }) => {
  it("is free at once, and what was settled under it stays done", async () => {
    const first = firstOf();
    const token = freshToken();
    await claimFirsts(ledger, token, [first]);
    const done = resultOf(first, { subscription: "done", state: "delivered" });
    await ledger.settle(token, [done], []);
    await ledger.giveBack(token, [resultOf(first, { subscription: "left" })]);
    const answer = await claim(ledger, freshToken(), { firsts: [first] });
    expect(answer.firsts.get(firstKey(first))).toEqual({
      kind: "claimed",
      done: new Set(["done"]),
      isUnplaced: false,
    });
  });

  it("by row is due at once, with the attempts it had", async () => {
    const first = await settledOnce(ledger, retrying(), firstOf());
    const token = freshToken();
    await claim(ledger, token, { agains: [againOf(first)] });
    await ledger.giveBack(token, [resultOf(first, { claimedBy: "row" })]);
    const next = await claim(ledger, freshToken(), { agains: [againOf(first)] });
    expect([...next.agains.keys()]).toEqual([keyOf(againOf(first))]);
  });

  it("by a token that holds it no more is refused", async () => {
    const first = firstOf();
    const [stale, holder] = [freshToken(), freshToken()];
    await claimFirsts(ledger, stale, [first], ENDED);
    await claimFirsts(ledger, holder, [first]);
    await ledger.giveBack(stale, [resultOf(first)]);
    expect(await claimFirsts(ledger, freshToken(), [first])).toEqual(["leased"]);
  });
});

describe.each(SUBJECTS)("a closed target in $name", (subject) => {
  const { ledger, prepare, removeTarget, stateOf } = subject;
  const parked = { state: "parked", attempts: 0, attempt: null } as const;

  /** A tenant whose target is closed. */
  async function closed(): Promise<string> {
    const tenant = freshTenant();
    await prepare(tenant);
    await ledger.disableTarget(tenant, "sink", "410");
    return tenant;
  }
  const openingsOf = async (tenant: string) =>
    (await ledger.openings(10_000)).filter((opening) => opening.tenant === tenant);

  it("that opens again releases its parked deliveries, and nobody else's", async () => {
    const [tenant, other] = [await closed(), await closed()];
    const mine = [firstOf({ tenant }), firstOf({ tenant })];
    for (const first of mine) await settledOnce(ledger, parked, first);
    await settledOnce(ledger, { ...parked, target: "else" }, firstOf({ tenant }));
    await settledOnce(ledger, parked, firstOf({ tenant: other }));
    await settledOnce(ledger, { state: "dead" }, firstOf({ tenant }));
    await prepare(tenant);
    expect(await ledger.release(tenant, "sink")).toBe(2);
    const released = (await dueOf(ledger, tenant, 0)).map(({ event }) => event);
    expect(released.sort()).toEqual(mine.map(({ id }) => id).sort());
    expect(await dueOf(ledger, other, 1_000_000)).toEqual([]);
    expect(await ledger.release(tenant, "sink")).toBe(0);
  });

  it("releases nothing while it stays closed", async () => {
    const tenant = await closed();
    await settledOnce(ledger, parked, firstOf({ tenant }));
    expect(await ledger.release(tenant, "sink")).toBe(0);
    expect(await dueOf(ledger, tenant, 1_000_000)).toEqual([]);
  });

  it("that was opened is remembered until what was parked is released", async () => {
    const tenant = await closed();
    await ledger.release(tenant, "sink");
    await settledOnce(ledger, parked, firstOf({ tenant }));
    expect(await openingsOf(tenant)).toEqual([]);
    await prepare(tenant);
    expect(await openingsOf(tenant)).toEqual([{ tenant, target: "sink" }]);
    await ledger.release(tenant, "sink");
    expect(await openingsOf(tenant)).toEqual([]);
  });

  it("that is deleted cancels what was parked for it, and says so", async () => {
    const tenant = await closed();
    const first = await settledOnce(ledger, parked, firstOf({ tenant }));
    await removeTarget(tenant);
    expect(await openingsOf(tenant)).toEqual([{ tenant, target: "sink" }]);
    expect(await ledger.release(tenant, "sink")).toBe(1);
    expect(await dueOf(ledger, tenant, 1_000_000)).toEqual([]);
    expect(await openingsOf(tenant)).toEqual([]);
    expect(await stateOf(first)).toMatchObject({
      state: "cancelled",
      lastError: "target deleted",
    });
  });

  it("that was opened meanwhile parks nothing: what comes too late is due at once", async () => {
    const tenant = freshTenant();
    await prepare(tenant);
    const late = { state: "parked", lastError: "target paused", attempts: 0 } as const;
    const [byEvent, byRow] = [firstOf({ tenant }), firstOf({ tenant })];
    await settledOnce(ledger, retrying(), byRow);
    const token = freshToken();
    await claim(ledger, token, { firsts: [byEvent], agains: [againOf(byRow)] });
    const results = [
      resultOf(byEvent, late),
      resultOf(byRow, { ...late, attempts: 1, claimedBy: "row" }),
    ];
    // Twice: the first answer may have been lost.
    for (const _ of [1, 2]) {
      const { refused, reopened } = await ledger.settle(token, results, []);
      expect(refused).toEqual(new Set());
      expect(reopened).toEqual(new Set(results.map(keyOf)));
    }
    const due = await dueOf(ledger, tenant, SECOND);
    expect(new Set(due.map(({ event }) => event))).toEqual(new Set([byEvent.id, byRow.id]));
  });

  it("says of what is parked while it is closed that nothing is owed at once", async () => {
    const tenant = await closed();
    const first = firstOf({ tenant });
    const token = freshToken();
    await claimFirsts(ledger, token, [first]);
    const late = { state: "parked", lastError: "target paused", attempts: 0 } as const;
    const settlement = await ledger.settle(token, [resultOf(first, late)], []);
    expect(settlement).toEqual({ refused: new Set(), reopened: new Set() });
    expect(await dueOf(ledger, tenant, 1_000_000)).toEqual([]);
  });

  it("is known by a new revision, which the next claim brings; one that is not there by none", async () => {
    const tenant = freshTenant();
    const before = await prepare(tenant);
    expect(await ledger.disableTarget(tenant, "nowhere", "410")).toBeNull();
    expect(await ledger.disableTarget(freshTenant(), "sink", "410")).toBeNull();
    const revision = await ledger.disableTarget(tenant, "sink", "410");
    expect(revision).toBeGreaterThan(before);
    const { revisions } = await claim(ledger, freshToken(), { tenants: [tenant] });
    expect(revisions.get(tenant)).toBe(revision);
  });

  it("stays open where the version it is to be closed at is another's", async () => {
    const tenant = freshTenant();
    const before = await prepare(tenant);
    const now = await prepare(tenant);
    expect(await ledger.disableTarget(tenant, "sink", "410", before)).toBeNull();
    expect(await ledger.disableTarget(tenant, "sink", "410", now)).toBeGreaterThan(now);
    expect(await ledger.disableTarget(tenant, "sink", "410", now)).toBeNull();
  });
});

describe.each(SUBJECTS)("recovery in $name", ({ ledger }) => {
  it("ends every lease, so that nobody who is gone is waited for", async () => {
    const tenant = freshTenant();
    const first = firstOf({ tenant });
    await claimFirsts(ledger, freshToken(), [first]);
    const held = await settledOnce(ledger, retrying(), firstOf({ tenant }));
    await claim(ledger, freshToken(), { agains: [againOf(held)] });
    await ledger.recover("me-");
    expect(await claimFirsts(ledger, freshToken(), [first])).toEqual(["claimed"]);
    expect(await dueOf(ledger, tenant, 0)).toMatchObject([{ event: held.id }]);
  });

  it("ends no lease that the isolate which recovers has taken since it began", async () => {
    const tenant = freshTenant();
    const first = firstOf({ tenant });
    await claimFirsts(ledger, `me-${freshToken()}`, [first]);
    const held = await settledOnce(ledger, retrying(), firstOf({ tenant }));
    await claim(ledger, `me-${freshToken()}`, { agains: [againOf(held)] });
    await ledger.recover("me-");
    expect(await claimFirsts(ledger, freshToken(), [first])).toEqual(["leased"]);
    expect(await dueOf(ledger, tenant, 0)).toEqual([]);
  });

  it("wakes nothing that is finished or parked", async () => {
    const tenant = freshTenant();
    for (const state of ["delivered", "dead", "parked"] as const) {
      await settledOnce(ledger, { state }, firstOf({ tenant }));
    }
    await ledger.recover("me-");
    expect(await dueOf(ledger, tenant, 1_000_000)).toEqual([]);
  });
});
