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
  /** The tenant at `revision`: read again unless that is what is known already. */
  at(tenant: string, revision: number): Promise<Tenant | null>;
  /** The tenant as the store has it now; calls at one moment share one read. */
  reload(tenant: string): Promise<Tenant | null>;
  /** Forgets what is known, after a change made in this isolate. */
  forget(tenant: string): void;
}

/** How long a request waits for a read that another request began. */
const SHARED_LOAD_MS = 2_000;

interface Entry {
  readonly tenant: Tenant | null;
  readonly loadedAtMs: number;
}

export function createDirectory(store: TenantStore, clock: Clock): Directory {
  const known = new Map<string, Entry>();
  const loading = new Map<string, Promise<Tenant | null>>();

  function remember(id: string, tenant: Tenant | null): void {
    known.delete(id); // so that it becomes the newest
    known.set(id, { tenant, loadedAtMs: clock.nowMs() });
    if (known.size <= DIRECTORY_TENANTS_MAX) return;
    const oldest = known.keys().next().value;
    if (oldest !== undefined) known.delete(oldest);
  }

  function reload(id: string): Promise<Tenant | null> {
    const running = loading.get(id);
    if (running !== undefined) {
      // Another request reads it; should that request end first, this one reads for itself.
      return within(
        running,
        SHARED_LOAD_MS,
        clock,
        () => new Retryable("shared load is late"),
      ).catch(() => store.load(id));
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
      const entry = known.get(id);
      if (entry === undefined) return reload(id);
      const unknownFor = clock.nowMs() - entry.loadedAtMs;
      if (entry.tenant === null && unknownFor >= UNKNOWN_TENANT_TTL_MS) return reload(id);
      return entry.tenant;
    },
    async at(id, revision) {
      const entry = known.get(id);
      return entry?.tenant?.revision === revision ? entry.tenant : reload(id);
    },
    reload,
    forget(id) {
      known.delete(id);
      loading.delete(id);
    },
  };
}
