/** What turns cost in D1: rows written, as D1 itself counts them, and round trips. */
import { describe, expect, it } from "vitest";
import { createLedger } from "../../src/adapters/d1/ledger.ts";
import { createTurns } from "../../src/adapters/d1/turns.ts";
import type { OrderMode } from "../../src/core/order/order.ts";
import {
  againOf,
  claim,
  claimFirsts,
  costOf,
  firstOf,
  freshToken,
  resultOf,
  session,
} from "./ledgers.ts";
import { askOf, BASE_MS, freshKey } from "./turn-asks.ts";

const ledger = createLedger(session);
const turns = createTurns(session);
const COUNT = 50;

describe("a delivery in order", () => {
  it.each([
    ["fifo", 5],
    ["latest-wins", 6],
    ["drop-older", 6],
  ] as const)(
    "by %s that succeeds at once writes %d rows, with two round trips more a batch",
    async (mode, rows) => {
      const firsts = Array.from({ length: COUNT }, () => firstOf());
      const token = freshToken();
      const keys = firsts.map(freshKey);
      const asks = firsts.map((first, at) => askOf(first, keys[at] ?? "", mode));
      const results = firsts.map((first) => resultOf(first, { claimedBy: "row" }));
      const cost = await costOf(async () => {
        await claimFirsts(ledger, token, firsts);
        await turns.take(token, 90, asks);
        await ledger.settle(token, results, []);
        expect(await turns.next(keys)).toEqual([]);
      });
      expect(cost).toEqual({ rows: rows * COUNT, trips: 4 });
    },
  );

  it.each([
    ["fifo", 16],
    ["latest-wins", 17],
    ["drop-older", 17],
  ] as const)("by %s that waits first writes %d", async (mode, rows) => {
    const head = firstOf({ receivedAtMs: BASE_MS });
    const waiting = firstOf({ receivedAtMs: BASE_MS + 1 });
    const key = freshKey();
    const token = freshToken();
    await claimFirsts(ledger, token, [head]);
    await turns.take(token, 90, [askOf(head, key, mode)]);
    const parking = await costOf(() => park(waiting, key, mode));
    await ledger.settle(token, [resultOf(head, { claimedBy: "row" })], []);
    const going = await costOf(async () => {
      expect(await turns.next([key])).toHaveLength(1);
      const again = freshToken();
      await claim(ledger, again, { agains: [againOf(waiting, { attempts: 0 })] });
      await turns.take(again, 90, [askOf(waiting, key, mode, { claimedBy: "row" })]);
      await ledger.settle(again, [resultOf(waiting, { claimedBy: "row" })], []);
    });
    expect(parking.rows + going.rows).toBe(rows);
  });

  async function park(first: ReturnType<typeof firstOf>, key: string, mode: OrderMode) {
    const token = freshToken();
    await claimFirsts(ledger, token, [first]);
    const asks = [askOf(first, key, mode)];
    expect([...(await turns.take(token, 90, asks)).values()]).toMatchObject([{ kind: "waits" }]);
  }
});
