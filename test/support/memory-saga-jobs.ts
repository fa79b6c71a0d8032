/** Commands for many instances of sagas in memory. */
import type { AskedAs, SagaJob, SagaJobId, SagaJobs } from "../../src/ports/saga-jobs.ts";

export interface MemorySagaJobs extends SagaJobs {
  /** By id, with those that are done. */
  readonly jobs: ReadonlyMap<string, Kept>;
}

type Kept = SagaJob & { readonly isDone: boolean; readonly as: AskedAs | null };

export function createMemorySagaJobs(): MemorySagaJobs {
  const jobs = new Map<string, Kept>();
  const jobOf = ({ tenant, id }: SagaJobId) => {
    const job = jobs.get(id);
    return job?.tenant === tenant ? job : undefined;
  };
  return {
    jobs,
    async create(job, _, as) {
      const progress = { after: null, finished: 0, refusals: [] };
      const isKnown = [...jobs.values()].some(
        (each) => as !== null && each.tenant === job.tenant && each.as?.commandId === as.commandId,
      );
      if (!isKnown) jobs.set(job.id, { ...job, as, progress, isDone: false });
      return !isKnown;
    },
    async asked(tenant, commandId) {
      for (const { as, id, ...job } of jobs.values())
        if (job.tenant === tenant && as?.commandId === commandId) return { id, hash: as.hash };
      return null;
    },
    async cancel(id, cancelled) {
      const job = jobOf(id);
      if (job === undefined || job.isDone || job.progress.cancelled !== undefined) return false;
      jobs.set(id.id, { ...job, progress: { ...job.progress, cancelled } });
      return true;
    },
    running: async (count) =>
      [...jobs.values()]
        .filter(({ isDone, progress }) => !isDone && progress.cancelled === undefined)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, count)
        .map(({ isDone, as, ...job }) => job),
    async advance(id, before, after, isDone) {
      const job = jobOf(id);
      if (job === undefined || job.isDone || job.progress.finished !== before.finished)
        return "lost";
      const { cancelled } = job.progress;
      const progress = cancelled === undefined ? after : { ...after, cancelled };
      jobs.set(id.id, { ...job, progress, isDone: isDone && cancelled === undefined });
      return cancelled === undefined ? "written" : "cancelled";
    },
  };
}
