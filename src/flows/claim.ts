/** Who may work on what: one round trip claims everything in a batch and sorts it. */
import { hourOf, segmentKey } from "../core/archive-keys.ts";
import type { Pointer } from "../core/enqueue/record.ts";
import { timeOrderedId } from "../core/ids.ts";
import { LEASE_SECONDS } from "../core/limits.ts";
import { type AgainClaim, type ClaimAnswer, firstKey, keyOf } from "../ports/claim.ts";
import type { FanOutId } from "../ports/fan-outs.ts";
import type { Duplicate } from "../ports/ledger.ts";
import { againDutiesOf, type Duty, dutyOf, newest } from "./duty.ts";
import { inTime } from "./in-time.ts";
import { type HeldEvent, type OpenedBatch, retryLater } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

export interface Claimed {
  readonly token: string;
  readonly duties: Duty[];
  /** Events that no rule wanted: only recorded. */
  readonly unmatched: HeldEvent[];
  readonly duplicates: Duplicate[];
  /** Events whose bytes do not rest yet, with their places in segments. */
  readonly unarchived: Unarchived[];
  readonly revisions: ReadonlyMap<string, number>;
  /** Fan-outs of which no more elements are to go out. */
  readonly cancelledFanOuts: ReadonlySet<string>;
  readonly controls: ClaimAnswer["controls"];
}

/** Frames of one tenant, revision and hour that go to the archive together. */
export interface Segment {
  readonly key: string;
  readonly parts: Uint8Array[];
  bytes: number;
}

interface Place {
  readonly segment: Segment;
  readonly pointer: Pointer;
}

export interface Unarchived extends Place {
  readonly held: HeldEvent;
  /** The ledger waits to be told the place; of others the claim has written it. */
  readonly isUnplaced: boolean;
}

/** Claims a batch. Throws when the ledger does not answer; nothing is owned then. */
export async function claimBatch(batch: OpenedBatch, ports: DeliverPorts): Promise<Claimed> {
  const token = timeOrderedId(ports.isolate, ports.clock.nowMs(), ports.random.bytes(10));
  const firsts = uniqueFirsts(batch.events);
  const agains = batch.events.filter((event) => event.again !== null);
  const places = layOut(firsts, ports);
  const againDuties = newest(agains.flatMap((event) => againDutiesOf(event, ports)));
  const claiming = ports.ledger.claim({
    token,
    leaseSeconds: LEASE_SECONDS,
    firsts: firsts.map((event) => {
      const { id, receipt, tenant, source, type, receivedAtMs, revision } = event.record;
      const pointer = event.pointer ?? places.get(event)?.pointer ?? nowhere();
      return { id, receipt, tenant, source, type, receivedAtMs, revision, pointer };
    }),
    agains: againDuties.map((duty): AgainClaim => {
      return { ...duty, revision: duty.held.record.revision };
    }),
    tenants: [...new Set(batch.events.map((event) => event.record.tenant))],
    fanOuts: fanOutsOf(firsts),
  });
  const answer = await inTime(claiming, ports);
  return sort(token, firsts, againDuties, places, answer, ports);
}

function fanOutsOf(firsts: readonly HeldEvent[]): FanOutId[] {
  const ids = firsts.flatMap(({ record: { tenant, elementOf } }): [string, FanOutId][] => {
    return elementOf === undefined ? [] : [[elementOf.fanOut, { tenant, id: elementOf.fanOut }]];
  });
  return [...new Map(ids).values()];
}

/** One holder per event and receipt: a copy in another message comes back when this one is done. */
function uniqueFirsts(events: readonly HeldEvent[]): HeldEvent[] {
  const holders = new Map<string, HeldEvent>();
  for (const event of events) {
    if (event.again !== null) continue;
    const holder = holders.get(firstKey(event.record));
    if (holder === undefined) holders.set(firstKey(event.record), event);
    else if (holder.open !== event.open) retryLater(event.open, 2);
  }
  return [...holders.values()];
}

/** Decides where each frame will rest, before the claim that writes it down. */
function layOut(firsts: readonly HeldEvent[], ports: DeliverPorts): Map<HeldEvent, Place> {
  const alike = new Map<string, Segment>();
  const places = new Map<HeldEvent, Place>();
  for (const event of firsts) {
    if (event.frame === null) continue; // it rests in the archive already
    const { tenant, revision, receivedAtMs } = event.record;
    // By revision, too: a tenant that was made anew keeps nothing of the one that was deleted.
    const group = `${tenant}/${revision}/${hourOf(receivedAtMs)}`;
    let segment = alike.get(group);
    if (segment === undefined) {
      const random = ports.random.bytes(10);
      const key = segmentKey(tenant, receivedAtMs, ports.clock.nowMs(), random);
      segment = { key, parts: [], bytes: 0 };
      alike.set(group, segment);
    }
    const { bytes } = event.frame;
    const pointer = { segment: segment.key, offset: segment.bytes, length: bytes.length };
    places.set(event, { segment, pointer });
    segment.parts.push(bytes);
    segment.bytes += bytes.length;
  }
  return places;
}

const nowhere = (): Pointer => ({ segment: "", offset: 0, length: 0 });

function sort(
  token: string,
  firsts: readonly HeldEvent[],
  againDuties: readonly Duty[],
  places: ReadonlyMap<HeldEvent, Place>,
  answer: ClaimAnswer,
  ports: DeliverPorts,
): Claimed {
  const claimed: Claimed = {
    token,
    duties: againDuties.flatMap((duty) => {
      // Not ours: finished, of a deleted tenant, or held by another, whose lease the sweeper watches.
      const owned = answer.agains.get(keyOf(duty));
      return owned === undefined ? [] : [{ ...duty, attemptsBase: owned.attemptsBase }];
    }),
    unmatched: [],
    duplicates: [],
    unarchived: [],
    revisions: answer.revisions,
    cancelledFanOuts: answer.cancelledFanOuts,
    controls: answer.controls,
  };
  let gone = 0;
  for (const event of firsts) {
    const verdict = answer.firsts.get(firstKey(event.record));
    if (verdict?.kind === "gone") {
      gone += 1;
      continue;
    }
    if (verdict === undefined || verdict.kind === "duplicate") {
      claimed.duplicates.push(duplicateOf(event, verdict?.owner ?? "unknown"));
      continue;
    }
    const duties = event.record.subscriptions
      .map((subscription) => dutyOf(event, subscription, 0, "event", ports))
      .filter((duty) => !verdict.done.has(duty.subscription));
    const unrecorded = event.record.subscriptions.length === 0 && !verdict.done.has("");
    const { done, isUnplaced } = verdict;
    if (verdict.kind === "leased") {
      const unfinished = duties.length > 0 || unrecorded || isUnplaced;
      if (unfinished) retryLater(event.open, Math.ceil(verdict.remainingMs / 1_000) + 1);
      continue;
    }
    claimed.duties.push(...duties);
    if (unrecorded) claimed.unmatched.push(event);
    const place = places.get(event);
    const rests = done.size > 0 && !isUnplaced;
    if (place !== undefined && !rests) {
      claimed.unarchived.push({ ...place, held: event, isUnplaced });
    }
  }
  if (gone > 0) ports.log.info("tenant-gone", { events: gone });
  return claimed;
}

function duplicateOf(event: HeldEvent, owner: string): Duplicate {
  const { id, receipt, receivedAtMs } = event.record;
  return { event: id, receipt, receivedAtMs, reason: `duplicate of ${owner}` };
}
