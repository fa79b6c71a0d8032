/**
 * Seals secrets anew with the newest key, page by page. A pass may end anywhere: what it has sealed needs no
 * second time, and the next one goes on from where the job's row says.
 */
import { RESEAL_PAGE, RESEAL_PAGES_MAX } from "../core/operator-limits.ts";
import type { Reseal, Reseals } from "../ports/encryption.ts";
import type { Limiter } from "../ports/limiter.ts";
import type { Log } from "../ports/log.ts";

export interface ResealPorts {
  readonly reseals: Reseals;
  readonly limiter: Pick<Limiter, "renameSecrets">;
  readonly log: Log;
}

/** One bounded pass; answers how many it sealed. */
export async function reseal({ job, after }: Reseal, ports: ResealPorts): Promise<number> {
  const resealer = await ports.reseals.resealer();
  let resealed = 0;
  let from = after;
  for (let pages = 0; pages < RESEAL_PAGES_MAX; pages += 1) {
    const page = await resealer.page(from, RESEAL_PAGE);
    for (const { resource, keyId } of page.locked) {
      ports.log.error("secrets-locked", { resource, key: keyId });
    }
    // Before the page is written down: an old key may be gone as soon as the job is done.
    for (const [tenant, names] of page.renamed) await ports.limiter.renameSecrets(tenant, names);
    await resealer.note(job, page);
    resealed += page.resealed;
    from = page.after;
    if (from === null) {
      ports.log.info("secrets-resealed", { job });
      return resealed;
    }
  }
  return resealed;
}
