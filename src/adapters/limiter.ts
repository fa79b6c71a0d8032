/** The limiter: one Durable Object per tenant, reached by RPC. */
import type { Rate } from "../core/admit/gcra.ts";
import type { ScopeUsage } from "../core/admit/usage.ts";
import type { ShadowMatches } from "../core/shadow.ts";
import type { LeaseAnswer, LeaseRequest, Limiter } from "../ports/limiter.ts";
import type { Meter } from "../ports/meter.ts";

/** What the object offers; declared here so that adapters do not import Durable Objects. */
export interface TenantLimiterRpc extends Rpc.DurableObjectBranded {
  lease(request: LeaseRequest): Promise<LeaseAnswer>;
  usage(scopes: readonly { readonly scope: string; readonly rate: Rate }[]): Promise<ScopeUsage[]>;
  announce(revision: number): Promise<void>;
  secretsLastUsed(): Promise<Record<string, number>>;
  renameSecrets(names: Readonly<Record<string, string>>): Promise<void>;
  shadowMatches(): Promise<ShadowMatches[]>;
  forget(): Promise<void>;
}

export function createLimiter(
  namespace: DurableObjectNamespace<TenantLimiterRpc>,
  meter: Meter,
): Limiter {
  const objectOf = (tenant: string) => {
    meter.add("durable_object_calls");
    return namespace.getByName(tenant);
  };
  return {
    lease: (tenant, request) => objectOf(tenant).lease(request),
    usage: (tenant, scopes) => objectOf(tenant).usage(scopes),
    announce: (tenant, revision) => objectOf(tenant).announce(revision),
    secretsLastUsed: (tenant) => objectOf(tenant).secretsLastUsed(),
    renameSecrets: (tenant, names) => objectOf(tenant).renameSecrets(names),
    shadowMatches: (tenant) => objectOf(tenant).shadowMatches(),
    forget: (tenant) => objectOf(tenant).forget(),
  };
}
