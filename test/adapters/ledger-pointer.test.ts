/** Where an event's bytes rest when its message comes again with another place for them. */
import { describe, expect, it } from "vitest";
import {
  claim,
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

  it("with only deliveries that succeeded rests where the new claim says", async () => {
    expect(await claimTwice("delivered")).toEqual([SECOND]);
  });

  it("keeps its place while a delivery relies on it", async () => {
    expect(await claimTwice("delivered", "retrying")).toEqual([FIRST, FIRST]);
  });
});
