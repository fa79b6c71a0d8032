/**
 * The ledger: who owns an event, what is owed, what became of it.
 *
 * Time in it is the store's own (leases, due times): correctness never compares two machines' clocks.
 * Every method may be called again with the same arguments after an error that left its outcome
 * unknown; the fencing token makes the repeat harmless.
 */
import type { Standing } from "../core/changes.ts";
import type { Pointer } from "../core/enqueue/record.ts";
import type { ParkedTarget } from "../core/gate/index.ts";
import type { Place } from "../core/order/order.ts";
import type { QueueName } from "../core/priority.ts";
import type { QueueControl } from "../core/queue-control.ts";
import type { DeliveryState } from "../core/settle.ts";
import type { ClaimAnswer, ClaimRequest, DeliveryKey } from "./claim.ts";

/** What operators say now. */
export interface Changes {
  /** Of those tenants that there are. */
  readonly standings: ReadonlyMap<string, Standing>;
  readonly controls: readonly QueueControl[];
}

/** One attempt as kept with its delivery. */
export interface AttemptRecord {
  readonly number: number;
  readonly at: string;
  readonly durationMs: number;
  readonly status: number | null;
  readonly error: string | null;
  /** The first bytes of the receiver's answer. */
  readonly answer: string | null;
  /** The batch that it went with. */
  readonly batch?: string;
}

/** What became of one delivery. */
export interface DeliveryResult extends DeliveryKey {
  readonly rule: string;
  readonly target: string;
  readonly priority: QueueName;
  readonly source: string;
  readonly type: string;
  readonly state: DeliveryState | "unmatched";
  /** Attempts made in all. */
  readonly attempts: number;
  /**
   * From now; null in states in which nothing is due. A delivery is parked with a time by its target's gate,
   * without one because its target is closed.
   */
  readonly dueInMs: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly attempt: AttemptRecord | null;
  /** The replay that it belongs to. */
  readonly replay?: string | undefined;
  /** How it was claimed: with its event, or by its own row. */
  readonly claimedBy: "event" | "row";
  /** Of a target with an order: its place in it, of one that does not end here. */
  readonly order?: PlaceInOrder;
  /** Its event's bytes do not rest where the claim said: with this result, the event's row names no place. */
  readonly isUnplaced?: true;
}

export interface PlaceInOrder extends Pick<Place, "key" | "value"> {
  /** It is parked until it has its turn, by nobody else. */
  readonly isWaiting?: true;
}

/** What became of results that were to be written, by the keys of their deliveries. */
export interface Settlement {
  /** Not written: the claim is no longer held. */
  readonly refused: ReadonlySet<string>;
  /** Were to be parked for a closed target that is open by now: written as owed at once. */
  readonly reopened: ReadonlySet<string>;
}

/** Where an event's bytes have come to rest. */
export interface Placement {
  readonly event: string;
  readonly receivedAtMs: number;
  readonly pointer: Pointer;
}

export interface Duplicate {
  readonly event: string;
  readonly receipt: string;
  readonly receivedAtMs: number;
  readonly reason: string;
}

/** A delivery the sweeper sends again. */
export interface DueDelivery extends DeliveryKey {
  readonly rule: string;
  readonly target: string;
  readonly priority: QueueName;
  readonly attempts: number;
  readonly dueInMs: number;
  readonly replay: string | null;
  readonly pointer: Pointer;
}

export interface ParkedMost {
  readonly count: number;
  /** Of these at most so many that were attempted before. */
  readonly retries: number;
}

export interface TakenParked {
  readonly taken: readonly (DueDelivery & { readonly isRetry: boolean })[];
  /** The most urgent queue of which more may be parked; null: of none. */
  readonly left: QueueName | null;
  /** What is left are retries beyond those that may go, as far as was looked. */
  readonly areRetries: boolean;
}

/** What is parked for one target. */
export interface Waiting {
  readonly count: number;
  /** When the oldest of it was received. */
  readonly oldestAtMs: number;
}

/** What became of the events of an old generation. */
export interface Expired {
  /** The generation that there is room for now. */
  readonly generation: number;
  readonly dropped: number;
  /** Kept although they are old, with all their deliveries: unfinished, a dead letter, or in work. */
  readonly carried: number;
}

