/** Turns in both ledgers: whose it is, who waits, who was passed, who is next. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { OrderMode } from "../../src/core/order/order.ts";
import type { Verdict } from "../../src/core/order/turns.ts";
import type { FirstClaim } from "../../src/ports/claim.ts";
import type { DeliveryResult } from "../../src/ports/ledger.ts";

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
import { askOf, BASE_MS, freshKey, keyOfFirst } from "./turn-asks.ts";

describe.each(SUBJECTS)("a turn in $name", (subject) => {
  const { ledger, turns, prepare, deleteTenant, haveOrdered, removeTarget, stateOf } = subject;
  /** Events of one tenant, one second apart. */
  async function eventsOf(count: number): Promise<FirstClaim[]> {
    const tenant = freshTenant();
    await prepare(tenant);
    return Array.from({ length: count }, (_, at) =>
      firstOf({ tenant, receivedAtMs: BASE_MS + at * 1_000 }),
    );
  }

  /** The verdicts that these events get together, as a batch of their own. */
  async function ask(
    key: string,
    mode: OrderMode,
    firsts: readonly FirstClaim[],
    leaseSeconds = 90,
  ): Promise<{ token: string; verdicts: (Verdict | undefined)[] }> {
    const token = freshToken();
    await claimFirsts(ledger, token, firsts);
    const asks = firsts.map((first) => askOf(first, key, mode));
    const answer = await turns.take(token, leaseSeconds, asks);
    return { token, verdicts: firsts.map((first) => answer.get(keyOfFirst(first))) };
  }

  const end = async (token: string, first: FirstClaim, sketch: Partial<DeliveryResult> = {}) => {
    const result = resultOf(first, { claimedBy: "row", ...sketch });
    expect((await ledger.settle(token, [result], [])).refused).toEqual(new Set());
  };

  /** A row that is owed, in the hands of a new token. */
  async function claimAgain(first: FirstClaim, attempts: number): Promise<string> {
    const token = freshToken();
    await claim(ledger, token, { agains: [againOf(first, { attempts })] });
    return token;
  }

  const turn = { kind: "turn" };
  const waits = ({ id }: FirstClaim) => ({ kind: "waits", event: id });
  const passed = ({ id }: FirstClaim) => ({ kind: "passed", event: id });

  it("of a fifo is the oldest's, and that of those behind it in the same hands", async () => {
    const [a, b, c, d] = (await eventsOf(4)) as [FirstClaim, FirstClaim, FirstClaim, FirstClaim];
    const key = freshKey();
    const { token, verdicts } = await ask(key, "fifo", [b, a]);
    expect(verdicts).toEqual([turn, turn]);
    expect((await ask(key, "fifo", [d, c])).verdicts).toEqual([waits(a), waits(a)]);
    expect(await stateOf(c)).toEqual(
      expect.objectContaining({ state: "parked", lastError: `order: waits for ${a.id}` }),
    );
    expect(await turns.next([key])).toEqual([]);
    await end(token, a);
    expect(await turns.next([key])).toEqual([]);
    await end(token, b);
    const next = await turns.next([key]);
    expect(next.map(({ event }) => event)).toEqual([c.id, d.id]);
    expect(next[0]).toMatchObject({ dueInMs: 0, replay: null, pointer: a.pointer, rule: "all" });
  });

  it.each(["retrying", "parked"] as const)("of a fifo stays with one that is %s", async (state) => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    const key = freshKey();
    const { token } = await ask(key, "fifo", [a]);
    await ask(key, "fifo", [b]);
    await end(token, a, { ...retrying({ state }), dueInMs: 60_000 });
    expect(await turns.next([key])).toEqual([]);
  });

  it.each(["delivered", "dead", "cancelled"] as const)(
    "of a fifo is free once one is %s",
    async (state) => {
      const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
      const key = freshKey();
      const { token } = await ask(key, "fifo", [a]);
      await ask(key, "fifo", [b]);
      await end(token, a, { state });
      expect(await turns.next([key])).toHaveLength(1);
      expect(await turns.next([key])).toEqual([]);
      const again = await claimAgain(b, 0);
      const asks = [askOf(b, key, "fifo", { claimedBy: "row" })];
      expect([...(await turns.take(again, 90, asks)).values()]).toEqual([turn]);
    },
  );

  it("of a straggler waits for what is under way, and goes before what waits", async () => {
    const [late, b, c] = (await eventsOf(3)) as [FirstClaim, FirstClaim, FirstClaim];
    const key = freshKey();
    const { token } = await ask(key, "fifo", [b]);
    await ask(key, "fifo", [c]);
    expect((await ask(key, "fifo", [late])).verdicts).toEqual([waits(b)]);
    await end(token, b);
    expect((await turns.next([key])).map(({ event }) => event)).toEqual([late.id, c.id]);
  });

  it("under a lease that has ended stays a fifo's, and holds up nobody else", async () => {
    const [a, b, c] = (await eventsOf(3)) as [FirstClaim, FirstClaim, FirstClaim];
    const key = freshKey();
    await ask(key, "fifo", [b], ENDED);
    expect((await ask(key, "fifo", [c])).verdicts).toEqual([waits(b)]);
    expect((await ask(key, "fifo", [a])).verdicts).toEqual([turn]);
    const other = freshKey();
    await ask(other, "drop-older", [await one()], ENDED);
    expect((await ask(other, "drop-older", [await one(1)])).verdicts).toEqual([turn]);
  });
  const one = async (at = 0): Promise<FirstClaim> => {
    const [first = firstOf()] = await eventsOf(1);
    return { ...first, receivedAtMs: BASE_MS + at };
  };

  it("of one key is nobody else's: another key's are free", async () => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    await ask(freshKey(), "fifo", [a]);
    expect((await ask(freshKey(), "fifo", [b])).verdicts).toEqual([turn]);
  });

  it("of latest-wins is the newest's: what waits or comes late is superseded", async () => {
    const [a, b, c, d] = (await eventsOf(4)) as [FirstClaim, FirstClaim, FirstClaim, FirstClaim];
    const key = freshKey();
    const { token } = await ask(key, "latest-wins", [b]);
    expect((await ask(key, "latest-wins", [c])).verdicts).toEqual([waits(b)]);
    expect((await ask(key, "latest-wins", [d, a])).verdicts).toEqual([waits(b), passed(b)]);
    expect(await stateOf(c)).toEqual(
      expect.objectContaining({ state: "cancelled", lastError: `superseded by ${d.id}` }),
    );
    await end(token, b, retrying());
    expect((await turns.next([key])).map(({ event }) => event)).toEqual([d.id]);
    const again = await claimAgain(d, 0);
    await turns.take(again, 90, [askOf(d, key, "latest-wins", { claimedBy: "row" })]);
    expect(await stateOf(b)).toMatchObject({ state: "cancelled" });
  });

  it("of latest-wins in one batch is the newest's alone", async () => {
    const firsts = await eventsOf(3);
    const [a, b, c] = firsts as [FirstClaim, FirstClaim, FirstClaim];
    const { verdicts } = await ask(freshKey(), "latest-wins", firsts);
    expect([verdicts[0]?.kind, verdicts[1]?.kind, verdicts[2]]).toEqual(["passed", "passed", turn]);
    expect(await stateOf(a)).toMatchObject({ state: "cancelled" });
    expect(await stateOf(b)).toMatchObject({ lastError: `superseded by ${c.id}` });
  });

  it("of drop-older is refused to what is older than one that has begun, and to nothing else", async () => {
    const [a, b, c, d] = (await eventsOf(4)) as [FirstClaim, FirstClaim, FirstClaim, FirstClaim];
    const key = freshKey();
    const { token, verdicts } = await ask(key, "drop-older", [c, b]);
    expect(verdicts).toEqual([turn, turn]);
    expect((await ask(key, "drop-older", [a])).verdicts).toEqual([passed(b)]);
    expect((await ask(key, "drop-older", [d])).verdicts[0]?.kind).toBe("waits");
    await end(token, b, retrying());
    await end(token, c);
    expect((await turns.next([key])).map(({ event }) => event)).toEqual([d.id]);
    const again = await claimAgain(b, 1);
    const asks = [askOf(b, key, "drop-older", { claimedBy: "row", attempts: 1 })];
    expect([...(await turns.take(again, 90, asks)).values()]).toEqual([passed(c)]);
    expect(await stateOf(b)).toMatchObject({ lastError: `older than ${c.id}` });
  });

  it("of drop-older counts as begun although its holder died, and not when it was put back", async () => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    const key = freshKey();
    await ask(key, "drop-older", [b], ENDED);
    await ledger.putOff([resultOf(b)], 0);
    expect(await stateOf(b)).toMatchObject({ state: "pending" });
    expect((await ask(key, "drop-older", [a])).verdicts).toEqual([passed(b)]);
    const [c, d] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    const other = freshKey();
    const { token } = await ask(other, "drop-older", [d]);
    await end(token, d, { state: "pending", attempts: 0, attempt: null, dueInMs: 0 });
    expect((await ask(other, "drop-older", [c])).verdicts).toEqual([turn]);
  });

  it("of drop-older is not refused for one that says that it is as new", async () => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    const same = { ...b, receivedAtMs: a.receivedAtMs };
    const key = freshKey();
    const { token } = await ask(key, "drop-older", [a]);
    await end(token, a);
    expect((await ask(key, "drop-older", [same])).verdicts).toEqual([turn]);
  });

  it.each(["latest-wins", "drop-older"] as const)(
    "of %s is not refused for one of a former life of its tenant",
    async (mode) => {
      const [a, b, c] = (await eventsOf(3)) as [FirstClaim, FirstClaim, FirstClaim];
      const key = freshKey();
      const { token } = await ask(key, mode, [c]);
      await end(token, c);
      const before = Date.now();
      await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(before));
      await deleteTenant(a.tenant, `job_of_${a.tenant}`);
      await prepare(a.tenant);
      const own = await ask(key, mode, [b]);
      expect(own.verdicts).toEqual([turn]);
      await end(own.token, b);
      expect((await ask(key, mode, [a])).verdicts).toEqual([passed(b)]);
    },
  );

  it("that is asked for twice is answered alike", async () => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    const key = freshKey();
    const { token } = await ask(key, "fifo", [a]);
    const asks = [askOf(a, key, "fifo")];
    expect([...(await turns.take(token, 90, asks)).values()]).toEqual([turn]);
    const waiting = await ask(key, "fifo", [b]);
    const asked = await turns.take(waiting.token, 90, [askOf(b, key, "fifo")]);
    expect([...asked.values()]).toEqual([waits(a)]);
  });

  it("is refused to a token that does not hold the event", async () => {
    const [a] = (await eventsOf(1)) as [FirstClaim];
    await claimFirsts(ledger, freshToken(), [a]);
    const asks = [askOf(a, freshKey(), "fifo")];
    expect(await turns.take(freshToken(), 90, asks)).toEqual(new Map());
    expect(await stateOf(a)).toBeUndefined();
  });

  it("outlasts its target's release while that keeps an order, and ends with the target", async () => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    await haveOrdered(b.tenant);
    const key = freshKey();
    const { token } = await ask(key, "fifo", [a]);
    await ask(key, "fifo", [b]);
    expect(await ledger.release(b.tenant, "sink")).toBe(0);
    expect(await stateOf(b)).toMatchObject({ state: "parked" });
    await removeTarget(b.tenant);
    expect(await ledger.release(b.tenant, "sink")).toBe(1);
    expect(await stateOf(b)).toMatchObject({ state: "cancelled" });
    await end(token, a);
    expect(await turns.next([key])).toEqual([]);
  });

  it("is let go with its target's release where that has no order any more", async () => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    const key = freshKey();
    await ask(key, "fifo", [a]);
    await ask(key, "fifo", [b]);
    // The target has no order any more: what waits is let go.
    expect(await ledger.release(b.tenant, "sink")).toBe(1);
    expect(await stateOf(b)).toMatchObject({ state: "pending" });
  });

  it("is kept by what is parked for a closed target, and found by its key when it waits", async () => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    const key = freshKey();
    await ledger.disableTarget(a.tenant, "sink", "410");
    const token = freshToken();
    await claimFirsts(ledger, token, [a]);
    const closed = {
      state: "parked",
      attempts: 0,
      attempt: null,
      lastError: "target paused",
    } as const;
    await ledger.settle(token, [resultOf(a, { ...closed, order: { key, value: null } })], []);
    expect(await turns.waiting("")).not.toContain(key);
    expect((await ask(key, "fifo", [b])).verdicts).toEqual([waits(a)]);
    expect(await turns.waiting("")).toContain(key);
    expect(await turns.waiting(key)).toContain(key);
    expect(await turns.waiting(`${key}0`)).not.toContain(key);
    expect(await turns.next([key])).toEqual([]);
  });

  it("that a batch leaves behind one that has not ended waits as if it had been told so", async () => {
    const [a, b] = (await eventsOf(2)) as [FirstClaim, FirstClaim];
    const key = freshKey();
    const { token } = await ask(key, "fifo", [a, b]);
    const order = { key, value: null, isWaiting: true } as const;
    const left = { state: "parked", attempts: 0, attempt: null, order } as const;
    await end(token, b, { ...left, lastError: `order: waits for ${a.id}` });
    expect(await turns.next([key])).toEqual([]);
    await end(token, a);
    expect((await turns.next([key])).map(({ event }) => event)).toEqual([b.id]);
    expect((await dueOf(ledger, b.tenant, 60_000)).map(({ event }) => event)).toEqual([b.id]);
  });
});

