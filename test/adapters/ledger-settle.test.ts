/** Settling, in both ledgers: what is written down, by whom, and what is refused. */
import { describe, expect, it } from "vitest";
import { firstKey, keyOf } from "../../src/ports/claim.ts";
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
} from "./ledgers.ts";

describe.each(SUBJECTS)("settling in $name", ({ ledger, copiesOf }) => {
  /** What the ledger has of an event's deliveries. */
  async function doneOf(first: ReturnType<typeof firstOf>): Promise<ReadonlySet<string>> {
    const { firsts } = await claim(ledger, freshToken(), { firsts: [first] });
    const verdict = firsts.get(firstKey(first));
    return verdict !== undefined && "done" in verdict ? verdict.done : new Set();
  }

  it("writes each delivery of an event that is held", async () => {
    const [first, token] = [firstOf(), freshToken()];
    await claimFirsts(ledger, token, [first]);
    const results = ["s1", "s2", "s3"].map((subscription) => resultOf(first, { subscription }));
    expect((await ledger.settle(token, results.slice(0, 2), [])).refused).toEqual(new Set());
    expect((await ledger.settle(token, results.slice(2), [])).refused).toEqual(new Set());
    expect(await doneOf(first)).toEqual(new Set(["s1", "s2", "s3"]));
  });

  it("is refused to a token that held the event once, and changes nothing", async () => {
    const [first, stale, holder] = [firstOf(), freshToken(), freshToken()];
    await claimFirsts(ledger, stale, [first], ENDED);
    await claimFirsts(ledger, holder, [first]);
    const result = resultOf(first);
    expect((await ledger.settle(stale, [result], [])).refused).toEqual(new Set([keyOf(result)]));
    expect(await doneOf(first)).toEqual(new Set());
    expect((await ledger.settle(holder, [result], [])).refused).toEqual(new Set());
  });

  it("is refused to a token that never held anything", async () => {
    const first = firstOf();
    await claimFirsts(ledger, freshToken(), [first]);
    const result = resultOf(first);
    expect((await ledger.settle(freshToken(), [result], [])).refused).toEqual(
      new Set([keyOf(result)]),
    );
  });

  it("refuses to overwrite what another holder has written", async () => {
    const tenant = freshTenant();
    const [first, stale, holder] = [firstOf({ tenant }), freshToken(), freshToken()];
    await claimFirsts(ledger, stale, [first], ENDED);
    await ledger.settle(stale, [resultOf(first, retrying())], []);
    await claimFirsts(ledger, holder, [first]);
    const result = resultOf(first);
    expect((await ledger.settle(holder, [result], [])).refused).toEqual(new Set([keyOf(result)]));
    expect(await dueOf(ledger, tenant)).toMatchObject([{ event: first.id, attempts: 1 }]);
  });

  it("writes the part of a group that is held and names the rest", async () => {
    const [mine, lost, token] = [firstOf(), firstOf(), freshToken()];
    await claimFirsts(ledger, token, [mine, lost], ENDED);
    await claimFirsts(ledger, freshToken(), [lost]);
    const results = [resultOf(lost), resultOf(mine)];
    expect((await ledger.settle(token, results, [])).refused).toEqual(
      new Set([keyOf(resultOf(lost))]),
    );
    expect(await doneOf(mine)).toEqual(new Set(["s1"]));
    expect(await doneOf(lost)).toEqual(new Set());
  });

  it("may be repeated: the answer of the first time may have been lost", async () => {
    const tenant = freshTenant();
    const [first, token] = [firstOf({ tenant }), freshToken()];
    await claimFirsts(ledger, token, [first]);
    const copy = { event: first.id, receipt: "rcp_copy", receivedAtMs: 1, reason: "duplicate" };
    const settle = () => ledger.settle(token, [resultOf(first, retrying())], [copy]);
    expect((await settle()).refused).toEqual(new Set());
    expect((await settle()).refused).toEqual(new Set());
    expect(await dueOf(ledger, tenant)).toMatchObject([{ event: first.id, attempts: 1 }]);
    expect(await copiesOf(first.id)).toEqual(["rcp_copy"]);
  });

  it("of a delivery claimed by its own row may be repeated too, until that is claimed again", async () => {
    const tenant = freshTenant();
    const [first, token] = [firstOf({ tenant }), freshToken()];
    await claimFirsts(ledger, token, [first]);
    await ledger.settle(token, [resultOf(first, retrying())], []);
    const second = freshToken();
    await claim(ledger, second, { agains: [againOf(first)] });
    const result = resultOf(first, retrying({ claimedBy: "row", attempts: 2 }));
    expect((await ledger.settle(second, [result], [])).refused).toEqual(new Set());
    expect((await ledger.settle(second, [result], [])).refused).toEqual(new Set());
    expect(await dueOf(ledger, tenant)).toMatchObject([{ attempts: 2 }]);
    const third = freshToken();
    await claim(ledger, third, { agains: [againOf(first, { attempts: 2 })] });
    expect((await ledger.settle(second, [result], [])).refused).toEqual(new Set([keyOf(result)]));
  });

  it("records that no rule matched, and refuses it to no one later", async () => {
    const [first, token] = [firstOf(), freshToken()];
    await claimFirsts(ledger, token, [first], ENDED);
    const unmatched = { subscription: "", state: "unmatched", attempts: 0, attempt: null } as const;
    expect((await ledger.settle(token, [resultOf(first, unmatched)], [])).refused).toEqual(
      new Set(),
    );
    expect(await doneOf(first)).toEqual(new Set([""]));
  });

  it("records each suppressed copy once, with nothing else to settle", async () => {
    const { id: event } = firstOf();
    const copy = (receipt: string) => ({ event, receipt, receivedAtMs: 1, reason: "duplicate" });
    await ledger.settle(freshToken(), [], [copy("rcp_1"), copy("rcp_2")]);
    await ledger.settle(freshToken(), [], [copy("rcp_2"), copy("rcp_3")]);
    expect(await copiesOf(event)).toEqual(["rcp_1", "rcp_2", "rcp_3"]);
  });

  it("of nothing does nothing", async () => {
    expect((await ledger.settle(freshToken(), [], [])).refused).toEqual(new Set());
  });
});
