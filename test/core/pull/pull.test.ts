/** Names of leases, and what a target that is read says of itself. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leaseId, parseLeaseId, pullTargetOf } from "../../../src/core/pull/pull.ts";

const letters = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-z]{${length}}$`));
const timeMs = fc.integer({ min: 0, max: Date.UTC(2500, 0, 1) });
const lease = fc.record({
  event: letters(26).map((text) => `evt_${text}`),
  ...{ subscription: letters(13), token: letters(26), receivedAtMs: timeMs, leasedAtMs: timeMs },
});

describe("the name of a lease", () => {
  it("says where its delivery stands, and which lease of it this is", () => {
    fc.assert(
      fc.property(lease, (each) => {
        expect(parseLeaseId(leaseId(each))).toEqual(each);
      }),
    );
  });

  it("is short enough for one member of a list", () => {
    fc.assert(fc.property(lease, (each) => leaseId(each).length <= 128));
  });

  it("is refused when it is none", () => {
    fc.assert(fc.property(fc.string(), (text) => parseLeaseId(text) === null));
    const [good = ""] = fc.sample(lease, { numRuns: 1, seed: 1 }).map(leaseId);
    for (const bad of [`${good}0000000000`, good.slice(1), good.toUpperCase(), `${good} `, ""]) {
      expect([bad, parseLeaseId(bad)]).toEqual([bad, null]);
    }
  });
});

describe("a target that is read", () => {
  it("has a lease of half a minute, ten tries and a week, unless it says otherwise", () => {
    expect(pullTargetOf({})).toEqual({
      ...{ kind: "pull", attemptsMax: 10, leaseMs: 30_000, backlogMax: 100_000 },
      retentionMs: 7 * 86_400_000,
    });
    const own = { maxAttempts: 2, leaseSeconds: 5, retentionSeconds: 60, backlogMax: 3 };
    expect(pullTargetOf(own)).toEqual({
      ...{ kind: "pull", attemptsMax: 2, leaseMs: 5_000, retentionMs: 60_000, backlogMax: 3 },
    });
  });
});
