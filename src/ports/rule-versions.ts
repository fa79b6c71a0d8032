/** What a rule was, change by change. The newest version is what stands now. */

export interface RuleVersion {
  /** The tenant's revision at that change. */
  readonly version: number;
  /** The document's JSON text; null where the rule was deleted. */
  readonly doc: string | null;
  readonly changedAtMs: number;
  /** Whether nothing came after it. */
  readonly isCurrent: boolean;
}

/** A life of the tenant that ended has no versions here. A rule that was deleted has. */
export interface RuleVersions {
  /** Newest first, from below `before` (null: from the newest). */
  list(
    tenant: string,
    rule: string,
    before: number | null,
    count: number,
  ): Promise<{ readonly items: readonly RuleVersion[]; readonly before: number | null }>;
  /**
   * What stood at a revision of the tenant, such as the one by which an event was matched: the newest version
   * up to it. Null where no rule did yet, or none that is kept, and for a revision that is still to come.
   */
  at(tenant: string, rule: string, revision: number): Promise<RuleVersion | null>;
  /** The newest. */
  current(tenant: string, rule: string): Promise<RuleVersion | null>;
}
