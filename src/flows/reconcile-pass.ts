/** One pass of a reconciliation: what it is asked, what it found, and what it may still cost. */
import { ARCHIVE_KINDS, type TimeRange } from "../core/archive-keys.ts";
import {
  RECONCILE_BYTES_MAX,
  RECONCILE_CALLS_MAX,
  RECONCILE_OBJECTS_MAX,
  RECONCILE_SHOWN_MAX,
} from "../core/archive-limits.ts";
import type { ArchiveListing } from "../ports/archive.ts";
import type { Audit } from "../ports/audit.ts";
import type { ConfigStore } from "../ports/config.ts";
import type { AcceptPorts } from "./accept-event.ts";

export const MISMATCHES = [
  /** Archived, and the ledger has never heard of it: sent as on its first way. */
  "event-missing",
  /** Some of its subscriptions have no row: sent as on its first way, which skips what is done. */
  "delivery-missing",
  /** Its row names an object that is not there, but here it is: the row is corrected. */
  "bytes-elsewhere",
  /** Its row names an object that is not there: nothing can be done, the sweeper buries what is owed. */
  "bytes-missing",
] as const;
export type MismatchKind = (typeof MISMATCHES)[number];

export interface Mismatch {
  readonly kind: MismatchKind;
  readonly tenant: string;
  readonly event: string;
  readonly receivedAtMs: number;
  readonly segment: string;
  mended: boolean;
}

export const RECONCILE_PHASES = [...ARCHIVE_KINDS, "settled"] as const;

/** Where a pass goes on: what of a tenant it was at, and after which key or position. */
export interface ReconcileCursor {
  readonly tenant: string;
  readonly phase: (typeof RECONCILE_PHASES)[number];
  readonly after: string | null;
}

export interface ReconcileRequest {
  /** Null for every tenant in turn. */
  readonly tenant: string | null;
  readonly range: TimeRange;
  readonly mend: boolean;
  readonly cursor: ReconcileCursor | null;
}

export interface Reconciled {
  /** Objects that were read: segments, and big frames. */
  segments: number;
  /** Frames of the slice in them, and how many of those the ledger knows. */
  events: number;
  known: number;
  /** Left alone: a consumer is at work, or the queue still has it. */
  underWay: number;
  /** Not in the ledger, whole or in part, because it no longer keeps what is so old. */
  expired: number;
  readonly found: Record<MismatchKind, number>;
  readonly mended: Record<MismatchKind, number>;
  readonly mismatches: Mismatch[];
  cursor: ReconcileCursor | null;
}

export interface ReconcilePorts
  extends Pick<AcceptPorts, "archive" | "clock" | "commits" | "crypto" | "log" | "text"> {
  readonly listing: ArchiveListing;
  readonly audit: Audit;
  readonly config: Pick<ConfigStore, "tenants">;
}

/** One pass and what it may still cost. */
export interface Pass {
  readonly request: ReconcileRequest;
  readonly ports: ReconcilePorts;
  readonly result: Reconciled;
  objectsLeft: number;
  bytesLeft: number;
  callsLeft: number;
  /** Mismatches of this pass, each once although an event may lie in several segments. */
  readonly seen: Set<string>;
  /** Whether an object is there, asked once. */
  readonly present: Map<string, boolean>;
}

const none = (): Record<MismatchKind, number> => ({
  ...{ "event-missing": 0, "delivery-missing": 0, "bytes-elsewhere": 0, "bytes-missing": 0 },
});

export const passOf = (request: ReconcileRequest, ports: ReconcilePorts): Pass => ({
  request,
  ports,
  result: {
    ...{ segments: 0, events: 0, known: 0, underWay: 0, expired: 0 },
    ...{ found: none(), mended: none(), mismatches: [], cursor: null },
  },
  objectsLeft: RECONCILE_OBJECTS_MAX,
  bytesLeft: RECONCILE_BYTES_MAX,
  callsLeft: RECONCILE_CALLS_MAX,
  seen: new Set(),
  present: new Map(),
});

/** Whether anything more may be asked of any store. */
export const mayGoOn = ({ objectsLeft, bytesLeft, callsLeft }: Pass): boolean =>
  objectsLeft > 0 && bytesLeft > 0 && callsLeft > 0;

/** Notes a mismatch; null when this pass has met it before. */
export function note(mismatch: Mismatch, { result, seen }: Pass): Mismatch | null {
  const key = `${mismatch.kind} ${mismatch.event}`;
  if (seen.has(key)) return null;
  seen.add(key);
  result.found[mismatch.kind] += 1;
  if (result.mismatches.length < RECONCILE_SHOWN_MAX) result.mismatches.push(mismatch);
  return mismatch;
}

export function mended(mismatch: Mismatch, { result }: Pass): void {
  mismatch.mended = true;
  result.mended[mismatch.kind] += 1;
}

/** Whether an object is there; each is asked for once. */
export async function isPresent(segment: string, pass: Pass): Promise<boolean> {
  const before = pass.present.get(segment);
  if (before !== undefined) return before;
  pass.callsLeft -= 1;
  const stream = await pass.ports.archive.stream(segment, 0, 1);
  await stream?.cancel();
  pass.present.set(segment, stream !== null);
  return stream !== null;
}
