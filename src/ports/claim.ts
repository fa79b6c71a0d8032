/** What a batch asks the ledger for, and what it is given to work on. */
import type { Again } from "../core/enqueue/pack.ts";
import type { Pointer } from "../core/enqueue/record.ts";
import type { QueueControl } from "../core/queue-control.ts";
import type { FanOutId } from "./fan-outs.ts";

/** An event on its first way, as it wants to be claimed. */
export interface FirstClaim {
  readonly id: string;
  readonly receipt: string;
  readonly tenant: string;
  readonly source: string;
  readonly type: string;
  readonly receivedAtMs: number;
  /** The tenant's, when it was accepted: tells this life of the tenant from one before it. */
  readonly revision: number;
  readonly pointer: Pointer;
}

/** Characters of a type that rows keep: as many as configuration may name. */
export const TYPE_KEPT_MAX = 256;

/** A type as rows have it: a claim of many long ones would be more than D1 binds, and never be taken. */
export const keptType = (type: string): string =>
  type.length <= TYPE_KEPT_MAX
    ? type
    : type.slice(0, TYPE_KEPT_MAX).replace(/[\uD800-\uDBFF]$/, "");

/** Where a delivery's row stands. */
export interface DeliveryKey {
  readonly tenant: string;
  readonly receivedAtMs: number;
  readonly event: string;
  readonly subscription: string;
}

export interface AgainClaim extends DeliveryKey {
  readonly attempts: Again["attempts"];
  /** As in `FirstClaim`: a delivery of a life that ended is given to nobody. */
  readonly revision: number;
}

export interface ClaimRequest {
  /** Fences this claim: a later holder's token makes every write with this one fail. */
  readonly token: string;
  readonly leaseSeconds: number;
  readonly firsts: readonly FirstClaim[];
  readonly agains: readonly AgainClaim[];
  /** Tenants whose revision is wanted in the same round trip. */
  readonly tenants: readonly string[];
  /** Fan-outs that have elements among the firsts. */
  readonly fanOuts?: readonly FanOutId[];
}

/** What the ledger knows of an event that is asked for again. */
export interface Known {
  /** Subscriptions that have a row. */
  readonly done: ReadonlySet<string>;
  /** Its row names no place: something of it is settled, and its bytes are not known to rest anywhere. */
  readonly isUnplaced: boolean;
}

export type FirstVerdict =
  /** Owned: deliver what is not in `done`. */
  | ({ readonly kind: "claimed" } & Known)
  /** Another receipt owns the event: this copy is suppressed. */
  | { readonly kind: "duplicate"; readonly owner: string }
  /** The same receipt is being worked on: come back when its lease ends, unless all is done and placed. */
  | ({ readonly kind: "leased"; readonly remainingMs: number } & Known)
  /** Its tenant was deleted, and perhaps made anew since: nothing is owed, and nothing is written. */
  | { readonly kind: "gone" };

export interface ClaimAnswer {
  /** By event id and receipt, joined with a space. */
  readonly firsts: ReadonlyMap<string, FirstVerdict>;
  /** Keys (`keyOf`) of the deliveries that are ours now, with attempts before the last redrive. */
  readonly agains: ReadonlyMap<string, { readonly attemptsBase: number }>;
  readonly revisions: ReadonlyMap<string, number>;
  /** Ids of the fan-outs asked for that were cancelled. */
  readonly cancelledFanOuts: ReadonlySet<string>;
  /** Of the queues that operators have touched. */
  readonly controls: readonly QueueControl[];
}

export const keyOf = (key: DeliveryKey): string => `${key.event} ${key.subscription}`;
export const firstKey = (claim: { id: string; receipt: string }): string =>
  `${claim.id} ${claim.receipt}`;
