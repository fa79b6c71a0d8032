/** The ledger's generations: where a row stands, and what may go when. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expiryAt, generationOf, SLOTS, slotOf } from "../../src/core/generation.ts";
import {
  GENERATION_MS,
  LEASE_SECONDS,
  QUEUE_RETENTION_MS,
  SENDER_RETRY_MS_MAX,
} from "../../src/core/limits.ts";

const time = fc.integer({ min: -(2 ** 42), max: 2 ** 42 });

describe("a generation", () => {
  it("covers a sender's last attempt, its wait in two queues and a lease", () => {
    const longestMs = SENDER_RETRY_MS_MAX + 2 * QUEUE_RETENTION_MS + LEASE_SECONDS * 1_000;
    expect(GENERATION_MS).toBeGreaterThan(longestMs);
  });

  it("begins and ends at the same moment for everyone, also before 1970", () => {
    expect([-1, 0, GENERATION_MS - 1, GENERATION_MS].map(generationOf)).toEqual([-1, 0, 0, 1]);
    expect([-1, 0, GENERATION_MS, 2 * GENERATION_MS].map(slotOf)).toEqual([2, 0, 1, 2]);
    fc.assert(fc.property(time, (atMs) => SLOTS.includes(slotOf(atMs))));
  });
});

describe("expiry", () => {
  it("empties neither this generation's slot nor the one before it", () => {
    fc.assert(
      fc.property(time, (nowMs) => {
        const { slot } = expiryAt(nowMs);
        expect([slotOf(nowMs), slotOf(nowMs - GENERATION_MS), slot].toSorted()).toEqual(SLOTS);
      }),
    );
  });

  it("keeps whatever was received within the horizon, and room for what comes next", () => {
    fc.assert(
      fc.property(time, fc.nat(GENERATION_MS), (nowMs, agoMs) => {
        const { generation, keepFromMs, slot } = expiryAt(nowMs);
        expect(nowMs - agoMs).toBeGreaterThanOrEqual(keepFromMs);
        expect(generation).toBe(generationOf(nowMs + GENERATION_MS));
        expect(slot).toBe(slotOf(nowMs + GENERATION_MS));
      }),
    );
  });

  it("lets nothing live for more than three generations that is not kept", () => {
    fc.assert(
      fc.property(time, (receivedAtMs) => {
        const { slot, keepFromMs } = expiryAt(receivedAtMs + 2 * GENERATION_MS);
        expect(slot).toBe(slotOf(receivedAtMs));
        expect(receivedAtMs).toBeLessThan(keepFromMs);
      }),
    );
  });
});
