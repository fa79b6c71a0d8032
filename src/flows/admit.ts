/**
 * Admission: tokens of the tenant and of the source, spent from leases that this isolate holds.
 *
 * One call to the tenant's limiter serves all events that wait at that moment and brings the rules'
 * revision along. When the limiter cannot be reached, events are admitted for one lease's life: a
 * webhook turned away is lost at many senders, an excess of one second is not.
 */
import {
  covers,
  type Lease,
  leaseTokensMax,
  NO_LEASE,
  spend,
  tokensToAsk,
} from "../core/admit/lease.ts";
import { Retryable } from "../core/errors.ts";
import {
  DIRECTORY_TENANTS_MAX,
  LEASE_TTL_MS,
  LIMITER_TIMEOUT_MS,
  SECRET_USE_TOLD_MS,
} from "../core/limits.ts";
import type { Limit, Source, Tenant } from "../core/tenant.ts";
import { type Clock, within } from "../ports/clock.ts";
import type { LeaseAnswer, LeaseAsk, Limiter } from "../ports/limiter.ts";
import { errorText, type Log } from "../ports/log.ts";

export type Admitted =
  | { readonly kind: "admitted"; readonly revision: number }
  | { readonly kind: "demoted"; readonly revision: number; readonly scope: Scope }
  | {
      readonly kind: "refused";
      readonly revision: number;
      readonly scope: Scope;
      readonly retryAfterMs: number;
    };

export type Scope = "tenant" | "source";

export interface Admission {
  /** Admits `count` events of `source`, all or none. */
  admit(tenant: Tenant, source: Source, count: number): Promise<Admitted>;
  /** The newest revision of the tenant's configuration, at most one lease's life old. */
  revisionOf(tenant: Tenant): Promise<number>;
  /** Notes that a secret verified something; the limiter is told at once, then once a minute. */
  secretUsed(tenant: Tenant, source: Source, index: number): void;
}

interface ScopedLease extends Lease {
  used: number;
  /** What was denied: so many or more. A batch beyond the limit says nothing about a lone event. */
  deniedCount: number;
}

interface TenantState {
  readonly leases: Map<string, ScopedLease>;
  readonly waiting: Map<string, number>;
  /** Uses the limiter has not been told of, and when it last was, by the secret's fingerprint. */
  readonly secretsUsed: Set<string>;
  readonly secretsToldAtMs: Map<string, number>;
  revision: number;
  freshUntilMs: number;
  /** The limiter could not be reached: everything is admitted until then. */
  openUntilMs: number;
  asking: Promise<void> | null;
}

interface Claimed {
  readonly key: string;
  readonly scope: Scope;
  readonly limit: Limit;
}

