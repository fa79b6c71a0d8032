/** Generations, in both ledgers: copies across a border are known, and what is old goes, except what is not done. */
import { describe, expect, it } from "vitest";
import { GENERATION_MS } from "../../src/core/limits.ts";
import { type FirstClaim, firstKey } from "../../src/ports/claim.ts";
import type { DeliveryResult, Ledger } from "../../src/ports/ledger.ts";
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
  type Subject,
  settledOnce,
} from "./ledgers.ts";

/** Far from the times of other tests; each test has generations of its own, which nobody else lets go of. */
let latest = 10_000;
function border(): number {
  latest += 6;
  return latest * GENERATION_MS;
}

/** A border whose old slot holds only what other tests left open; how many events that is. */
async function cleanBorder(ledger: Ledger): Promise<{ atMs: number; open: number }> {
  const atMs = border();
  const expired = await ledger.expire(atMs - 3 * GENERATION_MS);
  if (expired === null) throw new Error("the slot was emptied before");
  return { atMs, open: expired.carried };
}

const parked = { state: "parked", attempts: 0, attempt: null } as const;

describe.each(SUBJECTS)("the border of a generation in $name", ({ ledger, copiesOf }) => {
  it("hides no owner: a copy on the other side is a duplicate, later and earlier", async () => {
    const atMs = border();
    for (const [ownerAtMs, copyAtMs] of [
      [atMs - 1, atMs],
      [atMs, atMs - 1],
      [atMs - GENERATION_MS, atMs],
    ] as const) {
      const owner = firstOf({ receivedAtMs: ownerAtMs });
      await claimFirsts(ledger, freshToken(), [owner], ENDED);
      const copy = firstOf({ id: owner.id, receivedAtMs: copyAtMs });
      const { firsts } = await claim(ledger, freshToken(), { firsts: [copy] });
      expect(firsts.get(firstKey(copy))).toEqual({ kind: "duplicate", owner: owner.receipt });
    }
  });

  it("within one batch parts neither claims nor results, and a copy there is found out", async () => {
    const atMs = border();
    const [tenant, token] = [freshTenant(), freshToken()];
    const before = firstOf({ tenant, receivedAtMs: atMs - 1 });
    const after = firstOf({ tenant, receivedAtMs: atMs });
    const copy = firstOf({ tenant, id: before.id, receivedAtMs: atMs });
    const kinds = await claimFirsts(ledger, token, [after, before, copy]);
    expect(kinds.toSorted()).toEqual(["claimed", "claimed", "duplicate"]);
    const results = [before, after].map((first) => resultOf(first, retrying()));
    const { id: event, receipt, receivedAtMs } = copy;
    const copies = [{ event, receipt, receivedAtMs, reason: "duplicate" }];
    expect((await ledger.settle(token, results, copies)).refused).toEqual(new Set());
    expect(await dueOf(ledger, tenant)).toHaveLength(2);
    expect(await copiesOf(before.id)).toEqual([receipt]);
    const agains = [againOf(before), againOf(after)];
    expect((await claim(ledger, freshToken(), { agains })).agains.size).toBe(2);
  });

  it("lets a claim be refused to another holder of the same receipt, on either side", async () => {
    const atMs = border();
    const both = [atMs - 1, atMs].map((receivedAtMs) => firstOf({ receivedAtMs }));
    await claimFirsts(ledger, freshToken(), both);
    const late = freshToken();
    expect(await claimFirsts(ledger, late, both)).toEqual(["leased", "leased"]);
    const { refused } = await ledger.settle(
      late,
      both.map((first) => resultOf(first)),
      [],
    );
    expect(refused.size).toBe(2);
  });
});

