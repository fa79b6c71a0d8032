/** The limiter in memory: one bucket per tenant and scope, and the revision it has heard of. */
import { grantLease } from "../../src/core/admit/lease.ts";
import { noted, noUsage, type Usage, usageOf } from "../../src/core/admit/usage.ts";
import { LEASE_TTL_MS } from "../../src/core/limits.ts";
import { addMatches, type ShadowMatches } from "../../src/core/shadow.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { LeaseAsk, LeaseRequest, Limiter } from "../../src/ports/limiter.ts";

export interface MemoryLimiter extends Limiter {
  /** Every call, in order. */
  readonly asked: (LeaseRequest & { readonly tenant: string })[];
  readonly revisions: Map<string, number>;
}

export function createMemoryLimiter(clock: Clock): MemoryLimiter {
  const asked: MemoryLimiter["asked"] = [];
  const revisions = new Map<string, number>();
  const arrivals = new Map<string, number>();
  const usage = new Map<string, Usage>();
  const shadows = new Map<string, Map<string, ShadowMatches>>();
  const secrets = new Map<string, Record<string, number>>();

  function learn(tenant: string, revision: number): number {
    const newest = Math.max(revision, revisions.get(tenant) ?? 0);
    revisions.set(tenant, newest);
    return newest;
  }

  function grant(tenant: string, ask: LeaseAsk) {
    const key = `${tenant} ${ask.scope}`;
    const { granted, retryAfterMs, arrivalMs } = grantLease(
      ask,
      arrivals.get(key) ?? 0,
      clock.nowMs(),
      LEASE_TTL_MS,
    );
    arrivals.set(key, arrivalMs);
    const told = ask.told ?? { admitted: 0, refused: 0, demoted: 0 };
    const known = usage.get(key) ?? noUsage(clock.nowMs());
    usage.set(key, noted(known, told, granted === 0 ? retryAfterMs : null, clock.nowMs()));
    return { scope: ask.scope, granted, retryAfterMs };
  }

  function grantInTurn(tenant: string, asks: readonly LeaseAsk[]) {
    const grants = [];
    for (const ask of asks) {
      const granted = grant(tenant, ask);
      grants.push(granted);
      if (granted.granted === 0) break;
    }
    return grants;
  }

  return {
    asked,
    revisions,
    async lease(tenant, request) {
      asked.push({ tenant, ...request });
      const used = Object.fromEntries(request.secretsUsed.map((name) => [name, clock.nowMs()]));
      secrets.set(tenant, { ...secrets.get(tenant), ...used });
      const counts = shadows.get(tenant) ?? new Map();
      for (const matches of request.shadowMatches ?? []) addMatches(counts, matches);
      shadows.set(tenant, counts);
      return {
        revision: learn(tenant, request.revision),
        ttlMs: LEASE_TTL_MS,
        grants: grantInTurn(tenant, request.asks),
      };
    },
    async usage(tenant, scopes) {
      const nowMs = clock.nowMs();
      return scopes.map(({ scope, rate }) => {
        const key = `${tenant} ${scope}`;
        return usageOf(
          scope,
          usage.get(key) ?? noUsage(nowMs),
          rate,
          arrivals.get(key) ?? 0,
          nowMs,
        );
      });
    },
    announce: async (tenant, revision) => void learn(tenant, revision),
    secretsLastUsed: async (tenant) => secrets.get(tenant) ?? {},
    async renameSecrets(tenant, names) {
      const used = { ...secrets.get(tenant) };
      for (const [old, now] of Object.entries(names)) {
        const { [old]: usedAt } = used;
        if (usedAt === undefined) continue;
        delete used[old];
        used[now] = Math.max(usedAt, used[now] ?? 0);
      }
      secrets.set(tenant, used);
    },
    shadowMatches: async (tenant) => [...(shadows.get(tenant)?.values() ?? [])],
    async forget(tenant) {
      shadows.delete(tenant);
      secrets.delete(tenant);
      for (const key of arrivals.keys()) {
        if (!key.startsWith(`${tenant} `)) continue;
        arrivals.delete(key);
        usage.delete(key);
      }
    },
  };
}
