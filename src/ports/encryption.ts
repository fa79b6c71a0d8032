/** Which keys the sealed secrets of all tenants need, and the job that seals them anew with the newest. */
import type { Job } from "./jobs.ts";

export interface SealedUnder {
  readonly keyId: string;
  readonly secrets: number;
}

export interface Encryption {
  /** The newest key of this router. */
  readonly keyId: string;
  readonly oldKeyIds: readonly string[];
  /** How many resources have secrets under which key, those of keys that the router does not hold included. */
  census(): Promise<readonly SealedUnder[]>;
  /** Begins to seal everything anew, as job `id`; one that is under way is answered instead. */
  begin(id: string): Promise<Job>;
}

/** Where a job that seals anew has come to. */
export interface Reseal {
  readonly job: string;
  /** The last resource that was looked at; null before the first. */
  readonly after: readonly [tenant: string, kind: string, id: string] | null;
}

export interface Reseals {
  /** The oldest that is not done. */
  running(): Promise<Reseal | null>;
  /** Loaded on first use: few passes have anything to seal. */
  resealer(): Promise<Resealer>;
}

export interface ResealPage {
  /** How many resources have been looked at, and how many of them were sealed anew. */
  readonly looked: number;
  readonly resealed: number;
  /** Where the next page begins; null when this was the last. */
  readonly after: Reseal["after"];
  /** What the uses of secrets were counted under, and are from now on; by tenant. */
  readonly renamed: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Those whose key the router does not hold, with that key; they stay as they are. */
  readonly locked: readonly { readonly resource: string; readonly keyId: string }[];
}

export interface Resealer {
  /**
   * Looks at the next `count` resources with secrets, and seals those anew that need it. One that is changed
   * meanwhile is sealed by that change. May be called again for the same page.
   */
  page(after: Reseal["after"], count: number): Promise<ResealPage>;
  /** Writes down where the job has come to, and how many it has looked at more. */
  note(job: string, page: Pick<ResealPage, "after" | "looked">): Promise<void>;
}
