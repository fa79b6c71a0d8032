/** Claims, in both ledgers: who owns an event, and for how long. */
import { describe, expect, it } from "vitest";
import { claimParts } from "../../src/adapters/d1/claim.ts";
import { bigKey } from "../../src/core/archive-keys.ts";
import { CLAIM_MAX, LEASE_SECONDS } from "../../src/core/limits.ts";
import { type FirstClaim, firstKey, TYPE_KEPT_MAX } from "../../src/ports/claim.ts";
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
import { QUERY, replayedOf, sliceOf } from "./replayed.ts";
import { askOf, freshKey } from "./turn-asks.ts";

const ELSEWHERE = { segment: "acme/segments/copy", offset: 1, length: 1 };

describe.each(SUBJECTS)("a claim in $name", ({ ledger, prepare }) => {
  it("of a new event is won, with nothing done yet", async () => {
    const first = firstOf();
    const { firsts } = await claim(ledger, freshToken(), { firsts: [first] });
    expect(firsts.get(firstKey(first))).toEqual({
      kind: "claimed",
      done: new Set(),
      isUnplaced: false,
    });
  });

  it("of the same events by many at once is won by one of them each, and refused to the others", async () => {
    const events = Array.from({ length: 20 }, () => firstOf());
    // In different orders, so that no single claimant simply comes first everywhere.
    const kinds = await Promise.all(
      Array.from({ length: 8 }, async (_, turn) => {
        const turned = [...events.slice(turn), ...events.slice(0, turn)];
        const answer = await claim(ledger, freshToken(), { firsts: turned });
        return events.map((first) => answer.firsts.get(firstKey(first))?.kind);
      }),
    );
    for (const at of events.keys()) {
      const answers = kinds.map((of) => of[at]);
      expect(answers.toSorted()).toEqual(["claimed", ...Array(7).fill("leased")]);
    }
  });

  it("of one event under many receipts at once is won by one; the others hear whose copies they are", async () => {
    const { id } = firstOf();
    const copies = Array.from({ length: 8 }, () => firstOf({ id }));
    const verdicts = await Promise.all(
      copies.map(async (copy) => {
        const { firsts } = await claim(ledger, freshToken(), { firsts: [copy] });
        return firsts.get(firstKey(copy));
      }),
    );
    const owner = copies[verdicts.findIndex((verdict) => verdict?.kind === "claimed")];
    const others = verdicts.filter((verdict) => verdict?.kind !== "claimed");
    expect(others).toEqual(Array(7).fill({ kind: "duplicate", owner: owner?.receipt }));
  });

  it("tells two receipts of one event within one batch apart", async () => {
    const first = firstOf();
    const copy = firstOf({ id: first.id });
    const kinds = await claimFirsts(ledger, freshToken(), [first, copy, firstOf()]);
    expect(kinds).toEqual(["claimed", "duplicate", "claimed"]);
  });

  it("sent again with its token is answered the same: its first answer may have been lost", async () => {
    const [first, token] = [firstOf(), freshToken()];
    expect(await claimFirsts(ledger, token, [first])).toEqual(["claimed"]);
    expect(await claimFirsts(ledger, token, [first])).toEqual(["claimed"]);
  });

  it("is refused to another holder of the receipt while it is leased, with the time that remains", async () => {
    const first = firstOf();
    await claimFirsts(ledger, freshToken(), [first], 60);
    const { firsts } = await claim(ledger, freshToken(), { firsts: [first] });
    const verdict = firsts.get(firstKey(first));
    expect(verdict).toMatchObject({ kind: "leased", done: new Set() });
    const remainingMs = verdict?.kind === "leased" ? verdict.remainingMs : 0;
    expect(remainingMs).toBeGreaterThan(0);
    expect(remainingMs).toBeLessThanOrEqual(60_000);
  });

  it("of the same receipt goes on after the lease's end, and knows what was done", async () => {
    const [first, token] = [firstOf(), freshToken()];
    await claimFirsts(ledger, token, [first], ENDED);
    await ledger.settle(token, [resultOf(first, { subscription: "s2" })], []);
    const { firsts } = await claim(ledger, freshToken(), { firsts: [first] });
    expect(firsts.get(firstKey(first))).toEqual({
      kind: "claimed",
      done: new Set(["s2"]),
      isUnplaced: false,
    });
  });

  it("of another receipt is a duplicate also after the lease's end", async () => {
    const first = firstOf();
    await claimFirsts(ledger, freshToken(), [first], ENDED);
    expect(await claimFirsts(ledger, freshToken(), [firstOf({ id: first.id })])).toEqual([
      "duplicate",
    ]);
  });

  it("of another receipt takes neither the owner's lease nor the place of its bytes", async () => {
    const first = firstOf({ tenant: freshTenant() });
    const copy = () => firstOf({ ...first, receipt: "rcp_copy", pointer: ELSEWHERE });
    const owner = freshToken();
    await claimFirsts(ledger, owner, [first, copy()], ENDED);
    await claimFirsts(ledger, freshToken(), [copy()]);
    expect((await ledger.settle(owner, [resultOf(first, retrying())], [])).refused).toEqual(
      new Set(),
    );
    const { pointer } = first;
    expect(await dueOf(ledger, first.tenant)).toMatchObject([{ event: first.id, pointer }]);
  });

  it("while leased says what is done already, so that nobody waits for a finished event", async () => {
    const [first, token] = [firstOf(), freshToken()];
    await claimFirsts(ledger, token, [first]);
    await ledger.settle(token, [resultOf(first)], []);
    const { firsts } = await claim(ledger, freshToken(), { firsts: [first] });
    expect(firsts.get(firstKey(first))).toMatchObject({ kind: "leased", done: new Set(["s1"]) });
  });

  it("brings the revisions of the tenants that exist, and none of those that do not", async () => {
    const [known, unknown] = [freshTenant(), freshTenant()];
    const revision = await prepare(known);
    const answer = await claim(ledger, freshToken(), { tenants: [known, unknown] });
    expect([...answer.revisions]).toEqual([[known, revision]]);
  });
});

