/** Queues that a team reads itself: what a target says of one, and the names of its leases. */
import {
  PULL_ATTEMPTS_DEFAULT,
  PULL_BACKLOG_MAX,
  PULL_LEASE_SECONDS_DEFAULT,
  PULL_RETENTION_SECONDS_DEFAULT,
} from "./limits.ts";

export interface PullBody {
  /** How often a delivery is leased before it is a dead letter. */
  readonly maxAttempts?: number | undefined;
  readonly leaseSeconds?: number | undefined;
  readonly retentionSeconds?: number | undefined;
  /** Deliveries that wait at once; what is above them is given up. */
  readonly backlogMax?: number | undefined;
}

export interface PullTarget {
  readonly kind: "pull";
  readonly attemptsMax: number;
  readonly leaseMs: number;
  readonly retentionMs: number;
  readonly backlogMax: number;
}

export const pullTargetOf = (body: PullBody): PullTarget => ({
  kind: "pull",
  attemptsMax: body.maxAttempts ?? PULL_ATTEMPTS_DEFAULT,
  leaseMs: (body.leaseSeconds ?? PULL_LEASE_SECONDS_DEFAULT) * 1_000,
  retentionMs: (body.retentionSeconds ?? PULL_RETENTION_SECONDS_DEFAULT) * 1_000,
  backlogMax: body.backlogMax ?? PULL_BACKLOG_MAX,
});

/** What stands in the ledger of a delivery that nobody has pulled yet. */
export const WAITS_TO_BE_PULLED = "waits to be pulled";

/** One delivery in the hands of one reader, for a time. */
export interface Lease {
  readonly receivedAtMs: number;
  readonly event: string;
  readonly subscription: string;
  /** Fences it: whoever leases the delivery after it has another one. */
  readonly token: string;
  readonly leasedAtMs: number;
}

const LEASE = /^lse_([0-9a-z]{26})([0-9a-z]{13})_([0-9a-z]{1,9})_([0-9a-z]{26})_([0-9a-z]{1,9})$/;

/** By which a reader names a lease; says where its delivery stands, so that no index has to. */
export const leaseId = ({ event, subscription, receivedAtMs, token, leasedAtMs }: Lease): string =>
  `lse_${event.slice(4)}${subscription}_${receivedAtMs.toString(36)}_${token}_${leasedAtMs.toString(36)}`;

/** Null for what is none. */
export function parseLeaseId(id: string): Lease | null {
  const [, event, subscription = "", received = "", token = "", leased = ""] = LEASE.exec(id) ?? [];
  const receivedAtMs = Number.parseInt(received, 36);
  const leasedAtMs = Number.parseInt(leased, 36);
  if (event === undefined) return null;
  if (!Number.isSafeInteger(receivedAtMs) || !Number.isSafeInteger(leasedAtMs)) return null;
  return { receivedAtMs, event: `evt_${event}`, subscription, token, leasedAtMs };
}

/** It was leased as often as it may be. */
export const isSpent = (
  { tries }: { readonly tries: number },
  { attemptsMax }: PullTarget,
): boolean => tries >= attemptsMax;

export const spentReason = ({ attemptsMax }: PullTarget): string =>
  `leased ${attemptsMax} times and not acknowledged; attempts exhausted`;
