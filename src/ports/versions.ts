/** What a rule or a saga was, change by change. The newest version is what stands now. */

export interface KeptVersion {
  /** The tenant's revision at that change. */
  readonly version: number;
  /** The document's JSON text; null where it was deleted. */
  readonly doc: string | null;
  readonly changedAtMs: number;
  /** Whether nothing came after it. */
  readonly isCurrent: boolean;
}

/** Of one kind of resource. A life of the tenant that ended has no versions here; what was deleted has. */
export interface Versions {
  /** Newest first, from below `before` (null: from the newest). */
  list(
    tenant: string,
    id: string,
    before: number | null,
    count: number,
  ): Promise<{ readonly items: readonly KeptVersion[]; readonly before: number | null }>;
  /**
   * What stood at a revision of the tenant, such as the one by which an event was matched: the newest version
   * up to it. Null where nothing did yet, or none that is kept, and for a revision that is still to come.
   */
  at(tenant: string, id: string, revision: number): Promise<KeptVersion | null>;
  /** The newest. */
  current(tenant: string, id: string): Promise<KeptVersion | null>;
}
