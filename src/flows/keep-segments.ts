/** The bytes of a batch come to rest: one object per tenant and hour, before the ledger relies on it. */
import { Retryable } from "../core/errors.ts";
import { ARCHIVE_BYTES_PER_MS, ARCHIVE_WAIT_MS } from "../core/limits.ts";
import { within } from "../ports/clock.ts";
import { errorText } from "../ports/log.ts";
import type { Claimed, Segment, Unarchived } from "./claim.ts";
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

/** Tries of one segment before its events are left to the queue's redelivery. */
const ARCHIVE_TRIES_MAX = 3;
const ARCHIVE_PAUSE_MS = 200;

/** Whether an event's bytes rest where the ledger says, or will say with the next result. */
export type KeptOf = (held: HeldEvent) => Promise<boolean>;

/**
 * Starts at once; the answers come when a segment is at rest, or after a time: one that hangs holds up no
 * batch for long. An answer is never taken back, whatever becomes of the segment later.
 */
export function keepSegments(claimed: Claimed, ports: DeliverPorts): KeptOf {
  const bySegment = new Map<Segment, Unarchived[]>();
  for (const event of claimed.unarchived) {
    const others = bySegment.get(event.segment);
    if (others === undefined) bySegment.set(event.segment, [event]);
    else others.push(event);
  }
  const kept = new Map<HeldEvent, Promise<boolean>>();
  for (const [segment, events] of bySegment) {
    const isKept = keep(claimed.token, segment, events, ports);
    for (const { held } of events) kept.set(held, isKept);
  }
  return (held) => kept.get(held) ?? Promise.resolve(true);
}

/** Never rejects. */
async function keep(
  token: string,
  segment: Segment,
  events: readonly Unarchived[],
  ports: DeliverPorts,
): Promise<boolean> {
  const late = () => new Retryable("the archive did not answer in time");
  const waitMs = ARCHIVE_WAIT_MS + segment.bytes / ARCHIVE_BYTES_PER_MS;
  const placed = put(segment, ports).then(() => place(token, events, ports));
  try {
    await within(placed, waitMs, ports.clock, late);
    return true;
  } catch (error) {
    const { key } = segment;
    ports.log.error("archive-failed", { segment: key, error: errorText(error) });
    return false;
  }
}

async function put(segment: Segment, ports: DeliverPorts): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ports.archive.put(segment.key, segment.parts);
    } catch (error) {
      if (tries === ARCHIVE_TRIES_MAX) throw error;
      await ports.clock.timer(ARCHIVE_PAUSE_MS * tries).elapsed;
    }
  }
}

async function place(
  token: string,
  events: readonly Unarchived[],
  ports: DeliverPorts,
): Promise<void> {
  const unplaced = events.filter(({ isUnplaced }) => isUnplaced);
  if (unplaced.length === 0) return;
  const placements = unplaced.map(({ held: { record }, pointer }) => {
    return { event: record.id, receivedAtMs: record.receivedAtMs, pointer };
  });
  await ports.ledger.place(token, placements);
}
