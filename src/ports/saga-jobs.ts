/** One command for many instances of sagas, as a job that goes on by itself. */
import type { Command } from "../core/saga/commands.ts";
import type { SagaPosition, SagaQuery } from "./saga.ts";

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
}

export interface SagaJobId {
  readonly tenant: string;
  readonly id: string;
}

export interface SagaJob extends SagaJobId {
  readonly command: Command;
  readonly query: SagaQuery;
  readonly progress: SagaJobProgress;
}

export interface SagaJobs {
  /** `total`: how many it begins with. */
  create(job: Omit<SagaJob, "progress">, total: number): Promise<void>;
  /** At most `count` that are not done, the oldest first. */
  running(count: number): Promise<readonly SagaJob[]>;
  /** Writes down a page; false when another process was at it: `before` is not what stands there any more. */
  advance(
    job: SagaJobId,
    before: SagaJobProgress,
    after: SagaJobProgress,
    isDone: boolean,
  ): Promise<boolean>;
}
