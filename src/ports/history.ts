/** What became of events, for the people who look: reads of the ledger, and putting dead letters back on their way. */

import type { Pointer } from "../core/enqueue/record.ts";
import type { QueueName } from "../core/priority.ts";
import type { DeliveryState } from "../core/settle.ts";
import type { Job } from "./jobs.ts";
import type { AttemptRecord, Duplicate } from "./ledger.ts";
import type { Cancelled } from "./saga-jobs.ts";

export interface EventSummary {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly receivedAtMs: number;
  readonly deliveries: Readonly<Partial<Record<DeliveryState, number>>>;
}

/** … and where its bytes rest; nowhere while they do not. */
export interface PlacedEvent extends EventSummary {
  readonly pointer: Pointer;
}

export interface StoredEvent {
  readonly id: string;
  readonly tenant: string;
  readonly source: string;
  readonly type: string;
  readonly receipt: string;
  readonly receivedAtMs: number;
  readonly claimedAtMs: number;
  readonly pointer: Pointer;
  readonly duplicates: readonly Duplicate[];
  readonly deliveries: readonly StoredDelivery[];
}

export interface StoredDelivery {
  readonly id: string;
  readonly event: string;
  readonly rule: string;
  readonly target: string;
  readonly priority: QueueName;
  readonly source: string;
  readonly type: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly nextAttemptAtMs: number | null;
  readonly receivedAtMs: number;
  readonly settledAtMs: number | null;
  readonly log: readonly AttemptRecord[];
  /** The replay that made it; null for what its event was owed when it came. */
  readonly replay: string | null;
}

export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface EventSelection extends TimeRange {
  readonly source?: string | undefined;
  readonly type?: string | undefined;
  readonly outcome?: "matched" | "unmatched" | undefined;
}

export interface DeliverySelection extends TimeRange {
  readonly state?: DeliveryState | undefined;
  readonly target?: string | undefined;
  readonly rule?: string | undefined;
  readonly event?: string | undefined;
}

/** The last item of a page, from which the next one goes on. */
export interface Position {
  readonly receivedAtMs: number;
  readonly event: string;
  readonly subscription: string;
}

export interface HistoryPage<Item> {
  readonly items: readonly Item[];
  readonly next: Position | null;
}

export interface DeadLetterSelection extends TimeRange {
  readonly target?: string | undefined;
  readonly rule?: string | undefined;
  /** From the first event on and before the last one. */
  readonly events?: readonly [string, string] | undefined;
}

export interface History {
  /** Newest first. */
  events(
    tenant: string,
    filter: EventSelection,
    after: Position | null,
    count: number,
  ): Promise<HistoryPage<EventSummary>>;
  /** The same events, each with its place in the archive. */
  placedEvents(
    tenant: string,
    filter: EventSelection,
    after: Position | null,
    count: number,
  ): Promise<HistoryPage<PlacedEvent>>;
  event(tenant: string, id: string): Promise<StoredEvent | null>;
  deliveries(
    tenant: string,
    filter: DeliverySelection,
    after: Position | null,
    count: number,
  ): Promise<HistoryPage<StoredDelivery>>;
  delivery(tenant: string, id: string): Promise<StoredDelivery | null>;
  /** Makes one delivery due now, its retry ladder anew; false when its state does not allow that. */
  redrive(tenant: string, id: string): Promise<boolean>;
  /** Makes dead letters due, at most `perSecond`, the oldest first; they carry the job's id. */
  redriveAll(
    tenant: string,
    job: string,
    filter: DeadLetterSelection,
    perSecond: number | null,
  ): Promise<Job>;
  /**
   * Ends a redrive: what it has put on its way and is in nobody's hands is a dead letter again, with the reason. May be
   * repeated, also for what failed since. False where it is no redrive of the tenant.
   */
  cancelRedrive(tenant: string, job: string, by: Cancelled): Promise<boolean>;
  /** Ends one delivery that is in a state of `from`, and says why; false when it is in another. */
  cancel(tenant: string, id: string, from: readonly DeliveryState[], why: string): Promise<boolean>;
  /** Ends all dead letters of a selection; answers how many. */
  cancelAll(tenant: string, filter: DeadLetterSelection, why: string): Promise<number>;
}
