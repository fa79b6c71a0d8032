/** What one isolate has seen of receivers, by tenant and target: those that are slow, and those in trouble. */
import { GATE_QUIET_MS } from "../core/gate-limits.ts";
import {
  ATTEMPT_AWAITED_MS,
  LATE_PER_TARGET_MAX,
  LEASE_SECONDS,
  RECEIVERS_KNOWN_MAX,
} from "../core/limits.ts";
import type { GateId } from "../ports/gates.ts";

export interface Receivers {
  /** How long a batch waits for an answer. */
  patienceMs(key: string): number;
  /** Whether one more may be begun that perhaps nobody waits for. */
  hasRoom(key: string, nowMs: number): boolean;
  answered(key: string, afterMs: number): void;
  /** One that nobody waits for is under way; what it returns ends it. */
  began(key: string, nowMs: number): () => void;
  /** It failed, or had too much: its gate is asked from now on. */
  failed(key: string, nowMs: number): void;
  isInTrouble(key: string, nowMs: number): boolean;
}

/** By what a target is known within an isolate. */
export const targetKey = ({ tenant, target }: GateId): string => `${tenant}/${target}`;

export function createReceivers(): Receivers {
  const slow = new Set<string>();
  /** Since when, of each. */
  const underWay = new Map<string, Set<{ readonly atMs: number }>>();
  const failedAtMs = new Map<string, number>();
  return {
    patienceMs: (key) => (slow.has(key) ? 0 : ATTEMPT_AWAITED_MS),
    hasRoom(key, nowMs) {
      const own = underWay.get(key);
      if (own === undefined) return true;
      // Of an invocation that was cut off nobody says that it has ended; its claim has by then.
      for (const each of own) if (nowMs >= each.atMs + LEASE_SECONDS * 1_000) own.delete(each);
      if (own.size === 0) underWay.delete(key);
      return own.size < LATE_PER_TARGET_MAX;
    },
    answered(key, afterMs) {
      if (afterMs <= ATTEMPT_AWAITED_MS) slow.delete(key);
    },
    began(key, nowMs) {
      slow.add(key);
      keepNewest(slow);
      const own = underWay.get(key) ?? new Set();
      const attempt = { atMs: nowMs };
      underWay.set(key, own.add(attempt));
      return () => {
        own.delete(attempt);
        if (own.size === 0 && underWay.get(key) === own) underWay.delete(key);
      };
    },
    failed(key, nowMs) {
      failedAtMs.delete(key);
      failedAtMs.set(key, nowMs);
      keepNewest(failedAtMs);
    },
    isInTrouble(key, nowMs) {
      const sinceMs = failedAtMs.get(key);
      if (sinceMs === undefined) return false;
      if (nowMs < sinceMs + GATE_QUIET_MS) return true;
      failedAtMs.delete(key);
      return false;
    },
  };
}

/** Targets come and go, and an isolate may live for days. */
function keepNewest(known: Set<string> | Map<string, number>): void {
  const oldest = known.keys().next().value;
  if (known.size > RECEIVERS_KNOWN_MAX && oldest !== undefined) known.delete(oldest);
}
