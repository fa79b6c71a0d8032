/** The next part of the past that a replay looks at: archived events in the order of time, within bounds. */
import type { ArchiveKind } from "../core/archive-keys.ts";
import { REPLAY_BYTES_MAX, REPLAY_EVENTS_MAX, REPLAY_OBJECTS_MAX } from "../core/archive-limits.ts";
import type { EventRecord, Frame, Pointer } from "../core/enqueue/record.ts";
import { subscriptionHash } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { ARCHIVED_VIEW_BYTES_MAX, CONNECTIONS_MAX } from "../core/limits.ts";
import { matchesPattern, type Pattern, parsePattern } from "../core/pattern/index.ts";
import {
  type Checkpoint,
  framesDone,
  inOrder,
  isSelected,
  mayBeQueued,
  passed,
  type ReplayQuery,
  sliceMax,
  subscriptionsNow,
} from "../core/replay.ts";
import type { Tenant } from "../core/tenant.ts";
import type { ArchiveListing, StoredObject } from "../ports/archive.ts";
import type { ReplayedDelivery, ReplayId, Slice } from "../ports/replays.ts";
import { archivedEvent, archivedFrame } from "./event-view.ts";
import type { DeliverPorts } from "./ports.ts";

export interface ReadSlicePorts
  extends Pick<DeliverPorts, "archive" | "clock" | "crypto" | "text"> {
  readonly listing: ArchiveListing;
}

/** Of the archive; its frame unless that is too big to be at hand. Taken apart when its turn comes. */
export interface ReadEvent {
  readonly record: EventRecord;
  readonly pointer: Pointer;
  readonly frame: Frame | null;
  event(): Json;
}

export interface ReadSlice {
  readonly slice: Slice;
  /** Events with deliveries, by receipt. */
  readonly events: ReadonlyMap<string, ReadEvent>;
}

/** Throws when the archive does not answer; an object that has gone since it was listed holds nothing. */
export async function readSlice(
  replay: ReplayId,
  tenant: Pick<Tenant, "rules" | "ruleSet">,
  query: ReplayQuery,
  from: Checkpoint,
  ports: ReadSlicePorts,
): Promise<ReadSlice> {
  const list = (kind: ArchiveKind) =>
    ports.listing.list(kind, replay.tenant, query, from[kind], REPLAY_OBJECTS_MAX);
  const [segments, big] = await Promise.all([list("segments"), list("big")]);
  const listed = inOrder(segments.items, big.items);
  const objects = listed.slice(0, REPLAY_OBJECTS_MAX);
  const isAll = objects.length === listed.length && segments.next === null && big.next === null;

  const nowMs = ports.clock.nowMs();
  const pattern = patternOf(query);
  const deliveriesMax = sliceMax(query.perSecond);
  const deliveries: ReplayedDelivery[] = [];
  const events = new Map<string, ReadEvent>();
  const seen = { examined: 0, unreadableBytes: 0, reachedAtMs: null as number | null };
  let checkpoint = from;
  let bytes = 0;
  const cut = (isLast: boolean): ReadSlice => {
    return { slice: { deliveries, checkpoint, ...seen, isLast }, events };
  };

  function look(read: ReadEvent): void {
    const { record, pointer } = read;
    seen.examined += 1;
    if (!isSelected(query, record) || record.tenant !== replay.tenant) return;
    const event = read.event();
    seen.reachedAtMs = record.receivedAtMs;
    if (pattern !== null && !matchesPattern(pattern, event)) return;
    for (const { rule, target } of subscriptionsNow(tenant, query, record, event)) {
      const subscription = { rule, target, replay: replay.id };
      events.set(record.receipt, read);
      const { tenant, receivedAtMs, id, receipt, source, type, revision } = record;
      deliveries.push({
        ...{
          tenant,
          receivedAtMs,
          event: id,
          receipt,
          source,
          type,
          revision,
          pointer,
          mayBeQueued: mayBeQueued(pointer.segment, receivedAtMs, nowMs),
          rule,
          target,
        },
        subscription: subscriptionHash(subscription, ports.crypto, ports.text),
      });
    }
  }

  for (let next = 0; next < objects.length; ) {
    const some = objects.slice(next, next + CONNECTIONS_MAX);
    const group = affordable(some, REPLAY_BYTES_MAX - bytes, next === 0);
    if (group.length === 0) return cut(false);
    const contents = await Promise.all(group.map((object) => contentOf(object, ports)));
    for (const [position, object] of group.entries()) {
      const { read, unreadableBytes } = contents[position] ?? NOTHING;
      for (const [at, each] of read.entries()) {
        if (at < framesDone(checkpoint, object.key)) continue;
        if (deliveries.length >= deliveriesMax || seen.examined >= REPLAY_EVENTS_MAX) {
          return cut(false);
        }
        look(each);
        checkpoint = passed(checkpoint, object, at + 1, read.length);
      }
      checkpoint = passed(checkpoint, object, read.length, read.length);
      seen.unreadableBytes += unreadableBytes;
      bytes += costOf(object);
    }
    next += group.length;
  }
  return cut(isAll);
}

/** The first are read whatever they cost, when there are none before them. */
function affordable<Item extends StoredObject>(
  objects: readonly Item[],
  bytesMax: number,
  isFirst: boolean,
): Item[] {
  let left = bytesMax;
  const group: Item[] = [];
  for (const object of objects) {
    left -= costOf(object);
    if (left < 0 && !(isFirst && group.length === 0)) break;
    group.push(object);
  }
  return group;
}

const isBig = ({ key }: StoredObject): boolean => key.startsWith("big/");

/** Only its start is read. */
const isShownWithoutData = (object: StoredObject): boolean =>
  isBig(object) && object.bytes > ARCHIVED_VIEW_BYTES_MAX;

const costOf = (object: StoredObject): number => (isShownWithoutData(object) ? 0 : object.bytes);

interface Content {
  readonly read: readonly ReadEvent[];
  readonly unreadableBytes: number;
}
const NOTHING: Content = { read: [], unreadableBytes: 0 };

async function contentOf(object: StoredObject, ports: ReadSlicePorts): Promise<Content> {
  const { key, bytes } = object;
  const pointer = { segment: key, offset: 0, length: bytes };
  const ofFrame = (frame: Frame, at: Pointer): ReadEvent => {
    const event = () => archivedFrame(frame, ports.text).event;
    return { record: frame.record, pointer: at, frame, event };
  };
  if (!isBig(object)) {
    const content = await ports.listing.frames(key);
    if (content === null) return NOTHING;
    const read = content.frames.map(({ frame, pointer: at }) => ofFrame(frame, at));
    return { read, unreadableBytes: content.unreadableBytes };
  }
  if (isShownWithoutData(object)) {
    const shown = await archivedEvent(pointer, ports);
    if (shown === null) return { read: [], unreadableBytes: bytes };
    const { record, event } = shown;
    return { read: [{ record, pointer, frame: null, event: () => event }], unreadableBytes: 0 };
  }
  const frame = await ports.archive.frame(pointer);
  return frame === null
    ? { read: [], unreadableBytes: bytes }
    : { read: [ofFrame(frame, pointer)], unreadableBytes: 0 };
}

/** One that could be parsed when it was asked for can be parsed still. */
function patternOf({ pattern }: ReplayQuery): Pattern | null {
  const parsed = pattern === null ? null : parsePattern(pattern);
  if (parsed === null) return null;
  if (!parsed.ok) throw new Error("the pattern of a replay cannot be parsed");
  return parsed.pattern;
}