describe("both ledgers", () => {
  interface Step {
    readonly does: "ask" | "end" | "fail" | "next" | "again" | "die";
    readonly events: readonly number[];
  }
  const step: fc.Arbitrary<Step> = fc.record({
    does: fc.constantFrom("ask", "ask", "end", "fail", "next", "again", "die"),
    events: fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 }),
  });

  /** What each step is answered, and how all stand in the end. */
  async function play(
    { ledger, turns, prepare, stateOf }: (typeof SUBJECTS)[number],
    steps: readonly Step[],
    mode: OrderMode,
  ): Promise<unknown[]> {
    const tenant = freshTenant();
    await prepare(tenant);
    const key = freshKey();
    const firsts = Array.from({ length: 6 }, (_, at) =>
      firstOf({ tenant, receivedAtMs: BASE_MS + Math.floor(at / 2) * 1_000 }),
    );
    const numberOf = (event: string) => firsts.findIndex(({ id }) => id === event);
    const [holders, attempts] = [new Map<number, string>(), new Map<number, number>()];
    const seen: unknown[] = [];
    for (const { does, events } of steps) {
      const token = freshToken();
      const mine = events.map((at) => [at, firsts[at] ?? firstOf()] as const);
      if (does === "ask" || does === "again" || does === "die") {
        const isFirst = does === "ask";
        const asking = mine.filter(([at]) => attempts.has(at) !== isFirst);
        const agains = asking.map(([at, first]) =>
          againOf(first, { attempts: attempts.get(at) ?? 0 }),
        );
        const claimed = isFirst
          ? await claim(ledger, token, { firsts: asking.map(([, first]) => first) })
          : await claim(ledger, token, { agains });
        const own = asking.filter(([, first]) => isFirst || claimed.agains.has(keyOfFirst(first)));
        const asks = own.map(([at, first]) =>
          askOf(first, key, mode, {
            ...{ attempts: attempts.get(at) ?? 0, claimedBy: isFirst ? "event" : "row" },
          }),
        );
        const verdicts = await turns.take(token, does === "die" ? ENDED : 90, asks);
        for (const [at, first] of own) {
          attempts.set(at, attempts.get(at) ?? 0);
          const verdict = verdicts.get(keyOfFirst(first));
          if (verdict?.kind === "turn") holders.set(at, token);
          seen.push([
            at,
            verdict?.kind,
            verdict?.kind === "turn" ? 0 : numberOf(verdict?.event ?? ""),
          ]);
        }
      } else if (does === "next") {
        seen.push((await turns.next([key])).map(({ event }) => numberOf(event)).sort());
      } else {
        for (const [at, first] of mine) {
          const holder = holders.get(at);
          if (holder === undefined) continue;
          const tries = (attempts.get(at) ?? 0) + 1;
          const sketch = does === "end" ? {} : retrying();
          const { refused } = await ledger.settle(
            holder,
            [resultOf(first, { ...sketch, claimedBy: "row", attempts: tries })],
            [],
          );
          if (refused.size === 0) attempts.set(at, tries);
          holders.delete(at);
        }
      }
    }
    for (const first of firsts) seen.push((await stateOf(first))?.state);
    return seen;
  }

  it.each(["fifo", "latest-wins", "drop-older"] as const)(
    "decide alike whatever happens to deliveries of one key: %s",
    async (mode) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
          const [real, simulated] = SUBJECTS;
          if (real === undefined || simulated === undefined) throw new Error("two ledgers");
          expect(await play(real, steps, mode)).toEqual(await play(simulated, steps, mode));
        }),
        { numRuns: 60 },
      );
    },
    60_000,
  );
});
