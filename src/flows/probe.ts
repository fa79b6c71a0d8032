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
  let closedUntilMs: number | null = null;
  const close = (): void => {
    closedUntilMs = clock.nowMs() + PROBE_PAUSE_MS;
  };
  return {
    mayAsk() {
      if (closedUntilMs === null) return true;
      if (clock.nowMs() < closedUntilMs) return false;
      close();
      return true;
    },
    answered() {
      closedUntilMs = null;
    },
    failed: close,
  };
}
