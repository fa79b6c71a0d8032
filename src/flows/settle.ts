/**
 * Settling in small groups as results come in: at once when nothing else is under way, otherwise when a
 * group is full or no result has come for a moment. What a crash repeats is at most the results that wait.
 */
import type { Timer } from "../core/enqueue/group-commit.ts";
import { CONNECTIONS_MAX, SETTLE_LINGER_MS } from "../core/limits.ts";
import { keyOf } from "../ports/claim.ts";
import type { DeliveryResult, Duplicate } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import { inTime } from "./in-time.ts";
import type { DeliverPorts } from "./ports.ts";

/** Writes of one group before it is left to the queue's redelivery; each is idempotent. */
const WRITES_MAX = 3;
const WRITE_PAUSE_MS = 200;

/** By keys of deliveries. */
export interface SettledBatch {
  readonly unwritten: ReadonlySet<string>;
  /** Parked for a closed target that is open by now, and so owed at once. */
  readonly reopened: ReadonlySet<string>;
}

export interface Settler {
  /** Takes a result. `last` says that nothing further is under way now. */
  add(result: DeliveryResult, last: boolean): void;
  /**
   * Resolves when another result may come: what is not written yet is what a crash repeats. `coming` are
   * results that are waited for on their way here.
   */
  room(coming: ReadonlySet<Promise<void>>): Promise<void>;
  /** Resolves when all results are written or given up. */
  finish(duplicates: readonly Duplicate[]): Promise<SettledBatch>;
}

/**
 * `groupMax` results at most wait for each other, and a few more while a group is being written; `token`
 * fences every write.
 */
export function createSettler(token: string, groupMax: number, ports: DeliverPorts): Settler {
  let waiting: DeliveryResult[] = [];
  const writes = new Set<Promise<void>>();
  let underWay = 0;
  const unwritten = new Set<string>();
  const reopened = new Set<string>();
  let linger: Timer | null = null;

  function flush(duplicates: readonly Duplicate[] = []): void {
    linger?.cancel();
    linger = null;
    if (waiting.length === 0 && duplicates.length === 0) return;
    const group = waiting;
    waiting = [];
    underWay += group.length;
    const writing = write(group, duplicates).finally(() => {
      underWay -= group.length;
      writes.delete(writing);
    });
    writes.add(writing);
  }

  async function write(
    group: readonly DeliveryResult[],
    duplicates: readonly Duplicate[],
  ): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const settling = ports.ledger.settle(token, group, duplicates);
        const { refused, reopened: open } = await inTime(settling, ports);
        for (const key of refused) unwritten.add(key);
        for (const key of open) reopened.add(key);
        if (refused.size > 0) ports.log.warn("settle-refused", { token, count: refused.size });
        return;
      } catch (error) {
        ports.log.warn("settle-failed", { token, attempt, error: errorText(error) });
        if (attempt === WRITES_MAX) break;
        await ports.clock.timer(WRITE_PAUSE_MS * attempt).elapsed;
      }
    }
    for (const result of group) unwritten.add(keyOf(result));
    for (const copy of duplicates) unwritten.add(`${copy.event} duplicate`);
  }

  return {
    add(result, last) {
      waiting.push(result);
      linger?.cancel();
      linger = null;
      if (last || waiting.length >= groupMax) flush();
      else {
        // Anew with each result: while they keep coming, a group is ended by its size alone.
        linger = ports.clock.timer(SETTLE_LINGER_MS);
        void linger.elapsed.then(() => flush());
      }
    },
    async room(coming) {
      const unwrittenMax = groupMax + Math.min(groupMax, CONNECTIONS_MAX);
      while (waiting.length + underWay + coming.size >= unwrittenMax) {
        await Promise.race([...writes, ...coming]);
      }
    },
    async finish(duplicates) {
      flush(duplicates);
      await Promise.all(writes);
      return { unwritten, reopened };
    },
  };
}
