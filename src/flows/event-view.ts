/** An archived event as patterns saw it, rebuilt from its own bytes. */
import type { Text } from "../core/crypto.ts";
import { bodyOf, type EventRecord, type Frame, type Pointer } from "../core/enqueue/record.ts";
import { eventOf } from "../core/event.ts";
import { readArchived } from "../core/ingest/events.ts";
import type { Json } from "../core/json.ts";
import { ARCHIVE_READ_TIMEOUT_MS, ARCHIVED_VIEW_BYTES_MAX } from "../core/limits.ts";
import { within } from "../ports/clock.ts";
import { archiveLate, NOT_THERE } from "./archived-body.ts";
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

export interface ArchivedEvent {
  readonly record: EventRecord;
  readonly event: Json;
}

/** The event in hand, as patterns see it; the body of a big one is not read. */
export const eventIn = ({ record, frame }: HeldEvent, ports: Pick<DeliverPorts, "text">): Json =>
  eventOf(
    record,
    frame === null
      ? { data: {}, omitted: "too-large" }
      : readArchived(bodyOf(frame), record.contentType, ports.text),
  );

/**
 * The same with the data of what rests in the archive, where it has no more than `bytesMax`: one read of it, and none
 * for what is in memory. Rejects when the archive does not answer.
 */
export async function eventRead(
  held: HeldEvent,
  bytesMax: number,
  ports: Pick<DeliverPorts, "archive" | "clock" | "text">,
): Promise<Json> {
  const { pointer } = held;
  if (pointer === null || pointer.length > bytesMax) return eventIn(held, ports);
  const reading = archivedEvent(pointer, ports);
  const archived = await within(reading, ARCHIVE_READ_TIMEOUT_MS, ports.clock, archiveLate);
  if (archived === null) throw new Error(NOT_THERE);
  return archived.event;
}

/** The record and the event at `pointer`; null when its bytes are not, or no longer, there. */
export async function archivedEvent(
  pointer: Pointer,
  ports: Pick<DeliverPorts, "archive" | "text">,
): Promise<ArchivedEvent | null> {
  if (pointer.length > ARCHIVED_VIEW_BYTES_MAX) {
    const meta = await ports.archive.meta(pointer);
    if (meta === null) return null;
    return { record: meta.record, event: eventOf(meta.record, { data: {}, omitted: "too-large" }) };
  }
  const frame = await ports.archive.frame(pointer);
  if (frame === null) return null;
  return archivedFrame(frame, ports.text);
}

/** The same of a frame that was read with its body. */
export function archivedFrame(frame: Frame, text: Text): ArchivedEvent {
  const { record } = frame;
  return { record, event: eventOf(record, readArchived(bodyOf(frame), record.contentType, text)) };
}
