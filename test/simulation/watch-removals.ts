/** Watches who stores objects: what a removed tenant may have left, as nothing waits for a sleeper for ever. */

import { LEASE_TTL_MS } from "../../src/core/limits.ts";
import { DELETION_SETTLES_MS } from "../../src/core/operator-limits.ts";
import type { DeletionJob } from "../support/memory-deletions.ts";
import type { Life } from "./life.ts";

export interface RemovalWatch {
  /** `sinceMs` is when a consumer began; null for a request, which is at work since its isolate slept. */
  storing(life: Life, sinceMs: number | null, key: string): void;
  /**
   * Whether who stored it was at work before it could know of the deletion and stood still since, so
   * long that the job had no reason to wait any more.
   */
  isOfSleeper(key: string, storedAtMs: number, job: DeletionJob): boolean;
}

export function createRemovalWatch(nowMs: () => number): RemovalWatch {
  /** By key, which no two claims and no two requests have in common. */
  const sleepers = new Map<string, { readonly sinceMs: number; readonly awokeAtMs: number }>();
  return {
    storing(life, sinceMs, key) {
      const awokeAtMs = life.standsStillUntilMs();
      // A request that came after it was awake has asked the limiter anew.
      const isOlder = nowMs() <= awokeAtMs + LEASE_TTL_MS;
      const since = sinceMs ?? (isOlder ? Number.NEGATIVE_INFINITY : nowMs());
      sleepers.set(key, { sinceMs: since, awokeAtMs });
    },
    isOfSleeper(key, storedAtMs, { createdAtMs }) {
      const sleeper = sleepers.get(key);
      if (sleeper === undefined) return false;
      const { sinceMs, awokeAtMs } = sleeper;
      const isLate = storedAtMs >= createdAtMs + DELETION_SETTLES_MS;
      return isLate && sinceMs <= createdAtMs && awokeAtMs > createdAtMs;
    },
  };
}