/** The most that D1 binds as one parameter (Cloudflare D1 limits: 2 MB). */
const PARAMETER_BYTES_MAX = 2_000_000;

describe.each(SUBJECTS)("events of a type that no source takes any more in $name", (subject) => {
  const { ledger, turns, replays, prepare, stateOf } = subject;
  const LONG = "😀€".repeat(5_000);
  const KEPT = LONG.slice(0, TYPE_KEPT_MAX - 1); // the next one is half of a character

  const many = (tenant: string): FirstClaim[] =>
    Array.from({ length: CLAIM_MAX }, () => firstOf({ tenant, type: LONG }));

  it("are claimed and settled, as many as one claim has, and their type is cut", async () => {
    const tenant = freshTenant();
    await prepare(tenant);
    const [firsts, token] = [many(tenant), freshToken()];
    expect(new Set(await claimFirsts(ledger, token, firsts))).toEqual(new Set(["claimed"]));
    const results = firsts.map((first) => resultOf(first));
    expect((await ledger.settle(token, results, [])).refused).toEqual(new Set());
    expect(await stateOf(firsts[0] as FirstClaim)).toMatchObject({ type: KEPT });
  });

  it("get their turns", async () => {
    const tenant = freshTenant();
    await prepare(tenant);
    const [firsts, token] = [many(tenant), freshToken()];
    await claimFirsts(ledger, token, firsts);
    const asks = firsts.map((first) => askOf(first, freshKey(), "fifo"));
    const verdicts = await turns.take(token, LEASE_SECONDS, asks);
    expect(new Set([...verdicts.values()].map(({ kind }) => kind))).toEqual(new Set(["turn"]));
    expect(await stateOf(firsts[0] as FirstClaim)).toMatchObject({ type: KEPT });
  });

  it("are replayed", async () => {
    const tenant = freshTenant();
    await prepare(tenant);
    const at = { tenant, id: `rpl_${tenant}` };
    await replays.create(at, QUERY);
    const firsts = many(tenant);
    const made = await replays.advance(at, 0, sliceOf(firsts.map((first) => replayedOf(first))));
    expect(made).toHaveLength(firsts.length);
    expect(await stateOf(firsts[0] as FirstClaim)).toMatchObject({ type: KEPT });
  });
});

describe("a claim of as many of the longest events as there may be", () => {
  it("is below what D1 binds", () => {
    const name = "n".repeat(63);
    const firsts = Array.from({ length: CLAIM_MAX }, () => {
      const first = firstOf({ tenant: name, source: name, receivedAtMs: Date.UTC(2026, 0, 1) });
      const number = Number.MAX_SAFE_INTEGER;
      const pointer = { segment: bigKey(first), offset: number, length: number };
      // Of a character that JSON writes with six: nothing is longer.
      return { ...first, type: "\u0001".repeat(16_384), pointer, revision: number };
    });
    const request = { token: freshToken(), leaseSeconds: LEASE_SECONDS, firsts, agains: [] };
    const sizes = claimParts({ ...request, tenants: [name] }).flatMap(({ params }) =>
      params.map((param) => new TextEncoder().encode(String(param)).length),
    );
    expect(Math.max(...sizes)).toBeGreaterThan(CLAIM_MAX * TYPE_KEPT_MAX * 6);
    expect(Math.max(...sizes)).toBeLessThan(PARAMETER_BYTES_MAX);
  });
});