describe.each(SUBJECTS)("an old generation in $name", (subject) => {
  const { ledger, copiesOf, prepare } = subject;

  /** An event of `atMs` whose lease has ended, settled as `sketch` says. */
  async function left(atMs: number, ...sketches: Partial<DeliveryResult>[]): Promise<FirstClaim> {
    const first = firstOf({ tenant: freshTenant(), receivedAtMs: atMs });
    const token = freshToken();
    await claimFirsts(ledger, token, [first], ENDED);
    const results = sketches.map((sketch) => resultOf(first, sketch));
    const { id: event, receivedAtMs } = first;
    const copy = { event, receipt: `copy of ${event}`, receivedAtMs, reason: "duplicate" };
    await ledger.settle(token, results, [copy]);
    return first;
  }

  it("goes with its events, deliveries and copies: none is known any more", async () => {
    const { atMs, open } = await cleanBorder(ledger);
    const done = await left(atMs - GENERATION_MS - 1, {});
    const cancelled = await left(atMs - 2 * GENERATION_MS, { state: "cancelled" });
    const unmatched = await left(atMs - GENERATION_MS - 1, { state: "unmatched" });
    const nothing = await left(atMs - GENERATION_MS - 1);
    expect(await ledger.expire(atMs)).toMatchObject({ dropped: 4, carried: open });
    for (const gone of [done, cancelled, unmatched, nothing]) {
      expect(await isKnown(subject, gone)).toBe(false);
      expect(await copiesOf(gone.id)).toEqual([]);
    }
  });

  it("leaves this generation and the one before it alone, and the one that comes", async () => {
    const atMs = border();
    const young = await Promise.all(
      [atMs - GENERATION_MS, atMs - 1, atMs, atMs + GENERATION_MS].map((each) => left(each, {})),
    );
    await ledger.expire(atMs);
    for (const first of young) {
      expect(await isKnown(subject, first)).toBe(true);
      expect(await copiesOf(first.id)).toHaveLength(1);
    }
  });

  it.each(["pending", "delivering", "retrying", "parked", "dead"] as const)(
    "keeps an event with a delivery that is %s, whole",
    async (state) => {
      const { atMs, open } = await cleanBorder(ledger);
      const unfinished = { state, subscription: "s2", dueInMs: state === "dead" ? null : 0 };
      const first = await left(atMs - GENERATION_MS - 1, {}, unfinished);
      const other = await left(atMs - GENERATION_MS - 1, {});
      expect(await ledger.expire(atMs)).toMatchObject({ dropped: 1, carried: open + 1 });
      expect(await isKnown(subject, other)).toBe(false);
      expect(await copiesOf(first.id)).toHaveLength(1);
      const { firsts } = await claim(ledger, freshToken(), { firsts: [first] });
      expect(firsts.get(firstKey(first))).toMatchObject({ done: new Set(["s1", "s2"]) });
    },
  );

  it("keeps what is owed due, and claims and settles it as before", async () => {
    const atMs = border();
    const first = await left(atMs - GENERATION_MS - 1, retrying());
    await ledger.expire(atMs);
    expect(await dueOf(ledger, first.tenant)).toMatchObject([{ pointer: first.pointer }]);
    const token = freshToken();
    await claim(ledger, token, { agains: [againOf(first)] });
    const result = resultOf(first, { claimedBy: "row", attempts: 2 });
    expect((await ledger.settle(token, [result], [])).refused).toEqual(new Set());
    expect(await dueOf(ledger, first.tenant, 1_000_000)).toEqual([]);
  });

  it("keeps what is parked to be released", async () => {
    const atMs = border();
    const first = await left(atMs - GENERATION_MS - 1, parked);
    await ledger.expire(atMs);
    await prepare(first.tenant);
    expect(await ledger.release(first.tenant, "sink")).toBe(1);
    expect(await dueOf(ledger, first.tenant)).toMatchObject([{ event: first.id }]);
  });

  it("keeps an event that is in work, so that its holder may settle it", async () => {
    const { atMs, open } = await cleanBorder(ledger);
    const [first, token] = [firstOf({ receivedAtMs: atMs - GENERATION_MS - 1 }), freshToken()];
    await claimFirsts(ledger, token, [first]);
    await ledger.settle(token, [resultOf(first)], []);
    expect(await ledger.expire(atMs)).toMatchObject({ dropped: 0, carried: open + 1 });
    expect(
      (await ledger.settle(token, [resultOf(first, { subscription: "s2" })], [])).refused,
    ).toEqual(new Set());
  });

  it("goes once: the second time nothing happens, until the next generation begins", async () => {
    const { atMs, open } = await cleanBorder(ledger);
    const first = await ledger.expire(atMs);
    expect(first).toMatchObject({ dropped: 0, carried: open });
    const late = await left(atMs - GENERATION_MS - 1, {});
    expect(await ledger.expire(atMs)).toBeNull();
    expect(await ledger.expire(atMs + GENERATION_MS - 1)).toBeNull();
    expect(await isKnown(subject, late)).toBe(true);
    const next = await ledger.expire(atMs + GENERATION_MS);
    expect(next?.generation).toBe((first?.generation ?? 0) + 1);
  });

  it("is not missed when no pass was made for long: it goes with the next of its slot", async () => {
    const atMs = border();
    const old = await left(atMs - 4 * GENERATION_MS - 1, {});
    expect(await ledger.expire(atMs)).not.toBeNull();
    expect(await isKnown(subject, old)).toBe(false);
  });

  it("goes once although many passes come at once", async () => {
    const { atMs } = await cleanBorder(ledger);
    const old = await left(atMs - GENERATION_MS - 1, {});
    const open = await left(atMs - GENERATION_MS - 1, { state: "dead" });
    const passes = await Promise.all(Array.from({ length: 4 }, () => ledger.expire(atMs)));
    expect(passes.filter((expired) => expired?.dropped === 1)).toHaveLength(1);
    expect(await isKnown(subject, old)).toBe(false);
    expect(await isKnown(subject, open)).toBe(true);
    await settledOnce(ledger, {}, firstOf({ receivedAtMs: atMs + GENERATION_MS }));
  });
});

/** Whether another receipt of the event is told that it is a copy. */
async function isKnown({ ledger }: Subject, first: FirstClaim): Promise<boolean> {
  const { tenant, id, receivedAtMs } = first;
  const copy = firstOf({ tenant, id, receivedAtMs });
  return (await claimFirsts(ledger, freshToken(), [copy], ENDED))[0] === "duplicate";
}
