/** Where an event's bytes rest when its message comes again with another place for them. */
import { describe, expect, it } from "vitest";
import type { Pointer } from "../../src/core/enqueue/record.ts";
import { type FirstClaim, firstKey } from "../../src/ports/claim.ts";
import {
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
} from "./ledgers.ts";

const FIRST = { segment: "acme/segments/first", offset: 1, length: 2 };
const SECOND = { segment: "acme/segments/second", offset: 3, length: 4 };

describe.each(SUBJECTS)("an event in $name", ({ ledger }) => {
  /**
   * Claims an event, settles it with `states`, claims it again; answers where its bytes then are.
   */
  async function claimTwice(...states: ("retrying" | "delivered")[]) {
    const first = firstOf({ tenant: freshTenant(), pointer: FIRST });
    const token = freshToken();
    await claim(ledger, token, { firsts: [first], leaseSeconds: ENDED });
    const results = states.map((state, at) =>
      resultOf(first, { subscription: `s${at}`, ...(state === "retrying" ? retrying() : {}) }),
    );
    await ledger.settle(token, results, []);
    const next = freshToken();
    await claim(ledger, next, { firsts: [{ ...first, pointer: SECOND }] });
    await ledger.settle(next, [resultOf(first, { subscription: "last", ...retrying() })], []);
    return (await dueOf(ledger, first.tenant)).map(({ pointer }) => pointer);
  }

  it("with nothing settled rests where the new claim says", async () => {
    expect(await claimTwice()).toEqual([SECOND]);
  });

  it.each([[["delivered"]], [["delivered", "retrying"]]] as const)(
    "of which %j is settled rests where it did",
    async (states) => {
      for (const place of await claimTwice(...states)) expect(place).toEqual(FIRST);
    },
  );
});

describe.each(SUBJECTS)("an event in $name whose bytes do not rest", ({ ledger }) => {
  const claimed = async (token: string, first: FirstClaim) =>
    (await claim(ledger, token, { firsts: [first] })).firsts.get(firstKey(first));

  /** Delivered to `s0` without its bytes; answers the event, and how it was found by the next claim. */
  async function unplaced() {
    const first = firstOf({ tenant: freshTenant(), pointer: FIRST });
    const token = freshToken();
    await claim(ledger, token, { firsts: [first], leaseSeconds: ENDED });
    const result = resultOf(first, { subscription: "s0", isUnplaced: true });
    expect((await ledger.settle(token, [result], [])).refused).toEqual(new Set());
    const next = freshToken();
    const found = await claimed(next, { ...first, pointer: SECOND });
    return { first, next, found };
  }

  /** What a retry of it reads: settled with `token`. */
  async function placeOf(first: FirstClaim, token: string) {
    const owed = resultOf(first, { subscription: "s1", ...retrying() });
    expect((await ledger.settle(token, [owed], [])).refused).toEqual(new Set());
    return (await dueOf(ledger, first.tenant)).map(({ pointer }) => pointer.segment);
  }

  const place = (token: string, { id: event, receivedAtMs }: FirstClaim, pointer: Pointer) =>
    ledger.place(token, [{ event, receivedAtMs, pointer }]);

  it("is known by every claim until its place is told", async () => {
    const { first, next, found } = await unplaced();
    expect(found).toMatchObject({ kind: "claimed", isUnplaced: true });
    const late = await claimed(freshToken(), first);
    expect(late).toMatchObject({ kind: "leased", isUnplaced: true });
    await place(next, first, SECOND);
    const later = await claimed(freshToken(), first);
    expect(later).toMatchObject({ kind: "leased", isUnplaced: false });
    expect(await placeOf(first, next)).toEqual([SECOND.segment]);
  });

  it("is not moved by the place that a claim brings", async () => {
    const { first, next } = await unplaced();
    expect(await placeOf(first, next)).toEqual([""]);
  });

  it("takes no place of a claim that is no longer held, and none instead of one that it has", async () => {
    const { first, next } = await unplaced();
    await place(freshToken(), first, FIRST);
    expect(await claimed(freshToken(), first)).toMatchObject({ isUnplaced: true });
    await place(next, first, SECOND);
    await place(next, first, FIRST);
    expect(await placeOf(first, next)).toEqual([SECOND.segment]);
  });

  it("keeps its place when the result is refused", async () => {
    const first = firstOf({ tenant: freshTenant(), pointer: FIRST });
    const token = freshToken();
    await claimFirsts(ledger, token, [first]);
    const result = resultOf(first, { subscription: "s0", isUnplaced: true });
    expect((await ledger.settle(freshToken(), [result], [])).refused.size).toBe(1);
    expect(await placeOf(first, token)).toEqual([FIRST.segment]);
  });
});
