/** Segments from the newest back: an hour at a time, because keys are listed in one direction only. */
import { HOUR_MS, type TimeRange } from "../core/archive-keys.ts";
import { LIST_LIMIT_MAX } from "../core/limits.ts";
import type { ArchiveListing, StoredObject } from "../ports/archive.ts";

/** Ends when its reader has enough; nothing older is listed then. */
export async function* newestSegments(
  listing: ArchiveListing,
  tenant: string,
  range: TimeRange,
): AsyncGenerator<StoredObject> {
  const hours = await listing.hours("segments", tenant, range);
  for (const fromMs of hours.toReversed()) {
    const hour = { fromMs, untilMs: fromMs + HOUR_MS };
    const segments: StoredObject[] = [];
    let after: string | null = null;
    do {
      const page = await listing.list("segments", tenant, hour, after, LIST_LIMIT_MAX);
      segments.push(...page.items);
      after = page.next;
    } while (after !== null);
    yield* segments.toReversed();
  }
}
