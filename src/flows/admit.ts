/**
 * Admission: tokens of the tenant and of the source, spent from leases that this isolate holds.
 *
 * One call to the tenant's limiter serves all events that wait at that moment and brings the rules'
 * revision along. When the limiter cannot be reached, events are admitted for one lease's life: a
 * webhook turned away is lost at many senders, an excess of one second is not.
 */
import { covers, leaseTokensMax, tokensToAsk } from "../core/admit/lease.ts";
import { Retryable } from "../core/errors.ts";
import {
  LEASE_TTL_MS,
  LIMITER_TIMEOUT_MS,
  SECRET_USE_TOLD_MS,
  SHADOW_TOLD_MS,
} from "../core/limits.ts";
import type { Source, Tenant } from "../core/tenant.ts";
import { type Clock, within } from "../ports/clock.ts";
import type { LeaseAsk, Limiter } from "../ports/limiter.ts";
import { errorText, type Log } from "../ports/log.ts";
import {
  type AppliedLimit,
  createHeldTenants,
  forgetTold,
  type HeldTenant,
  isDenied,
  keepShadows,
  leaseOf,
  limitsOf,
  noteShadows,
  type Scope,
  take,
  takeShadows,
  toldOf,
  trySpend,
} from "./held-leases.ts";

export type Admitted =
  | { readonly kind: "admitted"; readonly revision: number }
  | { readonly kind: "demoted"; readonly revision: number; readonly scope: Scope }
  | {
      readonly kind: "refused";
      readonly revision: number;
      readonly scope: Scope;
      readonly retryAfterMs: number;
    };

/** What of a source bounds its events. */
export type Limited = Pick<Source, "id" | "limit">;

export interface Admission {
  /**
   * Admits `count` events of `source`, all or none. With a revision newer than the tenant's nothing is spent: they
   * are to be judged again by that.
   */
  admit(tenant: Tenant, source: Limited, count: number): Promise<Admitted>;
  /** The newest revision of the tenant's configuration, at most one lease's life old. */
  revisionOf(tenant: Tenant): Promise<number>;
  /** Notes that a secret verified something; the limiter is told at once, then once a minute. */
  secretUsed(tenant: Tenant, source: Source, index: number): void;
  /** Notes which shadow rules are among `rules`, that matched one event; the limiter is told with its next call. */
  shadowsMatched(tenant: Tenant, rules: readonly string[], atMs: number): void;
  /** Sees to it that the limiter is told what was noted although no call of another reason comes. */
  tellShadows(tenant: Tenant): Promise<void>;
}

export function createAdmission(limiter: Limiter, clock: Clock, log: Log): Admission {
  let held = createHeldTenants();
  let newestMs = 0;

  function stateOf(tenant: Tenant): HeldTenant {
    const now = clock.nowMs();
    // By a clock that was set back, what is held or denied would last until it has caught up.
    if (now < newestMs - LEASE_TTL_MS) held = createHeldTenants();
    newestMs = now;
    return held(tenant);
  }

  /** Asks the limiter for what every waiting event needs; calls at one moment share the answer. */
  async function ask(
    tenant: Tenant,
    state: HeldTenant,
    limits: readonly AppliedLimit[],
    needed: number,
  ): Promise<void> {
    // What still holds enough is left alone: a new lease would drop what is in it.
    const now = clock.nowMs();
    const isKnown = (key: string) => now < state.freshUntilMs && isDenied(state, key, now, needed);
    const short = limits.filter(
      ({ key }) => !covers(leaseOf(state, key), now, needed) && !isKnown(key),
    );
    const telling = short.map(({ key, limit }) => {
      const lease = leaseOf(state, key);
      return { lease, told: toldOf(lease, limit) };
    });
    const asks = short.map(({ key, limit }, at): LeaseAsk => {
      const { used } = leaseOf(state, key);
      const waiting = state.waiting.get(key) ?? needed;
      const wanted = tokensToAsk({ needed, waiting, used }, leaseTokensMax(limit, LEASE_TTL_MS));
      const told = telling[at]?.told;
      const isTold = told !== undefined && told.admitted + told.refused + told.demoted > 0;
      return { scope: key, rate: limit, needed, wanted, ...(isTold ? { told } : {}) };
    });
    const secretsUsed = [...state.secretsUsed];
    const shadowMatches = takeShadows(state, clock.nowMs());
    const request = { asks, revision: tenant.revision, secretsUsed };
    try {
      const answer = await within(
        limiter.lease(tenant.id, shadowMatches === null ? request : { ...request, shadowMatches }),
        LIMITER_TIMEOUT_MS,
        clock,
        () => new Retryable("limiter did not answer in time"),
      );
      take(state, answer, clock.nowMs(), { needed, revision: tenant.revision });
      // It hears no limit out behind one that it denies.
      const heard = new Set(answer.grants.map(({ scope }) => scope));
      for (const [at, { lease, told }] of telling.entries()) {
        if (heard.has(asks[at]?.scope ?? "")) forgetTold(lease, told);
      }
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
      if (shadowMatches !== null) keepShadows(state, shadowMatches);
    }
  }

  async function askOnce(
    tenant: Tenant,
    state: HeldTenant,
    limits: AppliedLimit[],
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

  async function admit(tenant: Tenant, source: Limited, count: number): Promise<Admitted> {
    const state = stateOf(tenant);
    const limits = limitsOf(tenant, source);
    for (const { key } of limits) state.waiting.set(key, (state.waiting.get(key) ?? 0) + count);
    try {
      for (;;) {
        const now = clock.nowMs();
        if (now < state.openUntilMs) {
          // A newer configuration that was heard of counts all the same: the tenant may be gone by it.
          const revision = Math.max(tenant.revision, state.revision);
          return { kind: "admitted", revision };
        }
        const isFresh = now < state.freshUntilMs;
        // By limits that may hold no more: they are judged again, and spend then.
        if (isFresh && state.revision > tenant.revision) {
          return { kind: "admitted", revision: state.revision };
        }
        const mayWait = isFresh && state.secretsUsed.size === 0;
        const blocked = mayWait ? trySpend(state, limits, now, count) : "ask";
        if (blocked === null) return { kind: "admitted", revision: state.revision };
        if (blocked !== "ask")
          return overflow(blocked.applied, blocked.retryAfterMs, state.revision);
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
    shadowsMatched(tenant, rules, atMs) {
      if (tenant.shadows !== null) noteShadows(stateOf(tenant), tenant.shadows, rules, atMs);
    },
    async tellShadows(tenant) {
      const state = stateOf(tenant);
      if (state.shadowMatches === null || clock.nowMs() < state.shadowsWaitUntilMs) return;
      // One waits for all. Should its request end first, another takes its place after that time.
      state.shadowsWaitUntilMs = clock.nowMs() + SHADOW_TOLD_MS;
      await clock.timer(SHADOW_TOLD_MS).elapsed;
      if (state.shadowMatches === null) return;
      state.shadowsToldAtMs = Number.NEGATIVE_INFINITY; // whatever is left, since nobody else may come
      await ask(tenant, state, [], 0);
    },
  };
}

function overflow(
  { scope, limit }: AppliedLimit,
  retryAfterMs: number,
  revision: number,
): Admitted {
  return limit.overflow === "demote"
    ? { kind: "demoted", scope, revision }
    : { kind: "refused", scope, retryAfterMs, revision };
}
