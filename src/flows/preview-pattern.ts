/** A pattern over the newest archived events of its tenant, beside the present pattern of a rule. */

import { PREVIEW_BYTES_MAX, PREVIEW_OBJECTS_MAX } from "../core/archive-limits.ts";
import type { EventRecord } from "../core/enqueue/record.ts";
import type { Json } from "../core/json.ts";
import { ARCHIVED_VIEW_BYTES_MAX, CONNECTIONS_MAX } from "../core/limits.ts";
import type { Pattern } from "../core/pattern/index.ts";
import { emptyPreview, type PatternPreview, previewEvent } from "../core/preview.ts";
import type { ArchiveListing, StoredObject } from "../ports/archive.ts";
import { archivedEvent, archivedFrame } from "./event-view.ts";
import { newestSegments } from "./newest-segments.ts";
import type { DeliverPorts } from "./ports.ts";

export interface PreviewRequest {
  readonly tenant: string;
  /** What was received before belongs to a life of the tenant that ended. */
  readonly sinceMs: number;
  readonly patterns: { readonly next: Pattern; readonly present: Pattern | null };
  /** Events, at most. */
  readonly count: number;
}

export interface PreviewPorts extends Pick<DeliverPorts, "archive" | "text"> {
  readonly listing: ArchiveListing;
}

export interface Previewed {
  readonly preview: PatternPreview;
  /** False when a bound ended it before so many events were seen, and there are older ones. */
  readonly complete: boolean;
}

export async function previewPattern(
  { tenant, sinceMs, patterns, count }: PreviewRequest,
  ports: PreviewPorts,
): Promise<Previewed> {
  const preview = emptyPreview();
  /** Copies of an event lie in the archive as well. */
  const seen = new Set<string>();
  const range = { fromMs: sinceMs, untilMs: Number.POSITIVE_INFINITY };
  const objects = newestSegments(ports.listing, tenant, range, ["segments", "big"]);
  const left = { objects: PREVIEW_OBJECTS_MAX, bytes: PREVIEW_BYTES_MAX };
  for await (const group of affordable(objects, left)) {
    if (group === null) return { preview, complete: false };
    const read = await Promise.all(group.map((object) => eventsOf(object, ports)));
    for (const { record, event } of read.flat()) {
      const { id, receivedAtMs } = record;
      // Of elements of lists no rule is asked.
      if (seen.has(id) || receivedAtMs < sinceMs || record.elementOf !== undefined) continue;
      seen.add(id);
      previewEvent(preview, patterns, { id, receivedAtMs, event: event() });
      if (preview.examined === count) return { preview, complete: true };
    }
  }
  return { preview, complete: true };
}

/**
 * As many objects at once as there are connections, the newest first; null in place of what can no longer be
 * afforded. The first is read whatever it costs.
 */
async function* affordable(
  objects: AsyncIterable<StoredObject>,
  left: { objects: number; bytes: number },
): AsyncGenerator<readonly StoredObject[] | null> {
  let group: StoredObject[] = [];
  for await (const object of objects) {
    const cost = costOf(object);
    const isFirst = left.objects === PREVIEW_OBJECTS_MAX;
    if (!isFirst && (left.objects === 0 || cost > left.bytes)) {
      if (group.length > 0) yield group;
      yield null;
      return;
    }
    left.objects -= 1;
    left.bytes -= cost;
    group.push(object);
    if (group.length < CONNECTIONS_MAX) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

const isBig = ({ key }: StoredObject): boolean => key.startsWith("big/");

/** Only its start is read. */
const isShownWithoutData = (object: StoredObject): boolean =>
  isBig(object) && object.bytes > ARCHIVED_VIEW_BYTES_MAX;

const costOf = (object: StoredObject): number => (isShownWithoutData(object) ? 0 : object.bytes);

/** Taken apart when its turn comes: a value takes many times the memory of its text. */
interface ReadEvent {
  readonly record: EventRecord;
  event(): Json;
}

/** The newest first. None of an object whose retention has ended since it was listed. */
async function eventsOf(object: StoredObject, ports: PreviewPorts): Promise<ReadEvent[]> {
  const { key, bytes } = object;
  const pointer = { segment: key, offset: 0, length: bytes };
  if (isShownWithoutData(object)) {
    const shown = await archivedEvent(pointer, ports);
    return shown === null ? [] : [{ record: shown.record, event: () => shown.event }];
  }
  const frames = isBig(object)
    ? [await ports.archive.frame(pointer)]
    : ((await ports.listing.frames(key))?.frames ?? []).map(({ frame }) => frame);
  return frames
    .flatMap((frame) => (frame === null ? [] : frame))
    .map((frame) => {
      return { record: frame.record, event: () => archivedFrame(frame, ports.text).event };
    })
    .toReversed();
}
