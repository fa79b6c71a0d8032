/** A pattern tried on what came before: what it would have matched, and what another one would not have. */

import { PREVIEW_SPAN_MS_MIN } from "./archive-limits.ts";
import type { Json } from "./json.ts";
import { matchesPattern, type Pattern } from "./pattern/index.ts";

export interface PatternPreview {
  examined: number;
  /** Ids of events, in the order in which they were seen. */
  readonly matched: string[];
  /** Received at: of the oldest and of the newest that was seen. */
  fromMs: number | null;
  toMs: number | null;
  /** What the present pattern matched: how many, and how the two differ. */
  readonly present: { matched: number; readonly added: string[]; readonly removed: string[] };
}

export const emptyPreview = (): PatternPreview => ({
  ...{ examined: 0, matched: [], fromMs: null, toMs: null },
  present: { matched: 0, added: [], removed: [] },
});

/** Takes one more event in. */
export function previewEvent(
  preview: PatternPreview,
  patterns: { readonly next: Pattern; readonly present: Pattern | null },
  { id, receivedAtMs, event }: { id: string; receivedAtMs: number; event: Json },
): void {
  const { next, present } = patterns;
  const matches = matchesPattern(next, event);
  const matched = present !== null && matchesPattern(present, event);
  preview.examined += 1;
  preview.fromMs = Math.min(preview.fromMs ?? receivedAtMs, receivedAtMs);
  preview.toMs = Math.max(preview.toMs ?? receivedAtMs, receivedAtMs);
  if (matches) preview.matched.push(id);
  if (matched) preview.present.matched += 1;
  if (matches && !matched) preview.present.added.push(id);
  if (matched && !matches) preview.present.removed.push(id);
}

/**
 * About how many a day. Everything since the oldest was seen, so the span runs up to now: a silence since the
 * newest counts as well. Null for a span below an hour, which would be multiplied by more than 24: what it
 * says of a day is chance. The time of day and of the week is not made up for.
 */
export function matchesPerDay(
  { matched, fromMs }: Pick<PatternPreview, "matched" | "fromMs">,
  nowMs: number,
): number | null {
  if (fromMs === null || nowMs - fromMs < PREVIEW_SPAN_MS_MIN) return null;
  return Number(((matched.length * DAY_MS) / (nowMs - fromMs)).toPrecision(3));
}

const DAY_MS = 86_400_000;