export interface Ledger {
  /**
   * The place that a first claim brings is written down while nothing of the event is settled. From then on
   * its row names where the bytes rest, or nothing: what a claim brings may never reach the archive.
   */
  claim(request: ClaimRequest): Promise<ClaimAnswer>;
  /** What operators say of the queues that they have touched; each claim answers it as well. */
  queueControls(): Promise<readonly QueueControl[]>;
  /** The same for batches at work, and how their tenants stand. */
  changes(tenants: ReadonlySet<string>): Promise<Changes>;
  /** Writes down where the bytes of events rest that are unplaced and that the token holds. */
  place(token: string, placements: readonly Placement[]): Promise<void>;
  /** Writes results, each while the token holds its claim, and which copies were suppressed. */
  settle(
    token: string,
    results: readonly DeliveryResult[],
    duplicates: readonly Duplicate[],
  ): Promise<Settlement>;
  /** Ends the token's leases on what it did not finish, so that the next consumer need not wait for their end. */
  giveBack(
    token: string,
    unfinished: readonly (DeliveryKey & Pick<DeliveryResult, "claimedBy">)[],
  ): Promise<void>;
  /** Owed deliveries due within `horizonMs`, the longest due first; of paused queues none, until they are resumed. */
  due(horizonMs: number, count: number): Promise<DueDelivery[]>;
  /**
   * Puts off what was just sent again, so that the next pass leaves it alone. What was sent can be
   * claimed meanwhile: an ended lease is over for good, one that is held again is left as it is.
   */
  putOff(keys: readonly DeliveryKey[], byMs: number): Promise<void>;
  /** Gives up what is owed, for a person to see. */
  bury(keys: readonly DeliveryKey[], reason: string): Promise<void>;
  /**
   * Deliveries that are parked because their target was closed become due when it is open, or wait for its gate
   * if it has one; of a deleted target all that are parked are cancelled. Answers how many were changed.
   */
  release(tenant: string, target: string): Promise<number>;
  /**
   * Deliveries that the target's gate has parked, the most urgent and oldest first: they are owed from now on. One
   * that is taken is given to nobody else. Those of paused queues stay where they are.
   */
  takeParked(tenant: string, target: string, most: ParkedMost): Promise<TakenParked>;
  /** Targets whose gates have parked something. */
  parkedTargets(count: number): Promise<readonly ParkedTarget[]>;
  /**
   * What is parked for a target, whatever it waits for: its gate, its reader, its turn, or until it is opened; counted
   * up to `countMax`. Null: nothing.
   */
  waiting(tenant: string, target: string, countMax: number): Promise<Waiting | null>;
  /** Gives up what has waited for closed targets for longer than `ageMs`, a page at most; answers how many. */
  buryClosed(ageMs: number): Promise<number>;
  /** Closed targets that something waits for. */
  closedTargets(count: number): Promise<readonly ParkedTarget[]>;
  /**
   * Gives up, with the reason, up to `count` of what waits for a closed target behind `countMax` others that are more
   * urgent, or older; answers how many.
   */
  buryClosedExcess(
    tenant: string,
    target: string,
    bound: { readonly countMax: number; readonly reason: string },
    count: number,
  ): Promise<number>;
  /**
   * Gives up what has been parked for longer than `ageMs`, a page at most; answers how many. Of a target that is
   * pulled, not what a reader has leased; of one that gets batches, not what is due later.
   */
  buryParked(
    tenant: string,
    target: string,
    ageMs: number,
    spared?: "leased" | "later",
  ): Promise<number>;
  /** Targets that were opened or deleted, and whose parked deliveries are not known to be released. */
  openings(count: number): Promise<readonly { tenant: string; target: string }[]>;
  /**
   * Lets go of what is older than the last generation, and makes room for the next one. Null when that was
   * done before. By the caller's clock, which may be off by days before a copy within the horizon is missed.
   */
  expire(nowMs: number): Promise<Expired | null>;
  /** Ends every lease but this isolate's: whoever held one is known to be gone. */
  recover(isolate: string): Promise<void>;
  /**
   * Closes a target for good until a person opens it; null where there is none, or where it is at another version
   * than the one that is given: then its receiver may be another.
   */
  disableTarget(
    tenant: string,
    target: string,
    reason: string,
    version?: number,
  ): Promise<number | null>;
}
