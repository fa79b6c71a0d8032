/** Long-running actions of operators, as they are watched. */
import type { DeliveryState } from "../core/settle.ts";
import type { Cancelled, Refusal } from "./saga-jobs.ts";

export const JOB_STATES = ["running", "done", "cancelled"] as const;
export type JobState = (typeof JOB_STATES)[number];

export interface Job {
  readonly id: string;
  /** Empty for one over all tenants. */
  readonly tenant: string;
  readonly kind: string;
  readonly state: JobState;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** How many deliveries, instances of sagas, or resources with secrets the job began with. */
  readonly total: number;
  /** How many deliveries and objects were removed, or resources looked at, so far. */
  readonly removed: number;
  /** Of a command to many: how many instances had their turn, and which did not take it. */
  readonly commanded: number;
  readonly refusals: readonly Refusal[];
  readonly cancelled: Cancelled | null;
  /** Of the deliveries that a redrive began with, those that the ledger still has. */
  readonly states: Readonly<Partial<Record<DeliveryState, number>>>;
}

export interface Jobs {
  /** Of this tenant, or of any when it is null; also when its tenant is gone. */
  job(tenant: string | null, id: string): Promise<Job | null>;
  /** Those of all tenants, newest first, from after `after`. */
  jobs(
    state: JobState | undefined,
    after: string | null,
    count: number,
  ): Promise<{ readonly items: readonly Job[]; readonly after: string | null }>;
}
