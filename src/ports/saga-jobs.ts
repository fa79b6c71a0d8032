/** One command for many instances of sagas, as a job that goes on by itself. */
import type { Command } from "../core/saga/commands.ts";
import type { SagaPosition, SagaQuery } from "./saga-index.ts";

/** Of those that would not take it: why, how many, and which came first. */
export interface Refusal {
  readonly detail: string;
  readonly count: number;
  readonly instances: readonly string[];
}

export interface SagaJobProgress {
  /** Where the next page begins; null at the start. */
  readonly after: SagaPosition | null;
  /** Instances that have had their turn, refusals included. */
  readonly finished: number;
  readonly refusals: readonly Refusal[];
  /** By whom it was ended before its end, and why. */
  readonly cancelled?: Cancelled;
}

export interface Cancelled {
  readonly reason: string;
  readonly actor?: string | undefined;
}

export interface SagaJobId {
  readonly tenant: string;
  readonly id: string;
}

/** The client's name for what it asks, and what that was: another command may not come under it. */
export interface AskedAs {
  readonly commandId: string;
  readonly hash: string;
}

export interface SagaJob extends SagaJobId {
  readonly command: Command;
  readonly query: SagaQuery;
  readonly progress: SagaJobProgress;
}

export interface SagaJobs {
  /** `total`: how many it begins with. False when the tenant has a job of this command id; then nothing changes. */
  create(job: Omit<SagaJob, "progress">, total: number, asked: AskedAs | null): Promise<boolean>;
  /** The tenant's job of this command id, and what was asked. */
  asked(
    tenant: string,
    commandId: string,
  ): Promise<{ readonly id: string; readonly hash: string } | null>;
  /** Ends a job that is not done. False when it is not running. */
  cancel(job: SagaJobId, by: Cancelled): Promise<boolean>;
  /** At most `count` that are not done, the oldest first. */
  running(count: number): Promise<readonly SagaJob[]>;
  /**
   * Writes down a page. "lost" when another process was at it: `before` is not what stands there any more;
   * "cancelled" when it is written and nothing more may follow.
   */
  advance(
    job: SagaJobId,
    before: SagaJobProgress,
    after: SagaJobProgress,
    isDone: boolean,
  ): Promise<"written" | "cancelled" | "lost">;
}
