/** What one isolate has seen of receivers, by tenant and target: those that are slow, and those in trouble. */
import {
  ATTEMPT_AWAITED_MS,
  GATE_QUIET_MS,
  LATE_PER_TARGET_MAX,
  RECEIVERS_KNOWN_MAX,
} from "../core/limits.ts";
import type { GateId } from "../ports/gates.ts";

export interface Receivers {
  /** How long a batch waits for an answer. */
  patienceMs(key: string): number;
  /** Whether one more may be begun that perhaps nobody waits for. */
  hasRoom(key: string): boolean;
  answered(key: string, afterMs: number): void;
  /** One that nobody waits for is under way; what it returns ends it. */
  began(key: string): () => void;
  /** It failed, or had too much: its gate is asked from now on. */
  failed(key: string, nowMs: number): void;
  isInTrouble(key: string, nowMs: number): boolean;
}

/** By what a target is known within an isolate. */
export const targetKey = ({ tenant, target }: GateId): string => `${tenant}/${target}`;

export function createReceivers(): Receivers {
  const slow = new Set<string>();
  const underWay = new Map<string, number>();
  const failedAtMs = new Map<string, number>();
  const count = (key: string) => underWay.get(key) ?? 0;
  return {
    patienceMs: (key) => (slow.has(key) ? 0 : ATTEMPT_AWAITED_MS),
    hasRoom: (key) => count(key) < LATE_PER_TARGET_MAX,
    answered(key, afterMs) {
      if (afterMs <= ATTEMPT_AWAITED_MS) slow.delete(key);
    },
    began(key) {
      slow.add(key);
      keepNewest(slow);
      underWay.set(key, count(key) + 1);
      return () => {
        if (count(key) > 1) underWay.set(key, count(key) - 1);
        else underWay.delete(key);
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
