/** Where a tenant's configuration comes from. */
import type { Tenant } from "../core/tenant.ts";

export interface TenantStore {
  /** The tenant as it is now, in one consistent read; null when there is none. */
  load(tenant: string): Promise<Tenant | null>;
}
