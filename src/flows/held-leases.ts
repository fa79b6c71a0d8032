/**
 * What an isolate holds of a tenant: leases by limit, the newest revision it was told, and what it has
 * yet to tell the limiter. Spending from it costs no call; `admit.ts` says when one is due.
 */
import { type Lease, NO_LEASE, spend } from "../core/admit/lease.ts";
import type { Counted } from "../core/admit/usage.ts";
import { DIRECTORY_TENANTS_MAX, SHADOW_TOLD_MS } from "../core/limits.ts";
import { addMatches, type ShadowMatches } from "../core/shadow.ts";
import type { Limit, Source, Tenant } from "../core/tenant.ts";
import type { LeaseAnswer } from "../ports/limiter.ts";

export type Scope = "tenant" | "source";

interface ScopedLease extends Lease {
  used: number;
  /** Events that were let in, and those that were above the limit, of which the limiter was not told. */
  untold: { within: number; above: number };
  /** What was denied: so many or more. A batch beyond the limit says nothing about a lone event. */
  deniedCount: number;
}

export interface HeldTenant {
  readonly leases: Map<string, ScopedLease>;
  readonly waiting: Map<string, number>;
  /** Uses the limiter has not been told of, and when it last was, by the secret's fingerprint. */
  readonly secretsUsed: Set<string>;
  readonly secretsToldAtMs: Map<string, number>;
  /** What shadow rules matched and the limiter was not told of, and when it last was; null for nothing. */
  shadowMatches: Map<string, ShadowMatches> | null;
  shadowsToldAtMs: number;
  /** Until then somebody waits to tell it. */
  shadowsWaitUntilMs: number;
  revision: number;
  freshUntilMs: number;
  /** The limiter could not be reached: everything is admitted until then. */
  openUntilMs: number;
  asking: Promise<void> | null;
}

/** A limit that an event must pass, and the lease it is spent from. */
export interface AppliedLimit {
  readonly key: string;
  readonly scope: Scope;
  readonly limit: Limit;
}

/** The tenants of one isolate, each made on first use; the oldest go when there are too many. */
export function createHeldTenants(): (tenant: Tenant) => HeldTenant {
  const states = new Map<string, HeldTenant>();
  return (tenant) => {
    let state = states.get(tenant.id);
    if (state === undefined) {
      state = {
        leases: new Map(),
        waiting: new Map(),
        secretsUsed: new Set(),
        secretsToldAtMs: new Map(),
        shadowMatches: null,
        shadowsToldAtMs: Number.NEGATIVE_INFINITY,
        shadowsWaitUntilMs: 0,
        revision: tenant.revision,
        freshUntilMs: 0,
        openUntilMs: 0,
        asking: null,
      };
      states.set(tenant.id, state);
      const oldest = states.keys().next().value;
      if (states.size > DIRECTORY_TENANTS_MAX && oldest !== undefined) states.delete(oldest);
    }
    return state;
  };
}

/** Notes what of `rules`, which matched one event, are shadow rules. */
export function noteShadows(
  state: HeldTenant,
  shadows: ReadonlyMap<string, number>,
  rules: readonly string[],
  atMs: number,
): void {
  for (const rule of rules) {
    const version = shadows.get(rule);
    if (version === undefined) continue;
    state.shadowMatches ??= new Map();
    addMatches(state.shadowMatches, { rule, version, matched: 1, lastMatchedAtMs: atMs });
  }
}

/** Takes what is to be told now, so that no two calls tell the same. */
export function takeShadows(state: HeldTenant, now: number): readonly ShadowMatches[] | null {
  const { shadowMatches } = state;
  if (shadowMatches === null || now < state.shadowsToldAtMs + SHADOW_TOLD_MS) return null;
  state.shadowMatches = null;
  state.shadowsToldAtMs = now;
  return [...shadowMatches.values()];
}

/** Takes back what could not be told. Should it have been heard all the same, it is counted twice. */
export function keepShadows(state: HeldTenant, untold: readonly ShadowMatches[]): void {
  state.shadowMatches ??= new Map();
  for (const matches of untold) addMatches(state.shadowMatches, matches);
}

