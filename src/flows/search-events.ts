/**
 * A pattern over the past, page by page: the ledger tells which events there are, newest first, the archive what
 * was in them. Each call does a bounded part, and says how far it came.
 */
import {
  SEARCH_BYTES_MAX,
  SEARCH_CHUNK_BYTES_MAX,
  SEARCH_EVENTS_MAX,
  SEARCH_PAGE,
  SEARCH_READS_MAX,
} from "../core/archive-limits.ts";
import { matchesPattern, type Pattern } from "../core/pattern/index.ts";
import type { EventSelection, History, PlacedEvent, Position } from "../ports/history.ts";
import { type ReadPorts, readEvents } from "./read-events.ts";

export interface SearchRequest {
  readonly tenant: string;
  readonly selection: EventSelection;
  readonly pattern: Pattern;
  /** Where the call before ended; null for the newest. */
  readonly after: Position | null;
  /** Events, at most. */
  readonly limit: number;
}

export interface SearchPorts extends ReadPorts {
  readonly history: Pick<History, "placedEvents">;
}

export interface Searched {
  readonly items: readonly PlacedEvent[];
  /** Events that were looked at, and how many of them could not be read. */
  readonly examined: number;
  readonly notArchived: number;
  /** The last that was looked at; null when there was none. */
  readonly last: Position | null;
  /** Whether nothing older is left to look at. */
  readonly complete: boolean;
}

/** Throws when a store does not answer: no event is passed over because of that. */
export async function searchEvents(
  { tenant, selection, pattern, after, limit }: SearchRequest,
  ports: SearchPorts,
): Promise<Searched> {
  const items: PlacedEvent[] = [];
  const seen = { examined: 0, notArchived: 0 };
  const left = { reads: SEARCH_READS_MAX, bytes: SEARCH_BYTES_MAX };
  let last: Position | null = null;
  for (;;) {
    const page = await ports.history.placedEvents(tenant, selection, last ?? after, SEARCH_PAGE);
    let ahead = page.items.length;
    for (const chunk of chunksOf(page.items)) {
      const read = await readEvents(tenant, chunk, ports);
      left.reads -= read.reads;
      left.bytes -= read.bytes;
      for (const [at, placed] of chunk.entries()) {
        const archived = read.events[at] ?? null;
        seen.examined += 1;
        ahead -= 1;
        last = { receivedAtMs: placed.receivedAtMs, event: placed.id, subscription: "" };
        if (archived === null) seen.notArchived += 1;
        else if (matchesPattern(pattern, archived.event)) items.push(placed);
        if (items.length === limit) break;
      }
      const isSpent = left.reads <= 0 || left.bytes <= 0 || seen.examined >= SEARCH_EVENTS_MAX;
      const complete = ahead === 0 && page.next === null;
      if (complete || isSpent || items.length === limit) return { items, ...seen, last, complete };
    }
    if (page.next === null) return { items, ...seen, last, complete: true };
  }
}

/** What is read at once, so that an isolate's memory holds it; one event at least. */
function chunksOf(events: readonly PlacedEvent[]): PlacedEvent[][] {
  const chunks: PlacedEvent[][] = [];
  let room = 0;
  for (const event of events) {
    const { length } = event.pointer;
    if (chunks.length === 0 || length > room) {
      chunks.push([]);
      room = SEARCH_CHUNK_BYTES_MAX;
    }
    chunks.at(-1)?.push(event);
    room -= length;
  }
  return chunks;
}
