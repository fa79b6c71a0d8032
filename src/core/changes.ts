/** What has changed of tenants, by their revisions. */

/** A tenant as the store has it. Revisions are times, so that none of a life is below its begin. */
export interface Standing {
  readonly revision: number;
  readonly createdAtMs: number;
}

/**
 * Of tenants whose revisions are known, those that have another one by now. Null for one that was deleted, and also
 * where it was made anew since: what is owed by the former life is not the new one's.
 */
export function changesSince(
  known: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, Standing>,
): ReadonlyMap<string, number | null> {
  const changed = new Map<string, number | null>();
  for (const [id, revision] of known) {
    const now = found.get(id);
    if (now === undefined || now.createdAtMs > revision) changed.set(id, null);
    else if (now.revision !== revision) changed.set(id, now.revision);
  }
  return changed;
}
