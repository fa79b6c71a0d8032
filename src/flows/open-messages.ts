/** From queue messages to events in hand; what cannot be read is kept for a person, not tried again. */
import { poisonKey } from "../core/archive-keys.ts";
import {
  type Again,
  decodePack,
  isParcel,
  type Origin,
  type PackItem,
  type Parcel,
} from "../core/enqueue/pack.ts";
import type { EventRecord, Frame, Pointer } from "../core/enqueue/record.ts";
import { Retryable } from "../core/errors.ts";
import { ARCHIVE_READ_TIMEOUT_MS, BACKOFF_SECONDS_MAX, PACK_BYTES_MAX } from "../core/limits.ts";
import { within } from "../ports/clock.ts";
import { errorText } from "../ports/log.ts";
import type { DeliverPorts } from "./ports.ts";

/** One message of a queue batch. Exactly one of `ack` and `retry` is called for each. */
export interface QueueMessage {
  readonly id: string;
  readonly body: Uint8Array;
  /** 1 at the first delivery by the queue. */
  readonly attempts: number;
  /** When the queue took it. */
  readonly sentAtMs: number;
  ack(): void;
  retry(delaySeconds: number): void;
}

/** A message being worked on; `retryAfterSeconds` set = something in it is not finished. */
export interface OpenMessage {
  readonly message: QueueMessage;
  origin: Origin | null;
  retryAfterSeconds: number | null;
}

/** An event in hand: its record, and where its body is. */
export interface HeldEvent {
  readonly open: OpenMessage;
  readonly record: EventRecord;
  /** The frame in memory, or null when it rests in the archive at `pointer`. */
  readonly frame: Frame | null;
  readonly pointer: Pointer | null;
  readonly bodyOffset: number;
  readonly bodyBytes: number;
  readonly again: readonly Again[] | null;
}

export interface OpenedBatch {
  readonly messages: OpenMessage[];
  readonly events: HeldEvent[];
}

/** Seconds before a message is tried again after a failure of ours, growing with its attempts. */
const backoffSeconds = (attempts: number): number =>
  Math.min(BACKOFF_SECONDS_MAX, 5 * 2 ** (attempts - 1));

/** What comes of a message that is given back needs no lease to end first. */
export const GIVEN_BACK_RETRY_SECONDS = 1;

/** Says that something in the message is not finished; the longest wait wins. */
export function retryLater(open: OpenMessage, seconds: number): void {
  open.retryAfterSeconds = Math.max(open.retryAfterSeconds ?? 0, seconds);
}

/** After a failure of ours. */
export const tryAgainLater = (open: OpenMessage): void =>
  retryLater(open, backoffSeconds(open.message.attempts));

/**
 * In the messages' order: of copies the first one counts, so that no two messages wait for each other.
 * Never rejects: a message that cannot be opened comes again.
 */
export async function openMessages(
  messages: readonly QueueMessage[],
  ports: DeliverPorts,
): Promise<OpenedBatch> {
  const opened = await Promise.all(messages.map((message) => openMessage(message, ports)));
  return {
    messages: opened.map(({ open }) => open),
    events: opened.flatMap(({ events }) => events),
  };
}

async function openMessage(
  message: QueueMessage,
  ports: DeliverPorts,
): Promise<{ open: OpenMessage; events: HeldEvent[] }> {
  const open: OpenMessage = { message, origin: null, retryAfterSeconds: null };
  const events: HeldEvent[] = [];
  try {
    const decoded = decodePack(message.body, ports.text);
    if (!decoded.ok) await keepPoison(open, decoded.reason, ports);
    else {
      open.origin = decoded.pack.origin;
      const held = await Promise.all(decoded.pack.items.map((item) => hold(open, item, ports)));
      events.push(...held.filter((event) => event !== null));
    }
  } catch (error) {
    ports.log.error("message-not-opened", { message: message.id, error: errorText(error) });
    retryLater(open, backoffSeconds(message.attempts));
  }
  return { open, events };
}

const late = () => new Retryable("the archive did not answer in time");

/** Null for what is gone, and for what could not be read or not in time: then its message comes again. */
async function hold(
  open: OpenMessage,
  item: PackItem,
  ports: DeliverPorts,
): Promise<HeldEvent | null> {
  const again = item.again ?? null;
  const { content } = item;
  if (!isParcel(content)) {
    return { ...content, open, frame: content, pointer: null, again };
  }
  try {
    const reading = holdArchived(open, content, again, ports);
    return await within(reading, ARCHIVE_READ_TIMEOUT_MS, ports.clock, late);
  } catch (error) {
    ports.log.warn("archive-unreachable", { message: open.message.id, error: errorText(error) });
    retryLater(open, backoffSeconds(open.message.attempts));
    return null;
  }
}

async function holdArchived(
  open: OpenMessage,
  { pointer, tenant }: Parcel,
  again: readonly Again[] | null,
  ports: DeliverPorts,
): Promise<HeldEvent | null> {
  // What came in a message of its own the first time is whole again: transformers and orders look at its data.
  const isWhole = again !== null && pointer.length <= PACK_BYTES_MAX;
  const frame = isWhole ? await ports.archive.frame(pointer) : null;
  if (frame !== null) return { ...frame, open, frame, pointer: null, again };
  const meta = await ports.archive.meta(pointer);
  if (meta !== null) return { ...meta, open, frame: null, pointer, again };
  // A deleted tenant's objects may be removed before its last messages come.
  const isGone = (await ports.directory.refresh(tenant)) === null;
  if (isGone) ports.log.info("tenant-gone", { events: 1 });
  else await keepPoison(open, `no object at ${pointer.segment}`, ports);
  return null;
}

async function keepPoison(open: OpenMessage, reason: string, ports: DeliverPorts): Promise<void> {
  const { message } = open;
  ports.log.error("poison-message", { message: message.id, reason, bytes: message.body.length });
  try {
    const key = poisonKey(message.id, ports.clock.nowMs());
    const putting = ports.archive.putPoison(key, message.body, reason);
    await within(putting, ARCHIVE_READ_TIMEOUT_MS, ports.clock, late);
  } catch (error) {
    ports.log.warn("archive-unreachable", { message: message.id, error: errorText(error) });
    retryLater(open, backoffSeconds(message.attempts));
  }
}
