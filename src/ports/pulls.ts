/**
 * Deliveries that their targets' readers pull themselves. They rest in the ledger, parked with a time from which on
 * they may be leased: a lease is that time put off under a token, so that one that ends needs nobody to notice.
 */
import type { Pointer } from "../core/enqueue/record.ts";
import type { QueueName } from "../core/priority.ts";
import type { DeliveryState } from "../core/settle.ts";
import type { DeliveryKey } from "./claim.ts";
import type { GateId } from "./gates.ts";

export interface Ready extends DeliveryKey {
  readonly rule: string;
  readonly priority: QueueName;
  readonly replay: string | null;
  /** In all, and how many of them since it was last owed anew. */
  readonly attempts: number;
  readonly tries: number;
  readonly pointer: Pointer;
  /** Since when it may be leased, by the ledger's clock. */
  readonly waitedMs: number;
  /** It was leased, and the lease ended without a word. */
  readonly isLeft: boolean;
}

/** What may be leased, and the tenant's revision at that moment; null when it is gone. */
export interface Looked {
  readonly revision: number | null;
  readonly ready: readonly Ready[];
}

export interface HeldLease extends DeliveryKey {
  readonly token: string;
  readonly leasedAtMs: number;
}

/** The lease of a delivery: none had another one under the same token. */
export const keyOfLease = ({
  event,
  subscription,
  token,
}: Pick<HeldLease, "event" | "subscription" | "token">): string =>
  `${event} ${subscription} ${token}`;

export interface Backlog {
  readonly priority: QueueName;
  /** To be leased now. */
  readonly waiting: number;
  readonly leased: number;
  /** Refused by a reader, who wants them later. */
  readonly delayed: number;
  readonly oldestReceivedAtMs: number;
}

/** The delivery that a part of a seek ended with. */
export type SeekPosition = Omit<DeliveryKey, "tenant">;

export interface Pulls {
  /** Up to `count` that may be leased now, the most urgent and oldest first, of those whose bytes rest. */
  ready(id: GateId, count: number): Promise<readonly Ready[]>;
  /** The same for whoever leases it then: by what its target and its rule are now. */
  look(id: GateId, count: number): Promise<Looked>;
  /** Leases what nobody else has leased since; answers the keys. */
  lease(ready: readonly Ready[], token: string, leaseMs: number): Promise<ReadonlySet<string>>;
  /** Takes leases back, as if they had never been given. */
  giveBack(leases: readonly HeldLease[]): Promise<void>;
  /** The three of them change what is still held by the lease's token, and answer the keys. */
  acknowledge(id: GateId, leases: readonly HeldLease[]): Promise<ReadonlySet<string>>;
  /** It may be leased again after `delayMs`; at its last try it is a dead letter. */
  refuse(
    id: GateId,
    leases: readonly HeldLease[],
    said: { readonly reason: string; readonly delayMs: number; readonly attemptsMax: number },
  ): Promise<ReadonlySet<string>>;
  extend(id: GateId, leases: readonly HeldLease[], leaseMs: number): Promise<ReadonlySet<string>>;
  /** How deliveries of the target stand, by `keyOfLease`, and whether the lease is the last one that each had. */
  standing(
    id: GateId,
    leases: readonly HeldLease[],
  ): Promise<ReadonlyMap<string, { readonly state: DeliveryState; readonly isLast: boolean }>>;
  /** Gives up what is parked under the lease of that token, or under none that lasts; of a gate, whenever it is due. */
  bury(
    keys: readonly DeliveryKey[],
    by: string | typeof NO_LEASE | typeof GATE,
    reason: string,
  ): Promise<number>;
  /** By priority, the most urgent first. */
  backlog(id: GateId): Promise<readonly Backlog[]>;
  /** Up to `count` that are too many: behind `backlogMax` others that are more urgent, or older. */
  excess(id: GateId, backlogMax: number, count: number): Promise<readonly DeliveryKey[]>;
  /** Ends up to `count` of what was received before; answers how many. */
  passOver(id: GateId, beforeMs: number, reason: string, count: number): Promise<number>;
  /**
   * What was acknowledged, or skipped by a seek, is owed anew: of the next `count` deliveries of all targets that
   * were received from `fromMs` on, before `untilMs`, and behind `after`. Answers how many, and where to go on.
   */
  owe(
    id: GateId,
    range: { readonly fromMs: number; readonly untilMs: number },
    reason: string,
    after: SeekPosition | null,
    count: number,
  ): Promise<{ readonly owed: number; readonly next: SeekPosition | null }>;
}

export const NO_LEASE = null;
/** A gate leases nothing; no token is called so. */
export const GATE = "gate";

/** What `last_error` begins with after a seek, before its reason: what one has skipped another finds by that. */
export const SKIPPED = "skipped by a seek";
export const OWED_ANEW = "owed anew by a seek";
