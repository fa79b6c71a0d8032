/** The ledger beside the archive: for whoever compares what the two know of the same events. */
import type { TimeRange } from "../core/archive-keys.ts";
import type { Pointer } from "../core/enqueue/record.ts";

export interface LedgerEvent {
  readonly id: string;
  /** The receipt that owns it. */
  readonly receipt: string;
  readonly receivedAtMs: number;
  /** A consumer is at work on it, by the ledger's own clock. */
  readonly isLeased: boolean;
  readonly pointer: Pointer;
}

export interface KnownEvent extends LedgerEvent {
  /** Hashes of the subscriptions that have a row; an empty one says that no rule matched. */
  readonly subscriptions: ReadonlySet<string>;
}

export interface EventPosition {
  readonly receivedAtMs: number;
  readonly id: string;
}

/** An event's bytes are at `to`, not at `pointer`, which its row names. */
export interface Repointing extends LedgerEvent {
  readonly to: Pointer;
}

export interface Audit {
  /** What the ledger knows of these events of a tenant, by id, in one round trip. */
  known(tenant: string, events: readonly string[]): Promise<ReadonlyMap<string, KnownEvent>>;
  /** Events of a time of which something was settled, the oldest first, from after `after`. */
  settled(
    tenant: string,
    range: TimeRange,
    after: EventPosition | null,
    count: number,
  ): Promise<LedgerEvent[]>;
  /** Corrects pointers; answers the events for which that was still right, and nobody was at work. */
  repoint(events: readonly Repointing[]): Promise<ReadonlySet<string>>;
}
