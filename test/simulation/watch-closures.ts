/**
 * Checks of what operators close, pause or delete, or a 410 closes: a second later nothing is begun for it any more,
 * also by a batch that was at work before.
 */
import type { QueueName } from "../../src/core/priority.ts";
import type { QueueControl } from "../../src/core/queue-control.ts";
import type { MemoryTenants } from "../support/memory-tenants.ts";
import { wasDisturbed } from "./invocation.ts";
import type { Violations } from "./violations.ts";
import type { KnownTarget, WatchedAttempt } from "./watch-attempts.ts";
import type { Wire } from "./wire.ts";

export interface ClosureWatch {
  /** The store as it was, of which whatever closes a target is seen. */
  readonly tenants: MemoryTenants;
  sending(attempt: WatchedAttempt, address: string): void;
}

export interface ClosureWatchOptions {
  readonly tenants: MemoryTenants;
  /** By their addresses. */
  readonly targets: ReadonlyMap<string, KnownTarget>;
  readonly controls: () => ReadonlyMap<QueueName, QueueControl>;
  readonly nowMs: () => number;
  /** No call of what began since then is slow. */
  readonly promptFromMs: number;
  readonly wire: Pick<Wire, "troubledAtMs">;
  readonly violations: Violations;
}

/** It is asked each half second, and what has changed is read: so operators are promised. */
const HEARD_MS = 1_000;

export function createClosureWatch({
  tenants,
  targets,
  controls,
  nowMs,
  promptFromMs,
  wire,
  violations,
}: ClosureWatchOptions): ClosureWatch {
  /** Since when, by address. */
  const closedAtMs = new Map<string, number>();

  function look(id: string): void {
    for (const [address, { tenant, target }] of targets) {
      if (tenant !== id) continue;
      if (tenants.isOpen(tenant, target.id)) closedAtMs.delete(address);
      else if (!closedAtMs.has(address)) closedAtMs.set(address, nowMs());
    }
  }
  function seen<Given extends [string, ...unknown[]], Answer>(write: (...given: Given) => Answer) {
    return (...given: Given): Answer => {
      const answer = write(...given);
      look(given[0]);
      return answer;
    };
  }

  /** Whether who sends may not have been able to hear of it; what failed is asked again half a second later. */
  const isExcused = ({ invocation }: WatchedAttempt, sinceMs: number): boolean =>
    sinceMs < promptFromMs ||
    wasDisturbed(invocation, invocation.startedAtMs) ||
    wire.troubledAtMs(invocation.life, ["ledger", "tenants", "archive"]) >= sinceMs - HEARD_MS;

  return {
    tenants: {
      ...tenants,
      put: seen(tenants.put),
      delete: seen(tenants.delete),
      disable: seen(tenants.disable),
    },
    sending(attempt, address) {
      const { event, invocation } = attempt;
      const queue = controls().get(invocation.role as QueueName);
      const pausedAtMs = queue?.isPaused === true ? queue.pausedAtMs : null;
      for (const [what, sinceMs] of [
        ["target was closed", closedAtMs.get(address)],
        ["queue was paused", pausedAtMs],
      ] as const) {
        const lateMs = nowMs() - (sinceMs ?? nowMs());
        if (lateMs <= HEARD_MS || isExcused(attempt, nowMs() - lateMs)) continue;
        violations.add(`${event} is sent ${lateMs} ms after its ${what}`, event);
      }
    },
  };
}
