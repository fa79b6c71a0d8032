/** The tenant's single writer: rate limits, and the revision of its rules in the same answer. */
import type { Rate } from "../core/admit/gcra.ts";
import type { Counted, ScopeUsage } from "../core/admit/usage.ts";
import type { ShadowMatches } from "../core/shadow.ts";

export interface LeaseAsk {
  /** "tenant", or "source:" and its slug. */
  readonly scope: string;
  readonly rate: Rate;
  readonly needed: number;
  readonly wanted: number;
  /** What became of events since the last ask of the scope. */
  readonly told?: Counted;
}

export interface LeaseRequest {
  readonly asks: readonly LeaseAsk[];
  /** The revision the caller works with, so that a limiter that knows none learns it. */
  readonly revision: number;
  /** Secrets that verified something since the last call: by their fingerprints. */
  readonly secretsUsed: readonly string[];
  /** What shadow rules matched since it was last told. */
  readonly shadowMatches?: readonly ShadowMatches[];
}

export interface LeaseAnswer {
  readonly revision: number;
  readonly ttlMs: number;
  /** In the order asked, up to the first that is denied: from those behind it nothing is taken. */
  readonly grants: readonly { scope: string; granted: number; retryAfterMs: number }[];
}

export interface Limiter {
  /** Rejects when the tenant's object cannot be reached. */
  lease(tenant: string, request: LeaseRequest): Promise<LeaseAnswer>;
  /** What became of the events of each scope lately, as far as isolates have told; in the order asked. */
  usage(
    tenant: string,
    scopes: readonly { readonly scope: string; readonly rate: Rate }[],
  ): Promise<readonly ScopeUsage[]>;
  /** Tells the tenant's object that its configuration changed. */
  announce(tenant: string, revision: number): Promise<void>;
  /** When each secret was last used, milliseconds, by its fingerprint. */
  secretsLastUsed(tenant: string): Promise<Readonly<Record<string, number>>>;
  /** Gives what was told of a secret a new name: by old name. May be repeated. */
  renameSecrets(tenant: string, names: Readonly<Record<string, string>>): Promise<void>;
  /** What was told of each shadow rule, of the newest version of it that was told of. */
  shadowMatches(tenant: string): Promise<readonly ShadowMatches[]>;
  /**
   * Forgets a deleted tenant's limits, uses of secrets and matches of shadow rules. Its last revision stays:
   * by it an isolate that still knows the tenant learns that it is gone.
   */
  forget(tenant: string): Promise<void>;
}
