/** Deletions of tenants in memory: the jobs, and what they remove from the ledger and the archive in memory. */
import type { ArchiveListing } from "../../src/ports/archive.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Deletions, Remover } from "../../src/ports/deletions.ts";
import type { DeliveryRow, MemoryLedger } from "./memory-ledger.ts";
import type { MemoryTenants } from "./memory-tenants.ts";

export interface DeletionJob {
  readonly tenant: string;
  readonly revision: number;
  readonly createdAtMs: number;
  removed: number;
  isDone: boolean;
}

export interface MemoryDeletions extends Deletions {
  /** By job. */
  readonly jobs: Map<string, DeletionJob>;
  /** Deletes the tenant and begins the job, in one step; answers the job. */
  begin(tenant: string, job?: string): string;
}

export function createMemoryDeletions(
  clock: Pick<Clock, "nowMs">,
  tenants: MemoryTenants,
  ledger: Pick<MemoryLedger, "events" | "deliveries" | "duplicates">,
  listing: Pick<ArchiveListing, "removeTenant">,
): MemoryDeletions {
  const jobs: MemoryDeletions["jobs"] = new Map();

  /** It was claimed since: by the ledger's clock, as a Worker's may be off. */
  const isOfPresentLife = ({ event, receivedAtMs }: DeliveryRow, beforeMs: number): boolean => {
    const owner = ledger.events.get(event);
    return owner?.receivedAtMs === receivedAtMs && owner.claimedAtMs >= beforeMs;
  };

  const remover: Remover = {
    async rows({ tenant, beforeMs }, count) {
      const page = [...ledger.deliveries.values()]
        .filter((row) => row.tenant === tenant && !isOfPresentLife(row, beforeMs))
        .sort((a, b) => a.receivedAtMs - b.receivedAtMs)
        .slice(0, count);
      for (const row of page) {
        ledger.deliveries.delete(keyOf(row));
        const isSame = ledger.events.get(row.event)?.receivedAtMs === row.receivedAtMs;
        if (isSame) ledger.events.delete(row.event);
        for (const [key, copy] of ledger.duplicates) {
          if (copy.event === row.event && copy.receivedAtMs < beforeMs)
            ledger.duplicates.delete(key);
        }
      }
      return { removed: page.length, more: page.length === count };
    },
    objects: ({ tenant, beforeMs }, count) => listing.removeTenant(tenant, count, beforeMs),
    async note(job, removed, isDone) {
      const row = jobs.get(job);
      if (row === undefined) return;
      row.removed += removed;
      row.isDone ||= isDone;
    },
  };

  return {
    jobs,
    begin(tenant, job = `job_${jobs.size + 1}`) {
      const revision = (tenants.revision(tenant) ?? 0) + 1;
      tenants.delete(tenant);
      jobs.set(job, { tenant, revision, createdAtMs: clock.nowMs(), removed: 0, isDone: false });
      return job;
    },
    async running(count) {
      const nowMs = clock.nowMs();
      return [...jobs]
        .filter(([, { isDone }]) => !isDone)
        .slice(0, count)
        .map(([job, { tenant, revision, createdAtMs }]) => {
          const bornAtMs = tenants.born(tenant)?.atMs;
          const existsAgain = bornAtMs !== undefined;
          return {
            job,
            tenant,
            revision,
            ageMs: nowMs - createdAtMs,
            beforeMs: bornAtMs ?? nowMs,
            existsAgain,
          };
        });
    },
    remover: async () => remover,
  };
}
