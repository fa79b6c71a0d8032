/** What `env` is in these tests: the Worker's own bindings, and the migrations that the setup applies. */
import type { D1Migration } from "cloudflare:test";
import type { Outbox } from "../../durable-objects/outbox.ts";
import type { TenantLimiter } from "../../durable-objects/tenant-limiter.ts";
import type { Env as WorkerEnv } from "../../src/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends Omit<WorkerEnv, "TENANT_LIMITER" | "OUTBOX_SHARD"> {
      readonly TENANT_LIMITER: DurableObjectNamespace<TenantLimiter>;
      readonly OUTBOX_SHARD: DurableObjectNamespace<Outbox>;
      readonly TEST_MIGRATIONS: D1Migration[];
    }
  }
}
