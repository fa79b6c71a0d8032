/**
 * Whether a store that failed is asked again: not at all for a while, then by one caller, whose success
 * opens it for everybody. So a store that is down is not also stormed.
 */
import { PROBE_PAUSE_MS } from "../core/limits.ts";
import type { Clock } from "../ports/clock.ts";

export interface Probe {
  /** Whether the caller may ask the store now; after a failure it is the only one for `PROBE_PAUSE_MS`. */
  mayAsk(): boolean;
  answered(): void;
  failed(): void;
}

export function createProbe(clock: Pick<Clock, "nowMs">): Probe {
  let closedAtMs: number | null = null;
  const close = (): void => {
    closedAtMs = clock.nowMs();
  };
  return {
    mayAsk() {
      if (closedAtMs === null) return true;
      const closedForMs = clock.nowMs() - closedAtMs;
      // A clock that was set back must not keep it closed until it has caught up.
      if (closedForMs >= 0 && closedForMs < PROBE_PAUSE_MS) return false;
      close();
      return true;
    },
    answered() {
      closedAtMs = null;
    },
    failed: close,
  };
}
