/** Segments from the newest back: an hour at a time, because keys are listed in one direction only. */
import { type ArchiveKind, HOUR_MS, type TimeRange, timeOrderOf } from "../core/archive-keys.ts";
import { LIST_LIMIT_MAX } from "../core/limits.ts";
import type { ArchiveListing, StoredObject } from "../ports/archive.ts";

/**
 * Ends when its reader has enough; nothing older is listed then. Of several kinds those of one hour are put
 * in order: a big frame by when it was received, a segment by when it was written, a moment later.
 */
export async function* newestSegments(
  listing: ArchiveListing,
  tenant: string,
  range: TimeRange,
  kinds: readonly ArchiveKind[] = ["segments"],
): AsyncGenerator<StoredObject> {
  const hours = await Promise.all(kinds.map((kind) => listing.hours(kind, tenant, range)));
  for (const fromMs of [...new Set(hours.flat())].sort((a, b) => b - a)) {
    const hour = { fromMs, untilMs: fromMs + HOUR_MS };
    const objects: StoredObject[] = [];
    for (const kind of kinds) {
      let after: string | null = null;
      do {
        const page = await listing.list(kind, tenant, hour, after, LIST_LIMIT_MAX);
        objects.push(...page.items);
        after = page.next;
      } while (after !== null);
    }
    yield* objects.sort((a, b) => (timeOrderOf(a.key) < timeOrderOf(b.key) ? 1 : -1));
  }
}
