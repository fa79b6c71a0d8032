/** Commands for many instances of sagas in memory. */
import type { SagaJob, SagaJobId, SagaJobs } from "../../src/ports/saga-jobs.ts";

export interface MemorySagaJobs extends SagaJobs {
  /** By id, with those that are done. */
  readonly jobs: ReadonlyMap<string, SagaJob & { readonly isDone: boolean }>;
}

export function createMemorySagaJobs(): MemorySagaJobs {
  const jobs = new Map<string, SagaJob & { readonly isDone: boolean }>();
  const jobOf = ({ tenant, id }: SagaJobId) => {
    const job = jobs.get(id);
    return job?.tenant === tenant ? job : undefined;
  };
  return {
    jobs,
    async create(job) {
      const progress = { after: null, finished: 0, refusals: [] };
      jobs.set(job.id, { ...job, progress, isDone: false });
    },
    running: async (count) =>
      [...jobs.values()]
        .filter(({ isDone }) => !isDone)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, count)
        .map(({ isDone, ...job }) => job),
    async advance(id, before, progress, isDone) {
      const job = jobOf(id);
      if (job === undefined || job.isDone || job.progress.finished !== before.finished)
        return false;
      jobs.set(id.id, { ...job, progress, isDone });
      return true;
    },
  };
}
