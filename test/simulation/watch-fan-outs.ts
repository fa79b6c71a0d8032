/**
 * Checks of fan-outs under command: a paused one sends no page that was not begun, and of a cancelled one nothing goes
 * out that was in no consumer's hands.
 */

import { FANOUT_RETRY_MS } from "../../src/core/fan-out/limits.ts";
import { CANCELLED_MS, LEASE_SECONDS } from "../../src/core/limits.ts";
import type { FanOut } from "../../src/ports/fan-outs.ts";
import type { MemoryLedger } from "../support/memory-ledger.ts";
import type { Violations } from "./violations.ts";
import type { WatchedAttempt } from "./watch-attempts.ts";
import type { ClaimWatch } from "./watch-claims.ts";

export interface FanOutWatch {
  /** A page is about to be made of what was read. */
  read(page: object, fanOut: FanOut | null): void;
  advanced(page: object, before: FanOut, sent: number): void;
  moved(id: string, to: FanOut["state"]): void;
  /** What is owed of it was given up, but for what somebody has in hand. */
  gaveUp(id: string): void;
  sending(attempt: WatchedAttempt): void;
}

interface Cancelled {
  readonly atMs: number;
  /** Nobody that died has something of it in hand. */
  readonly isSettled: boolean;
  /** Deliveries that nobody had in hand when all was given up. */
  gaveUp: { readonly atMs: number; readonly keys: ReadonlySet<string> } | null;
}

/** For an alarm, its page, and a store that is slow. */
const SLACK_MS = 2 * FANOUT_RETRY_MS + 5_000;

export interface FanOutWatchParts {
  readonly nowMs: () => number;
  /** From then on nobody dies. */
  readonly calmFromMs: number;
  readonly fanOutOf: (event: string) => string | undefined;
  readonly ledger: MemoryLedger;
  readonly claims: ClaimWatch;
  readonly violations: Violations;
}

export function createFanOutWatch(parts: FanOutWatchParts): FanOutWatch {
  const { nowMs, calmFromMs, fanOutOf, ledger, claims, violations } = parts;
  const cancelled = new Map<string, Cancelled>();
  /** Since when it is not to go on. */
  const haltedAtMs = new Map<string, number>();
  const readings = new WeakMap<
    object,
    { readonly atMs: number; readonly perSecond: number | null }
  >();

  return {
    read(page, fanOut) {
      if (fanOut !== null) readings.set(page, { atMs: nowMs(), perSecond: fanOut.perSecond });
    },

    advanced(page, before, sent) {
      const reading = readings.get(page);
      const sinceMs = haltedAtMs.get(before.id);
      if (reading === undefined) return;
      if (sinceMs !== undefined && reading.atMs > sinceMs) {
        violations.add(`${before.id} goes on although it is ${before.state}`, before.event);
      }
      const most = Math.max(1, Math.floor(reading.perSecond ?? Number.POSITIVE_INFINITY));
      if (sent - before.sent > most) {
        violations.add(`${before.id} sends ${sent - before.sent} at once`, before.event);
      }
    },

    moved(id, to) {
      if (to === "running") haltedAtMs.delete(id);
      else if (!haltedAtMs.has(id)) haltedAtMs.set(id, nowMs());
      if (to !== "cancelled" || cancelled.has(id)) return;
      const isSettled = nowMs() > calmFromMs + LEASE_SECONDS * 1_000;
      cancelled.set(id, { atMs: nowMs(), isSettled, gaveUp: null });
    },

    gaveUp(id) {
      const known = cancelled.get(id);
      if (known === undefined || known.gaveUp !== null) return;
      const all = [...ledger.deliveries].filter(
        ([, { event, state }]) => state !== "delivering" && fanOutOf(event) === id,
      );
      known.gaveUp = { atMs: nowMs(), keys: new Set(all.map(([key]) => key)) };
    },

    sending({ event, key, invocation: { token } }) {
      const known = cancelled.get(fanOutOf(event) ?? "");
      const claimedAtMs = claims.claimedAtMs(token ?? "");
      if (known === undefined || claimedAtMs === undefined || claimedAtMs <= known.atMs) return;
      const { atMs, isSettled, gaveUp } = known;
      if (claims.isByEvent(token ?? "", event)) {
        violations.add(`${event} is claimed after its fan-out is cancelled, and sent`, event);
      }
      if (gaveUp !== null && claimedAtMs > gaveUp.atMs && gaveUp.keys.has(key)) {
        violations.add(`${event} is sent although it was given up with its fan-out`, event);
      }
      if (isSettled && claimedAtMs > atMs + CANCELLED_MS + SLACK_MS) {
        violations.add(`${event} is sent long after its fan-out was cancelled`, event);
      }
    },
  };
}
