/** Archived events beside what the ledger knows of them: where the two differ, and the way to mend it. */

import { RECONCILE_BIG_GRACE_MS } from "../core/archive-limits.ts";
import type { PackItem } from "../core/enqueue/pack.ts";
import type { EventRecord, Frame, Pointer } from "../core/enqueue/record.ts";
import { expiryAt } from "../core/generation.ts";
import { subscriptionHash } from "../core/ids.ts";
import type { KnownEvent, Repointing } from "../ports/audit.ts";
import { errorText } from "../ports/log.ts";
import {
  isPresent,
  type Mismatch,
  type MismatchKind,
  mended,
  note,
  type Pass,
  type ReconcilePorts,
} from "./reconcile-pass.ts";

/** A frame in the archive; its bytes in memory unless it is big. */
export interface Archived {
  readonly record: EventRecord;
  readonly pointer: Pointer;
  readonly frame: Frame | null;
}

/** Compares events of one tenant with the ledger, in one question for all, and mends if that is wished. */
export async function compare(tenant: string, archived: Archived[], pass: Pass): Promise<void> {
  const { ports, result } = pass;
  result.events += archived.length;
  pass.callsLeft -= 1;
  const ids = new Set(archived.map(({ record }) => record.id));
  const known = await ports.audit.known(tenant, [...ids]);
  // Of copies that nobody knows the first one counts, as it did when they came.
  archived.sort((a, b) => a.record.receivedAtMs - b.record.receivedAtMs);
  const sending: Sending[] = [];
  const repointing: { change: Repointing; mismatch: Mismatch }[] = [];
  for (const each of archived) {
    const row = known.get(each.record.id);
    if (row === undefined) {
      const mismatch = unknown(each, pass) ? found("event-missing", each, pass) : null;
      if (mismatch !== null) sending.push({ archived: each, mismatch });
      continue;
    }
    result.known += 1;
    if (row.receipt !== each.record.receipt) continue; // a suppressed copy
    if (row.isLeased) {
      result.underWay += 1;
      continue;
    }
    if (!isAt(row.pointer, each.pointer)) {
      if (await isPresent(row.pointer.segment, pass)) continue; // and is compared there
      const mismatch = found("bytes-elsewhere", each, pass);
      if (mismatch === null) continue;
      repointing.push({ change: { ...row, to: each.pointer }, mismatch });
    }
    if (!lacksDelivery(each.record, row, ports) || hasExpired(each, pass)) continue;
    const mismatch = found("delivery-missing", each, pass);
    if (mismatch !== null) sending.push({ archived: each, mismatch });
  }
  if (!pass.request.mend) return;
  // First the pointers: what is sent may be claimed at once, and a claim relies on them.
  if (repointing.length > 0) {
    const done = await ports.audit.repoint(repointing.map(({ change }) => change));
    for (const { mismatch } of repointing) if (done.has(mismatch.event)) mended(mismatch, pass);
  }
  if (sending.length > 0) await enqueueAgain(tenant, sending, pass);
}

interface Sending {
  readonly archived: Archived;
  readonly mismatch: Mismatch;
}

/** As durable as when they were accepted: the ledger knows nothing of them that a sweep could find. */
async function enqueueAgain(tenant: string, sending: readonly Sending[], pass: Pass) {
  const { commits, log } = pass.ports;
  const failures: unknown[] = [];
  await Promise.all(
    sending.map(async ({ archived, mismatch }) => {
      try {
        await commits[archived.record.priority].add(itemOf(archived));
        mended(mismatch, pass);
      } catch (error) {
        failures.push(error);
      }
    }),
  );
  if (failures.length > 0) {
    log.error("enqueue-failed", { tenant, events: failures.length, error: errorText(failures[0]) });
  }
}

/** Whether the ledger ought to know this event, and does not. */
function unknown(archived: Archived, pass: Pass): boolean {
  if (hasExpired(archived, pass)) return false;
  // A big frame is archived before the queue has it; others after the ledger has them.
  const graceFromMs = pass.ports.clock.nowMs() - RECONCILE_BIG_GRACE_MS;
  if (archived.frame !== null || archived.record.receivedAtMs <= graceFromMs) return true;
  pass.result.underWay += 1;
  return false;
}

/** Rows of what is so old have gone as they should; a replay brings the event's own row back, and no others. */
function hasExpired({ record }: Archived, { ports, result }: Pass): boolean {
  if (record.receivedAtMs >= expiryAt(ports.clock.nowMs()).keepFromMs) return false;
  result.expired += 1;
  return true;
}

const isAt = (one: Pointer, other: Pointer): boolean =>
  one.segment === other.segment && one.offset === other.offset;

function lacksDelivery(record: EventRecord, row: KnownEvent, ports: ReconcilePorts): boolean {
  if (record.subscriptions.length === 0) return !row.subscriptions.has("");
  return record.subscriptions.some(
    (each) => !row.subscriptions.has(subscriptionHash(each, ports.crypto, ports.text)),
  );
}

/** On its first way: every subscription that the ledger has no row for is owed. */
function itemOf({ record, pointer, frame }: Archived): PackItem {
  const { id, receipt, tenant } = record;
  return { content: frame ?? { pointer, id, receipt, tenant } };
}

function found(kind: MismatchKind, { record, pointer }: Archived, pass: Pass): Mismatch | null {
  const { id: event, tenant, receivedAtMs } = record;
  return note({ kind, tenant, event, receivedAtMs, segment: pointer.segment, mended: false }, pass);
}
