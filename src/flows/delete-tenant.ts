/**
 * Removes what deleted tenants left behind: rows of the ledger, objects of the archive, the limiter's state.
 * A pass may end anywhere: nothing is kept but the job's row, and the next one goes on with what is there.
 */
import { DELETION_SETTLES_MS, REMOVE_PAGE, REMOVE_PAGES_MAX } from "../core/operator-limits.ts";
import type { Deletion, Removed, Remover } from "../ports/deletions.ts";
import type { DeliverPorts } from "./ports.ts";

/**
 * One bounded pass for each; answers how many deliveries and objects it removed, and whether nothing is
 * left. `isQuiet` says that no consumer of an earlier time works any more.
 */
export async function removeTenants(
  deletions: readonly Deletion[],
  isQuiet: boolean,
  ports: DeliverPorts,
): Promise<{ removed: number; complete: boolean }> {
  const remover = await ports.deletions.remover();
  const all = { removed: 0, complete: true };
  const failures: unknown[] = [];
  for (const deletion of deletions) {
    try {
      const { removed, more } = await removeOne(deletion, isQuiet, remover, ports);
      all.removed += removed;
      if (more) all.complete = false;
    } catch (error) {
      failures.push(error); // the others have their turn
    }
  }
  if (failures.length > 0) throw failures[0];
  return all;
}

async function removeOne(
  deletion: Deletion,
  isQuiet: boolean,
  remover: Remover,
  ports: DeliverPorts,
): Promise<Removed> {
  const { job, tenant, revision, ageMs, existsAgain } = deletion;
  // Who deleted it may have failed to: an isolate that still knows it would go on accepting for it.
  if (!existsAgain) await ports.limiter.announce(tenant, revision);
  const sagas = await eraseSagas(deletion, ports);
  let removed = sagas;
  for (let page = 0; ; page += 1) {
    // Rows first: one that is owed must not be found without its bytes.
    const rows = await remover.rows(deletion, REMOVE_PAGE);
    const objects = rows.more ? NOT_YET : await remover.objects(deletion, REMOVE_PAGE);
    const { more } = objects;
    removed += rows.removed + objects.removed;
    // Only what looked for everything after the last consumer had to stop has seen everything: the ledger
    // refuses the results of one that comes later, the archive asks nobody for a token.
    const isDone = !more && sagas < REMOVE_PAGE && (isQuiet || ageMs >= DELETION_SETTLES_MS);
    if (isDone && !existsAgain) await ports.limiter.forget(tenant);
    await remover.note(job, rows.removed + objects.removed, isDone);
    if (isDone) ports.log.info("tenant-removed", { tenant, job });
    if (!more || page + 1 >= REMOVE_PAGES_MAX) return { removed, more };
  }
}

/** A page of the instances of the tenant's sagas, wherever they stand; answers how many. */
async function eraseSagas({ tenant, beforeMs }: Deletion, ports: DeliverPorts): Promise<number> {
  const entries = await ports.sagaIndex.ofTenant(tenant, beforeMs, REMOVE_PAGE);
  for (const entry of entries) {
    await ports.sagas.erase(entry.id);
    await ports.sagaIndex.forget(entry);
  }
  return entries.length;
}

const NOT_YET: Removed = { removed: 0, more: true };
