/** Shadow rules: they match and deliver nothing. What they match is counted, never written event by event. */

/** What one version of a shadow rule matched; whoever tells adds to what was told before. */
export interface ShadowMatches {
  readonly rule: string;
  /** The rule's, by its ETag: another version counts anew. */
  readonly version: number;
  readonly matched: number;
  readonly lastMatchedAtMs: number;
}

/** Adds to the counts by rule; false when they are of a newer version, which an older one says nothing of. */
export function addMatches(counts: Map<string, ShadowMatches>, more: ShadowMatches): boolean {
  const known = counts.get(more.rule);
  if (known !== undefined && known.version > more.version) return false;
  const before = known?.version === more.version ? known : null;
  counts.set(more.rule, {
    ...more,
    matched: more.matched + (before?.matched ?? 0),
    lastMatchedAtMs: Math.max(more.lastMatchedAtMs, before?.lastMatchedAtMs ?? 0),
  });
  return true;
}
