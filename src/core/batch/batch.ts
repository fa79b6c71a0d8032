/** Deliveries that go to their target together: when a batch goes, and what goes with it. */
import {
  BATCH_ATTRIBUTES_BYTES_DEFAULT,
  BATCH_EVENTS_DEFAULT,
  BATCH_KILOBYTES_DEFAULT,
  BATCH_SECONDS_DEFAULT,
} from "./limits.ts";

/** As it is configured: a batch goes on the first of them. */
export interface BatchBody {
  readonly seconds?: number | undefined;
  readonly kilobytes?: number | undefined;
  readonly events?: number | undefined;
}

export interface BatchLimits {
  /** The oldest waits no longer. */
  readonly waitMs: number;
  /** Of a request's body; one event that is larger goes alone. */
  readonly bytesMax: number;
  readonly eventsMax: number;
}

const KILOBYTE = 1_000;

export const batchLimitsOf = ({ seconds, kilobytes, events }: BatchBody): BatchLimits => ({
  waitMs: (seconds ?? BATCH_SECONDS_DEFAULT) * 1_000,
  bytesMax: (kilobytes ?? BATCH_KILOBYTES_DEFAULT) * KILOBYTE,
  eventsMax: events ?? BATCH_EVENTS_DEFAULT,
});

/** What stands in the ledger of a delivery that waits for others. */
export const WAITS_FOR_ITS_BATCH = "waits for its batch";

/** One delivery that waits, as the ledger knows it. */
export interface WaitingDelivery {
  /** Of its event, about. */
  readonly bytes: number;
  readonly waitedMs: number;
  /** It was in a batch whose process died: its time is over. */
  readonly isLeft: boolean;
}

/** How long until a batch of these goes: 0 for now, null for none. They are the first of all that wait. */
export function goesInMs(
  waiting: readonly WaitingDelivery[],
  { waitMs, bytesMax, eventsMax }: BatchLimits,
): number | null {
  if (waiting.length === 0) return null;
  const bytes = waiting.reduce((sum, each) => sum + each.bytes, 0);
  if (waiting.length >= eventsMax || bytes >= bytesMax) return 0;
  if (waiting.some(({ isLeft }) => isLeft)) return 0;
  return Math.max(0, waitMs - Math.max(...waiting.map(({ waitedMs }) => waitedMs)));
}

/** How many of these go together, the first ones, as a JSON array; one at least. */
export function fitting(
  sizes: readonly number[],
  { bytesMax, eventsMax }: Pick<BatchLimits, "bytesMax" | "eventsMax">,
): number {
  let bytes = 1;
  for (const [at, size] of sizes.entries()) {
    bytes += size + 1;
    if (at > 0 && (at >= eventsMax || bytes > bytesMax)) return at;
  }
  return sizes.length;
}

/** What waits for a target's batch, as far as its gate was told. The ledger is the truth. */
export interface Waiting {
  readonly count: number;
  readonly bytes: number;
  /** The oldest of them, by the gate's clock. */
  readonly sinceMs: number;
  /** When the ledger is asked, at the latest. */
  readonly lookAtMs: number;
  /** Nothing may go before: its gate said so, or something failed. */
  readonly notBeforeMs: number;
}

/** So many more wait since `sinceMs`. */
export function joined(
  known: Waiting | undefined,
  more: Pick<Waiting, "count" | "bytes" | "sinceMs">,
  limits: BatchLimits,
): Waiting {
  const { count = 0, bytes = 0, notBeforeMs = 0 } = known ?? {};
  const all = {
    count: count + more.count,
    bytes: bytes + more.bytes,
    sinceMs: count === 0 ? more.sinceMs : Math.min(known?.sinceMs ?? more.sinceMs, more.sinceMs),
    notBeforeMs,
  };
  const lookAtMs = Math.min(known?.lookAtMs ?? Number.MAX_SAFE_INTEGER, nextBatchMs(all, limits));
  return { ...all, lookAtMs: Math.max(lookAtMs, notBeforeMs) };
}

/** When the batch of these goes. */
export function nextBatchMs(
  { count, bytes, sinceMs, notBeforeMs }: Omit<Waiting, "lookAtMs">,
  { waitMs, bytesMax, eventsMax }: BatchLimits,
): number {
  const isFull = count >= eventsMax || bytes >= bytesMax;
  return Math.max(notBeforeMs, isFull ? sinceMs : sinceMs + waitMs);
}

/** Nothing is known of what waits, but that somebody has to look. */
export const lookingAt = (lookAtMs: number): Waiting => ({
  ...{ count: 0, bytes: 0, sinceMs: lookAtMs, lookAtMs, notBeforeMs: 0 },
});

/** Bytes of an event in a batch, by those of its body. */
export const bytesInBatch = (bodyBytes: number): number =>
  bodyBytes + BATCH_ATTRIBUTES_BYTES_DEFAULT;
