/** The audit log: what operators did, newest first. */
import type { Change, DeedOutcome, DeedStart, DeedTold } from "../core/deed.ts";

export interface Deed extends DeedStart, DeedTold {
  readonly atMs: number;
  readonly outcome: DeedOutcome;
  /** Of the answer; null while that is not known. */
  readonly status: number | null;
  /** Null for what has no versions. */
  readonly change: Change | null;
}

export interface DeedQuery {
  readonly tenant?: string | undefined;
  /** A key's id, or a client's name. */
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface DeedPosition {
  readonly atMs: number;
  readonly id: string;
}

export interface Deeds {
  list(
    query: DeedQuery,
    after: DeedPosition | null,
    count: number,
  ): Promise<{ readonly items: readonly Deed[]; readonly next: DeedPosition | null }>;
}

/** What one request does. Whatever is said of it before: the first change in the store is never without it. */
export interface OpenDeed {
  /**
   * `isWrittenNow`: before a change that others than the store make; rejects when that cannot be. Otherwise in
   * one transaction with the store's first change. Of a part of the same request the first word counts.
   */
  begin(told: DeedTold, isWrittenNow: boolean): Promise<void>;
  /** How it ended. What was done is written down at the latest now; what was refused before any change is not. */
  end(outcome: DeedOutcome, status: number): Promise<void>;
}
