/** Many archived events at once: neighbours in a segment are one read, as many reads as there are connections. */

import { READ_GAP_BYTES_MAX, SEARCH_CHUNK_BYTES_MAX } from "../core/archive-limits.ts";
import { mapWithin } from "../core/deliver/schedule.ts";
import { decodeFrame, type Pointer } from "../core/enqueue/record.ts";
import { Retryable } from "../core/errors.ts";
import { ARCHIVED_VIEW_BYTES_MAX, CONNECTIONS_MAX } from "../core/limits.ts";
import { type Span, spansOf } from "../core/spans.ts";
import type { PlacedEvent } from "../ports/history.ts";
import { type ArchivedEvent, archivedEvent, archivedFrame } from "./event-view.ts";
import type { DeliverPorts } from "./ports.ts";

export type ReadPorts = Pick<DeliverPorts, "archive" | "text">;

export interface ReadEvents {
  /** In the order of what was asked for; null for one whose bytes are not, or no longer, there, or are another's. */
  readonly events: readonly (ArchivedEvent | null)[];
  readonly reads: number;
  readonly bytes: number;
}

/** Throws Retryable when the archive does not answer: what could not be read is not gone. */
export async function readEvents(
  tenant: string,
  placed: readonly Pick<PlacedEvent, "id" | "pointer">[],
  ports: ReadPorts,
): Promise<ReadEvents> {
  const events = placed.map((): ArchivedEvent | null => null);
  const resting = placed.flatMap(({ pointer }, at) =>
    pointer.length > 0 ? [{ pointer, at }] : [],
  );
  const pointers = resting.map(({ pointer }) => pointer);
  const spans = spansOf(pointers, READ_GAP_BYTES_MAX, SEARCH_CHUNK_BYTES_MAX);
  const failures: unknown[] = [];
  await mapWithin(
    spans,
    { total: CONNECTIONS_MAX, perKey: CONNECTIONS_MAX },
    () => "archive",
    async (span) => {
      try {
        const read = await readSpan(span, pointers, ports);
        for (const [position, found] of read.entries()) {
          const at = resting[span.indexes[position] ?? 0]?.at ?? 0;
          const isIt = found?.record.tenant === tenant && found.record.id === placed[at]?.id;
          if (isIt) events[at] = found;
        }
      } catch (error) {
        failures.push(error);
      }
    },
  );
  if (failures.length > 0) throw failures[0];
  const shown = spans.filter((span) => !isShownWithoutData(span));
  const bytes = shown.reduce((sum, { length }) => sum + length, 0);
  return { events, reads: spans.length, bytes };
}

/** Only its start is read. */
const isShownWithoutData = (pointer: Pointer): boolean => pointer.length > ARCHIVED_VIEW_BYTES_MAX;

/** What lies at each of the span's pointers, in their order. */
async function readSpan(
  span: Span,
  pointers: readonly Pointer[],
  ports: ReadPorts,
): Promise<(ArchivedEvent | null)[]> {
  if (isShownWithoutData(span)) return [await archivedEvent(span, ports)];
  const bytes = await bytesAt(span, ports);
  return span.indexes.map((index) => {
    const offset = pointers[index]?.offset ?? 0;
    const frame = bytes === null ? null : decodeFrame(bytes, offset - span.offset, ports.text);
    return frame === null ? null : archivedFrame(frame, ports.text);
  });
}

async function bytesAt(
  { segment, offset, length }: Pointer,
  { archive }: ReadPorts,
): Promise<Uint8Array | null> {
  const stream = await archive.stream(segment, offset, length);
  if (stream === null) return null;
  const bytes = new Uint8Array(length);
  let filled = 0;
  try {
    for await (const chunk of stream) {
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
  } catch (error) {
    throw new Retryable("archive did not answer", 2_000, { cause: error });
  }
  return bytes.subarray(0, filled);
}
