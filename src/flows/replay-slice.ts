/**
 * A slice of a replay: the next archived events, the deliveries that the present rules make of those that are
 * selected, written with the checkpoint in one transaction, then their messages. A death repeats reading at most:
 * what is written the sweeper finds, what is not is read again.
 */

import {
  REPLAY_BACKLOG_MAX,
  REPLAY_BACKLOG_WAIT_MS,
  REPLAY_COUNT_SLICES_MAX,
} from "../core/archive-limits.ts";
import type { PackItem } from "../core/enqueue/pack.ts";
import { PACK_BYTES_MAX } from "../core/limits.ts";
import {
  type Checkpoint,
  cancelledAgainMs,
  pauseMs,
  type ReplayQuery,
  START,
} from "../core/replay.ts";
import type { Tenant } from "../core/tenant.ts";
import { keyOf } from "../ports/claim.ts";
import type { Replay, ReplayedDelivery, ReplayId, Replays } from "../ports/replays.ts";
import type { DeliverPorts } from "./ports.ts";
import { type ReadEvent, type ReadSlice, type ReadSlicePorts, readSlice } from "./read-slice.ts";
import { sendPacks } from "./send-again.ts";

export interface SlicePorts
  extends ReadSlicePorts,
    Pick<DeliverPorts, "directory" | "log" | "queues"> {
  readonly replays: Pick<Replays, "replay" | "advance" | "giveUp">;
}

/** Makes the next slice; answers in how many milliseconds another is due, or null when none is. */
export async function replaySlice(at: ReplayId, ports: SlicePorts): Promise<number | null> {
  const replay = await ports.replays.replay(at);
  if (replay?.state === "cancelled") return giveUpMore(replay, ports);
  if (replay?.state !== "running") return null;
  const { backlog } = await ports.queues.metrics("replay");
  if (backlog > REPLAY_BACKLOG_MAX) return REPLAY_BACKLOG_WAIT_MS;
  const tenant = await ports.directory.refresh(at.tenant);
  if (tenant === null) return null;
  const { query, checkpoint, rev } = replay;
  const { slice, events } = await readSlice(at, tenant, query, checkpoint, ports);
  const deliveries = await ports.replays.advance(at, rev, slice);
  if (deliveries === null) return 0; // paused, cancelled, or taken on by another: the next look tells
  // What the queue does not take is in the ledger, and goes out with the sweeper.
  await sendPacks(itemsOf(at.id, deliveries, events), "replay", 0, ports);
  return slice.isLast ? null : pauseMs(deliveries.length, query.perSecond);
}

/** Why its deliveries are given up. */
export const CANCELLED = "replay cancelled";

/** What a batch had claimed before it was cancelled may be parked or retrying only now. */
async function giveUpMore(replay: Replay, { replays, clock }: SlicePorts): Promise<number | null> {
  await replays.giveUp(replay, CANCELLED);
  return cancelledAgainMs(clock.nowMs() - replay.updatedAtMs);
}

/** Each event with its deliveries. */
function itemsOf(
  replay: string,
  deliveries: readonly ReplayedDelivery[],
  events: ReadSlice["events"],
): PackItem[] {
  return [...Map.groupBy(deliveries, ({ receipt }) => receipt)].flatMap(([receipt, owed]) => {
    const read = events.get(receipt);
    if (read === undefined) return [];
    const again = owed.map(({ rule, target }) => ({ rule, target, attempts: 0, replay }));
    return { content: contentOf(read), again };
  });
}

function contentOf({ record, pointer, frame }: ReadEvent): PackItem["content"] {
  if (frame !== null && frame.bytes.length <= PACK_BYTES_MAX / 2) return frame;
  const { id, receipt, tenant } = record;
  return { pointer, id, receipt, tenant };
}

export interface ReplayCount {
  readonly events: number;
  readonly deliveries: number;
  readonly examined: number;
  readonly reachedAtMs: number | null;
  /** False when the bound on reading ended it: there is more. */
  readonly complete: boolean;
}

/** What a replay would send now, looking at a bounded part; copies of an event count once. */
export async function countReplay(
  tenant: Tenant,
  sinceMs: number,
  query: ReplayQuery,
  ports: ReadSlicePorts,
): Promise<ReplayCount> {
  const events = new Set<string>();
  const deliveries = new Set<string>();
  let examined = 0;
  let reachedAtMs: number | null = null;
  let from: Checkpoint = START;
  const at = { tenant: tenant.id, id: "" };
  for (let slices = 0; slices < REPLAY_COUNT_SLICES_MAX; slices += 1) {
    const { slice } = await readSlice(at, tenant, query, from, ports);
    for (const delivery of slice.deliveries) {
      if (delivery.revision < sinceMs) continue;
      events.add(delivery.event);
      deliveries.add(keyOf(delivery));
    }
    examined += slice.examined;
    reachedAtMs = slice.reachedAtMs ?? reachedAtMs;
    from = slice.checkpoint;
    if (!slice.isLast) continue;
    const counts = { events: events.size, deliveries: deliveries.size };
    return { ...counts, examined, reachedAtMs, complete: true };
  }
  const counts = { events: events.size, deliveries: deliveries.size };
  return { ...counts, examined, reachedAtMs, complete: false };
}
