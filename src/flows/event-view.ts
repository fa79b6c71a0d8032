/** An archived event as patterns saw it, rebuilt from its own bytes. */
import type { Text } from "../core/crypto.ts";
import { bodyOf, type EventRecord, type Frame, type Pointer } from "../core/enqueue/record.ts";
import { eventOf } from "../core/event.ts";
import { readArchived } from "../core/ingest/events.ts";
import type { Json } from "../core/json.ts";
import { ARCHIVED_VIEW_BYTES_MAX } from "../core/limits.ts";
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
