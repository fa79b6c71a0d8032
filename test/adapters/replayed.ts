/** Replays for the tests of what they write: a query, a slice, a delivery of one. */
import { START } from "../../src/core/replay.ts";
import type { FirstClaim } from "../../src/ports/claim.ts";
import type { ReplayedDelivery, Slice } from "../../src/ports/replays.ts";

export const QUERY = {
  ...{ fromMs: 5, untilMs: 10, pattern: { data: { n: [1] } }, source: null, type: "t" },
  ...{ rule: null, target: "sink", perSecond: 2.5, reason: "a test" },
};

/** What a replay makes of an event that was settled once. */
export const replayedOf = (
  first: FirstClaim,
  more: Partial<ReplayedDelivery> = {},
): ReplayedDelivery => {
  const { id: event, tenant, receipt, source, type, receivedAtMs, revision, pointer } = first;
  return {
    ...{ event, tenant, receipt, source, type, receivedAtMs, revision, pointer },
    ...{ subscription: "replayed", rule: "all", target: "sink", mayBeQueued: false },
    ...more,
  };
};

export const sliceOf = (
  deliveries: readonly ReplayedDelivery[],
  more: Partial<Slice> = {},
): Slice => ({
  ...{ deliveries, reachedAtMs: 7, examined: 3, unreadableBytes: 2, isLast: false },
  checkpoint: { ...START, segments: "segments/acme/x" },
  ...more,
});