/** The limits that an event of this source must pass, in the order in which they are spent. */
export function limitsOf(tenant: Tenant, source: Pick<Source, "id" | "limit">): AppliedLimit[] {
  const limits: AppliedLimit[] = [];
  if (source.limit !== null) {
    limits.push({ key: `source:${source.id}`, scope: "source", limit: source.limit });
  }
  if (tenant.limit !== null) limits.push({ key: "tenant", scope: "tenant", limit: tenant.limit });
  return limits;
}

export function leaseOf(state: HeldTenant, key: string): ScopedLease {
  let lease = state.leases.get(key);
  if (lease === undefined) {
    lease = { ...NO_LEASE, used: 0, untold: { within: 0, above: 0 }, deniedCount: 0 };
    state.leases.set(key, lease);
  }
  return lease;
}

/**
 * Null when every limit gave its tokens. Above one that demotes an event is let in all the same, so that the others
 * count it, and one of them may refuse it; nothing is spent of any when one refuses.
 */
export function trySpend(
  state: HeldTenant,
  limits: readonly AppliedLimit[],
  now: number,
  count: number,
): null | "ask" | { applied: AppliedLimit; retryAfterMs: number } {
  const spent: ScopedLease[] = [];
  let demoted: { applied: AppliedLimit; retryAfterMs: number } | null = null;
  for (const applied of limits) {
    const lease = leaseOf(state, applied.key);
    const result = spend(lease, now, count);
    if (result.kind === "spent") {
      spent.push(lease);
      lease.used += count;
      lease.untold.within += count;
      continue;
    }
    const isDenied = result.kind === "denied" && count >= lease.deniedCount;
    if (isDenied && applied.limit.overflow === "demote") {
      demoted ??= { applied, retryAfterMs: result.retryAfterMs };
      continue;
    }
    for (const other of spent) {
      other.tokens += count;
      other.used -= count;
      other.untold.within -= count;
    }
    if (!isDenied) return "ask";
    isAbove(lease, count);
    return { applied, retryAfterMs: result.retryAfterMs };
  }
  for (const { key } of demoted === null ? [] : limits) {
    const lease = leaseOf(state, key);
    if (!spent.includes(lease)) isAbove(lease, count);
  }
  return demoted;
}

/** What is refused is demand as well: it sizes the next ask. */
function isAbove(lease: ScopedLease, count: number): void {
  lease.untold.above += count;
  lease.used += count;
}

/** Asked for so many the limiter would deny them. */
export function isDenied(state: HeldTenant, key: string, now: number, count: number): boolean {
  const lease = leaseOf(state, key);
  return now < lease.deniedUntilMs && count >= lease.deniedCount;
}

/** What is told of a limit's events with an ask for more of it. */
export function toldOf({ untold: { within, above } }: ScopedLease, { overflow }: Limit): Counted {
  const isDemoted = overflow === "demote";
  return { admitted: within, refused: isDemoted ? 0 : above, demoted: isDemoted ? above : 0 };
}

/** It was told. */
export function forgetTold({ untold }: ScopedLease, { admitted, refused, demoted }: Counted): void {
  untold.within -= admitted;
  untold.above -= refused + demoted;
}

/** Takes in what the limiter answered to asks for `needed` tokens, by the limits of `revision`. */
export function take(
  state: HeldTenant,
  answer: LeaseAnswer,
  now: number,
  { needed, revision }: { readonly needed: number; readonly revision: number },
): void {
  // What was granted or denied before was so by limits that may hold no more.
  if (answer.revision !== state.revision) state.leases.clear();
  state.revision = answer.revision;
  state.freshUntilMs = now + answer.ttlMs;
  for (const grant of answer.grants) {
    const lease = leaseOf(state, grant.scope);
    lease.tokens = grant.granted; // what was left is dropped: no token outlives its own lease
    lease.used = 0;
    lease.expiresAtMs = now + answer.ttlMs;
    // What an older limit denies says nothing of the one that holds now.
    const isDenied = grant.granted === 0 && answer.revision <= revision;
    lease.deniedUntilMs = isDenied ? now + grant.retryAfterMs : 0;
    lease.deniedCount = needed;
  }
}
