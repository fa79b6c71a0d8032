/**
 * The tenants this isolate knows: compiled once per revision, shared by every request.
 *
 * A change reaches the isolate through the revision that comes with each limiter lease and each claim;
 * nothing is read per event.
 */
import { Retryable } from "../core/errors.ts";
import { DIRECTORY_TENANTS_MAX, UNKNOWN_TENANT_TTL_MS } from "../core/limits.ts";
import type { Tenant } from "../core/tenant.ts";
import { type Clock, within } from "../ports/clock.ts";
import type { TenantStore } from "../ports/directory.ts";

export interface Directory {
  /** The tenant as last seen, read from the store if this isolate does not know it. */
  get(tenant: string): Promise<Tenant | null>;
  /** The tenant at `revision` or later: read again unless that is known already. */
  at(tenant: string, revision: number): Promise<Tenant | null>;
  /** The tenant as the store has it, at most a second old; calls at one moment share one read. */
  refresh(tenant: string): Promise<Tenant | null>;
  /** Forgets what is known, after a change made in this isolate. */
  forget(tenant: string): void;
}

/** How long a request waits for a read that another request began. */
const SHARED_LOAD_MS = 2_000;
/** Strangers who guess names of sources cause no more reads than this allows. */
const REFRESH_MS = 1_000;

export function createDirectory(store: TenantStore, clock: Clock): Directory {
  const known = new Map<string, Tenant>();
  const readAtMs = new WeakMap<Tenant, number>();
  /** When a name turned out to be nobody's; kept apart, so that made-up names push no tenant out. */
  const unknown = new Map<string, number>();
  const loading = new Map<string, Promise<Tenant | null>>();

  /** What lies ahead is of a clock that was set back since: it counts as never. */
  function ageOf(atMs = Number.NEGATIVE_INFINITY): number {
    const age = clock.nowMs() - atMs;
    return age < 0 ? Number.POSITIVE_INFINITY : age;
  }

  function remember(id: string, tenant: Tenant | null): void {
    known.delete(id);
    unknown.delete(id);
    if (tenant === null) keep(unknown, id, clock.nowMs());
    else {
      keep(known, id, tenant);
      readAtMs.set(tenant, clock.nowMs());
    }
  }

  function reload(id: string): Promise<Tenant | null> {
    const running = loading.get(id);
    if (running !== undefined) {
      // Another request reads it; should that request end first, this one reads for all who wait.
      return within(
        running,
        SHARED_LOAD_MS,
        clock,
        () => new Retryable("shared load is late"),
      ).catch(() => {
        if (loading.get(id) === running) loading.delete(id);
        return reload(id);
      });
    }
    const started = store
      .load(id)
      .then((tenant) => {
        // Forgotten meanwhile: what was read may be older than the change.
        if (loading.get(id) === started) remember(id, tenant);
        return tenant;
      })
      .finally(() => {
        if (loading.get(id) === started) loading.delete(id);
      });
    loading.set(id, started);
    return started;
  }

  return {
    async get(id) {
      const tenant = known.get(id);
      if (tenant !== undefined) return tenant;
      return ageOf(unknown.get(id)) < UNKNOWN_TENANT_TTL_MS ? null : reload(id);
    },
    async at(id, revision) {
      const tenant = known.get(id);
      return tenant !== undefined && tenant.revision >= revision ? tenant : reload(id);
    },
    async refresh(id) {
      const tenant = known.get(id);
      const isFresh = tenant !== undefined && ageOf(readAtMs.get(tenant)) < REFRESH_MS;
      return isFresh ? tenant : reload(id);
    },
    forget(id) {
      known.delete(id);
      unknown.delete(id);
      loading.delete(id);
    },
  };
}

/** Adds the newest entry and drops the oldest above the bound. */
function keep<Value>(map: Map<string, Value>, id: string, value: Value): void {
  map.set(id, value);
  const oldest = map.keys().next().value;
  if (map.size > DIRECTORY_TENANTS_MAX && oldest !== undefined) map.delete(oldest);
}
