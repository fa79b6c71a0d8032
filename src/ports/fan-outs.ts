/** Fan-outs: lists whose elements become events of their own, page by page, and who drives them. */
import type { Pointer } from "../core/enqueue/record.ts";
import type { FanOutPlan } from "../core/fan-out/element.ts";
import type { DeliveryState } from "../core/settle.ts";

export const FAN_OUT_STATES = ["running", "paused", "done", "cancelled", "failed"] as const;
export type FanOutState = (typeof FAN_OUT_STATES)[number];

export interface FanOutId {
  readonly tenant: string;
  readonly id: string;
}

/** A list that was found, and to whom its elements go. */
export interface NewFanOut extends FanOutId, Omit<FanOutPlan, "createdAtMs"> {
  readonly perSecond: number | null;
  /** Within the body: where the next element begins. */
  readonly offset: number;
  /** The tenant's, when the event was accepted: tells this life of the tenant from one before it. */
  readonly revision: number;
}

export interface FanOut extends Omit<NewFanOut, "revision"> {
  /** "done" when every element is on its way; the states of the deliveries tell the rest. */
  readonly state: FanOutState;
  /** Why it failed, or was cancelled. */
  readonly reason: string | null;
  /** Rises with every page. */
  readonly rev: number;
  /** Elements that are on their way, from the first on. */
  readonly sent: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** Where the next page begins. */
export interface PageEnd {
  readonly sent: number;
  readonly offset: number;
}

/** What a consumer and the sweeper need. */
export interface FanOutJobs {
  /** The same again changes nothing; nothing is begun for a tenant that was deleted since. */
  create(fanOut: NewFanOut): Promise<void>;
  /** Running ones that have not moved for a while, the longest first. */
  overdue(count: number): Promise<readonly FanOutId[]>;
  /** Removes `count` at most of those that have ended and of whose elements the ledger has let go; answers how many. */
  forget(count: number): Promise<number>;
  /** Has one go on, if it is not about to anyway. */
  wake(fanOut: FanOutId): Promise<void>;
}

export interface FanOuts {
  fanOut(fanOut: FanOutId): Promise<FanOut | null>;
  /** Newest event first, from after the id `after`. */
  fanOuts(
    tenant: string,
    after: string | null,
    count: number,
  ): Promise<{ readonly items: readonly FanOut[]; readonly after: string | null }>;
  /** Where the bytes of its event rest; null while the ledger names no place. */
  place(fanOut: FanOut): Promise<Pointer | null>;
  /** Deliveries that the ledger has of its elements, by state; of those from `from` to `until` only, if given. */
  states(
    fanOut: FanOut,
    from?: number,
    until?: number,
  ): Promise<Readonly<Partial<Record<DeliveryState, number>>>>;
  /** Changes the state from one of `from`, and says why; false when it is in another. */
  move(
    fanOut: FanOutId,
    from: readonly FanOutState[],
    to: FanOutState,
    reason: string | null,
  ): Promise<boolean>;
  /** Changes the pace; false when there is no such fan-out. */
  cap(fanOut: FanOutId, perSecond: number | null): Promise<boolean>;
  /** Gives up what the ledger owes of it, and says why; answers how many. What is being sent is not stopped. */
  giveUp(fanOut: FanOut, why: string): Promise<number>;
  /**
   * Writes down that a page is sent, whatever was commanded meanwhile, for it is. False when the fan-out is not
   * at `rev` any more: another has sent the same page.
   */
  advance(fanOut: FanOutId, rev: number, end: PageEnd): Promise<boolean>;
}
