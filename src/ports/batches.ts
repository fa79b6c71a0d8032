/**
 * Deliveries that go to their target together. They rest in the ledger as those that readers pull, and their gate
 * leases what goes with a batch: one that ends with its process is over in time, and nobody needs to notice.
 */
import type { GateId } from "./gates.ts";
import type { AttemptRecord } from "./ledger.ts";
import type { HeldLease, Looked } from "./pulls.ts";

export interface BatchResult extends HeldLease {
  /** Parked: it waits for a later batch. */
  readonly state: "delivered" | "parked" | "dead";
  readonly dueInMs: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly attempt: AttemptRecord;
}

export interface Batches {
  /** Up to `count` that may go now, in their order. */
  look(id: GateId, count: number): Promise<Looked>;
  /** In how long the next of the others may go; null when there are none. */
  nextDueInMs(id: GateId): Promise<number | null>;
  /** Writes what became of those that are still held by their lease's token, and answers their keys. */
  settle(id: GateId, results: readonly BatchResult[]): Promise<ReadonlySet<string>>;
}

/** Tokens of such leases begin with it: what has one is under way, though its target gets no batches any more. */
export const BATCH_TOKEN = "batch-";
