/**
 * What a deleted tenant leaves behind, until it is removed. A tenant of the same name may exist again
 * meanwhile: what belongs to its present life is never touched.
 */

/** A deletion that is not done yet. */
export interface Deletion {
  readonly job: string;
  readonly tenant: string;
  /** Newer than any that the tenant had: an isolate that hears of it looks, and finds no tenant. */
  readonly revision: number;
  /** Time since it was asked for, by the store's own clock. */
  readonly ageMs: number;
  /** What was claimed or stored before is of a life that ended; by the store's own clock. */
  readonly beforeMs: number;
  readonly existsAgain: boolean;
}

export interface Deletions {
  /** At most `count`, the oldest first. */
  running(count: number): Promise<Deletion[]>;
  /** Loaded on first use: few passes have anything to remove. */
  remover(): Promise<Remover>;
}

/** How many were removed, and whether more are left. */
export interface Removed {
  readonly removed: number;
  readonly more: boolean;
}

/** Every method may be called again, at any time: what is gone is not there to be removed. */
export interface Remover {
  /**
   * Deliveries, at most `count`, with their events and the copies of these; and as many versions of rules.
   */
  rows(deletion: Deletion, count: number): Promise<Removed>;
  /** Objects of the archive, at most `count`. */
  objects(deletion: Deletion, count: number): Promise<Removed>;
  /** Writes down how many more were removed, and whether that was all. */
  note(job: string, removed: number, isDone: boolean): Promise<void>;
}