export function createAdmission(limiter: Limiter, clock: Clock, log: Log): Admission {
  const states = new Map<string, TenantState>();

  function stateOf(tenant: Tenant): TenantState {
    let state = states.get(tenant.id);
    if (state === undefined) {
      state = {
        leases: new Map(),
        waiting: new Map(),
        secretsUsed: new Set(),
        secretsToldAtMs: new Map(),
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
  }

  /** Asks the limiter for what every waiting event needs; calls at one moment share the answer. */
  async function ask(
    tenant: Tenant,
    state: TenantState,
    limits: readonly Claimed[],
    needed: number,
  ): Promise<void> {
    // What still holds enough is left alone: a new lease would drop what is in it.
    const short = limits.filter(({ key }) => !covers(leaseOf(state, key), clock.nowMs(), needed));
    const asks = short.map(({ key, limit }): LeaseAsk => {
      const { used } = leaseOf(state, key);
      const waiting = state.waiting.get(key) ?? needed;
      const wanted = tokensToAsk({ needed, waiting, used }, leaseTokensMax(limit, LEASE_TTL_MS));
      return { scope: key, rate: limit, needed, wanted };
    });
    const secretsUsed = [...state.secretsUsed];
    try {
      const answer = await within(
        limiter.lease(tenant.id, { asks, revision: tenant.revision, secretsUsed }),
        LIMITER_TIMEOUT_MS,
        clock,
        () => new Retryable("limiter did not answer in time"),
      );
      take(state, answer, clock.nowMs(), needed);
      for (const secret of secretsUsed) {
        state.secretsUsed.delete(secret);
        state.secretsToldAtMs.set(secret, clock.nowMs());
      }
    } catch (error) {
      log.warn("limiter-unreachable", {
        tenant: tenant.id,
        policy: "open",
        error: errorText(error),
      });
      state.openUntilMs = clock.nowMs() + LEASE_TTL_MS;
    }
  }

  async function askOnce(
    tenant: Tenant,
    state: TenantState,
    limits: Claimed[],
    needed: number,
  ): Promise<void> {
    if (state.asking === null) {
      const asking = ask(tenant, state, limits, needed).finally(() => {
        if (state.asking === asking) state.asking = null;
      });
      state.asking = asking;
      return asking;
    }
    const { asking } = state;
    // The request that asks may end before its answer comes; then this one asks for itself.
    await within(
      asking,
      LIMITER_TIMEOUT_MS,
      clock,
      () => new Retryable("shared lease is late"),
    ).catch(() => {
      if (state.asking === asking) state.asking = null;
    });
  }

  async function admit(tenant: Tenant, source: Source, count: number): Promise<Admitted> {
    const state = stateOf(tenant);
    const limits = limitsOf(tenant, source);
    for (const { key } of limits) state.waiting.set(key, (state.waiting.get(key) ?? 0) + count);
    try {
      for (;;) {
        const now = clock.nowMs();
        if (now < state.openUntilMs) return { kind: "admitted", revision: tenant.revision };
        const mayWait = now < state.freshUntilMs && state.secretsUsed.size === 0;
        const blocked = mayWait ? trySpend(state, limits, now, count) : "ask";
        if (blocked === null) return { kind: "admitted", revision: state.revision };
        if (blocked !== "ask")
          return overflow(blocked.claimed, blocked.retryAfterMs, state.revision);
        await askOnce(tenant, state, limits, count);
      }
    } finally {
      for (const { key } of limits) state.waiting.set(key, (state.waiting.get(key) ?? 0) - count);
    }
  }

  return {
    admit,
    async revisionOf(tenant) {
      const state = stateOf(tenant);
      const known = Math.max(state.freshUntilMs, state.openUntilMs);
      if (clock.nowMs() >= known) await askOnce(tenant, state, [], 0);
      return state.revision;
    },
    secretUsed(tenant, source, index) {
      const id = source.secretIds[index];
      const state = stateOf(tenant);
      if (id === undefined) return;
      const toldAtMs = state.secretsToldAtMs.get(id) ?? Number.NEGATIVE_INFINITY;
      if (clock.nowMs() - toldAtMs >= SECRET_USE_TOLD_MS) state.secretsUsed.add(id);
    },
  };
}

function limitsOf(tenant: Tenant, source: Source): Claimed[] {
  const limits: Claimed[] = [];
  if (source.limit !== null) {
    limits.push({ key: `source:${source.id}`, scope: "source", limit: source.limit });
  }
  if (tenant.limit !== null) limits.push({ key: "tenant", scope: "tenant", limit: tenant.limit });
  return limits;
}

function leaseOf(state: TenantState, key: string): ScopedLease {
  let lease = state.leases.get(key);
  if (lease === undefined) {
    lease = { ...NO_LEASE, used: 0, deniedCount: 0 };
    state.leases.set(key, lease);
  }
  return lease;
}

/** Null when every limit gave its tokens; nothing is spent of one when another has none. */
function trySpend(
  state: TenantState,
  limits: readonly Claimed[],
  now: number,
  count: number,
): null | "ask" | { claimed: Claimed; retryAfterMs: number } {
  const spent: ScopedLease[] = [];
  for (const claimed of limits) {
    const lease = leaseOf(state, claimed.key);
    const result = spend(lease, now, count);
    if (result.kind === "spent") {
      spent.push(lease);
      lease.used += count;
      continue;
    }
    for (const other of spent) {
      other.tokens += count;
      other.used -= count;
    }
    if (result.kind === "ask" || count < lease.deniedCount) return "ask";
    lease.used += count; // what is refused is demand as well: it sizes the next ask
    return { claimed, retryAfterMs: result.retryAfterMs };
  }
  return null;
}

function overflow({ scope, limit }: Claimed, retryAfterMs: number, revision: number): Admitted {
  return limit.overflow === "demote"
    ? { kind: "demoted", scope, revision }
    : { kind: "refused", scope, retryAfterMs, revision };
}

function take(state: TenantState, answer: LeaseAnswer, now: number, needed: number): void {
  // What was granted or denied before was so by limits that may hold no more.
  if (answer.revision !== state.revision) state.leases.clear();
  state.revision = answer.revision;
  state.freshUntilMs = now + answer.ttlMs;
  for (const grant of answer.grants) {
    const lease = leaseOf(state, grant.scope);
    lease.tokens = grant.granted; // what was left is dropped: no token outlives its own lease
    lease.used = 0;
    lease.expiresAtMs = now + answer.ttlMs;
    lease.deniedUntilMs = grant.granted === 0 ? now + grant.retryAfterMs : 0;
    lease.deniedCount = needed;
  }
}
