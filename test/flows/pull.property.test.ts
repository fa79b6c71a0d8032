/** Any number of readers, in any order, with leases that end and answers that come late: each delivery ends once. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pullTargetOf } from "../../src/core/pull/pull.ts";
import { answerLeases, type Said } from "../../src/flows/answer-leases.ts";
import { pull } from "../../src/flows/pull.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { boundTo } from "../support/memory-records.ts";
import { createIsolate, createWorld } from "../support/memory-router.ts";
import { consume, messageWith } from "./consumer.ts";

const ID = { tenant: "acme", target: "audit" };
const TRIES = 2;
const target = pullTargetOf({ maxAttempts: TRIES, leaseSeconds: 10 });

/** What readers do, and what happens to them. `which` is one of the leases that were ever given. */
const step = fc.oneof(
  fc.record({ does: fc.constant("pull" as const), max: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ does: fc.constantFrom("ack", "nack", "extend"), which: fc.nat(9) }),
  fc.record({ does: fc.constant("pass" as const), seconds: fc.integer({ min: 1, max: 15 }) }),
  fc.record({ does: fc.constant("die" as const) }),
  fc.record({ does: fc.constant("sweep" as const) }),
);

interface Given {
  readonly lease: string;
  readonly delivery: string;
}

async function live(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) {
  const world = createWorld();
  world.tenants.put("acme", { targets: { audit: { other: target } } });
  const keys = ["a", "b", "c", "d", "e"];
  for (const key of keys) {
    await consume(world, "normal", [messageWith({ key, to: [boundTo("audit")] })]);
  }
  const { deliver } = createIsolate(world);
  const pulls = await deliver.pulls();
  const given: Given[] = [];
  /** By delivery: which lease of it counts, and until when; and the one that it was acknowledged by. */
  const holders = new Map<string, { lease: string; untilMs: number }>();
  const done = new Map<string, string>();

  async function take(max: number, ports = deliver) {
    const request = { id: ID, max, leaseMs: null, waitMs: 0 };
    const pulling = () => pull(request, ports).catch(() => []);
    const pulled = await world.clock.run(Promise.all([pulling(), pulling()]));
    const items = pulled.flatMap((each) => each ?? []);
    for (const { lease, leasedUntilMs, delivery, attempt } of items) {
      const { event } = delivery;
      expect(done.has(event)).toBe(false);
      expect(attempt).toBeLessThanOrEqual(TRIES);
      expect(holders.get(event)?.untilMs ?? 0).toBeLessThanOrEqual(world.clock.nowMs());
      holders.set(event, { lease, untilMs: leasedUntilMs });
      given.push({ lease, delivery: event });
    }
    return items.length;
  }

  async function say({ lease, delivery }: Given, said: Said) {
    const { done: count, refused } = await answerLeases(ID, [lease], said, pulls);
    expect(count + refused.length).toBe(1);
    const isRepeat = said.kind === "ack" && done.get(delivery) === lease;
    const isHolder = holders.get(delivery)?.lease === lease && !done.has(delivery);
    if (count === 0) {
      expect(refused[0]?.reason).not.toBe("");
      expect(isRepeat).toBe(false);
      return;
    }
    expect(isHolder || isRepeat).toBe(true);
    if (said.kind === "ack") done.set(delivery, lease);
    else if (said.kind === "nack") holders.delete(delivery);
    else holders.set(delivery, { lease, untilMs: world.clock.nowMs() + said.leaseMs });
  }

  const SAID: Readonly<Record<string, Said>> = {
    ack: { kind: "ack" },
    nack: { kind: "nack", reason: "given back", delayMs: 2_000, attemptsMax: TRIES },
    extend: { kind: "extend", leaseMs: 10_000 },
  };
  for (const each of steps) {
    if (each.does === "pull" && "max" in each) await take(each.max);
    else if (each.does === "pass" && "seconds" in each)
      await world.clock.advance(each.seconds * 1_000);
    else if (each.does === "sweep") await world.clock.run(sweep("overdue", deliver));
    else if (each.does === "die") {
      // It has leased, and nobody hears of it; what it tries to give back does not arrive.
      const stream = () => Promise.reject(new Error("died"));
      const giveBack = () => Promise.reject(new Error("died"));
      const broken = {
        archive: { ...world.archive, stream },
        pulls: async () => ({ ...pulls, giveBack }),
      };
      await take(2, { ...deliver, ...broken });
    } else if ("which" in each) {
      const lease = given[each.which % Math.max(1, given.length)];
      const said = SAID[each.does];
      if (lease !== undefined && said !== undefined) await say(lease, said);
    }
  }
  // A reader that answers all it gets, until nothing comes any more.
  for (let quiet = 0; quiet < 3; ) {
    const before = given.length;
    quiet = (await take(10)) === 0 ? quiet + 1 : 0;
    for (const lease of given.slice(before)) await say(lease, { kind: "ack" });
    await world.clock.advance(11_000);
  }
  return { rows: [...world.ledger.deliveries.values()], done };
}

describe("a queue that is pulled", () => {
  it("gives each delivery to one reader at a time, and each ends acknowledged once or as a dead letter", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { rows, done } = await live(steps);
        expect(rows).toHaveLength(5);
        for (const { event, state, lastError } of rows) {
          const reason = state === "dead" ? (lastError ?? "none") : "";
          expect([event, state, done.has(event)]).toEqual([
            ...[event, done.has(event) ? "delivered" : "dead", done.has(event)],
          ]);
          expect(reason).toMatch(/^$|attempts exhausted$/);
        }
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
