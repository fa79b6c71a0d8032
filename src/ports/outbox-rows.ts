/** What one shard of the outbox keeps: rows and an alarm, in one place that survives the process. */
import type { Origin } from "../core/enqueue/pack.ts";
import type { Priority } from "../core/priority.ts";

export interface KeptPack {
  readonly origin: Origin;
  readonly priority: Priority;
  readonly pack: Uint8Array;
}

/** Storage next to the code: its calls answer at once, and a write counts once the caller is answered. */
export interface OutboxRows {
  count(): number;
  /** Keeps a pack under a number of its own. */
  add(shard: number, priority: Priority, pack: Uint8Array, nowMs: number, dueMs: number): number;
  remove(rows: readonly number[]): void;
  /** Rows that are due by then, the most urgent priority first, then the oldest. */
  due(nowMs: number, count: number): KeptPack[];
  setDue(rows: readonly number[] | "all", dueMs: number): void;
  nextDueMs(): number | null;
  oldestMs(): number | null;
  /** When the armed alarm rings; null when none is armed. */
  alarmMs(): Promise<number | null>;
  /** One alarm at most: an earlier or later one is replaced. */
  setAlarm(atMs: number): Promise<void>;
}
