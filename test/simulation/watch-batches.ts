/**
 * Checks of batches: no request has more than its target takes, each delivery in it is leased, comes with the next
 * number, and is written down as what its receiver said of it.
 */
import type { BatchLimits } from "../../src/core/batch/batch.ts";
import type { BatchResult } from "../../src/ports/batches.ts";
import { type DeliveryKey, keyOf } from "../../src/ports/claim.ts";
import type { HeldLease } from "../../src/ports/pulls.ts";
import { type Invocation, wasDisturbed } from "./invocation.ts";
import type { Violations } from "./violations.ts";
import type { AttemptWatch, KnownTarget, Sent } from "./watch-attempts.ts";
import type { ClaimWatch } from "./watch-claims.ts";

export interface BatchWatch {
  /** Of the target with this address; null when it gets no batches. */
  limitsOf(address: string): BatchLimits | null;
  leased(keys: readonly DeliveryKey[], token: string, leaseMs: number): void;
  gaveBack(leases: readonly HeldLease[]): void;
  settled(results: readonly BatchResult[], written: ReadonlySet<string>): void;
  /** A request is about to go; `sent` by the keys of its deliveries. */
  sending(invocation: Invocation, sent: ReadonlyMap<string, Sent>, bytes: number): void;
  /** How often a delivery was leased and not given back, which its row counts as attempts. */
  leasesOf(key: string): number;
}

interface Page {
  token: string;
  leases: number;
}

export function createBatchWatch(
  targets: ReadonlyMap<string, KnownTarget>,
  claims: ClaimWatch,
  violations: Violations,
): BatchWatch {
  const pages = new Map<string, Page>();
  const limitsOf = (address: string) => targets.get(address)?.target.batch ?? null;
  const leasesOf = (key: string): number => pages.get(key)?.leases ?? 0;

  return {
    limitsOf,
    leasesOf,

    leased(keys, token, leaseMs) {
      claims.leased(token, keys, leaseMs);
      for (const key of keys) pages.set(keyOf(key), { token, leases: leasesOf(keyOf(key)) + 1 });
    },

    gaveBack(leases) {
      for (const lease of leases) {
        const page = pages.get(keyOf(lease));
        if (page?.token !== lease.token) continue;
        pages.set(keyOf(lease), { token: "", leases: page.leases - 1 });
        claims.gaveBack(lease.token, [lease]);
      }
    },

    settled(results, written) {
      for (const { attempt, token, state, dueInMs, ...key } of results) {
        if (!written.has(keyOf(key))) continue;
        const settled = state === "parked" ? "retrying" : state;
        const result = { ...key, dueInMs, state: settled, attempts: attempt.number } as const;
        claims.settled(token, [{ ...result, claimedBy: "row" }], new Set());
        pages.set(keyOf(key), { token: "", leases: leasesOf(keyOf(key)) });
      }
    },

    sending(invocation, sent, bytes) {
      const [first] = sent.values();
      const limits = limitsOf(first?.address ?? "");
      if (first === undefined || limits === null) {
        violations.add("a batch is sent that is nobody's, or empty");
        return;
      }
      if (sent.size > limits.eventsMax) {
        violations.add(`a batch has ${sent.size} events for ${limits.eventsMax}`, first.event);
      }
      if (sent.size > 1 && bytes > limits.bytesMax) {
        violations.add(`a batch has ${bytes} bytes for ${limits.bytesMax}`, first.event);
      }
      if (wasDisturbed(invocation, invocation.startedAtMs)) return;
      for (const [key, { event, number }] of sent) {
        if (number === leasesOf(key)) continue;
        violations.add(`attempt ${number} of ${event} is number ${leasesOf(key)}`, event);
      }
    },
  };
}

/** What is written of a batch is what its receiver said of each. */
export function checkSaid(
  invocation: Invocation,
  results: readonly BatchResult[],
  attempts: AttemptWatch,
  violations: Violations,
): void {
  for (const { state, event, ...key } of results) {
    const made = attempts.of(keyOf({ event, ...key }));
    const own = made.findLast((attempt) => attempt.invocation === invocation);
    const isTaken = own?.heard?.kind === "response" && own.reception?.isProcessed === true;
    if (isTaken === (state === "delivered")) continue;
    violations.add(`${event} is written down as ${state}, its receiver took it: ${isTaken}`, event);
  }
}
