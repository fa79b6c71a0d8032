/** Commands for many instances of sagas, as rows of the jobs' table. */
import { pack, unpack } from "../../core/saga/text.ts";
import type { SagaJob, SagaJobProgress, SagaJobs } from "../../ports/saga-jobs.ts";
import { type Session, text } from "./session.ts";
import { NOW } from "./statements.ts";

/** ?1 = tenant, ?2 = job, ?3 = what is asked, ?4 = total, ?5 = progress. */
export const ADD_SAGA_JOB = `
INSERT INTO jobs (tenant, id, kind, query, total, state, progress, created_at, updated_at)
VALUES (?1, ?2, 'command-sagas', ?3, ?4, 'running', ?5, ${NOW}, ${NOW})`;

/** ?1 = how many. */
export const RUNNING_SAGA_JOBS = `
SELECT tenant, id, query, progress FROM jobs INDEXED BY jobs_running
WHERE state = 'running' AND kind = 'command-sagas' ORDER BY id LIMIT ?1`;

/** ?1 = job, ?2 = tenant, ?3 = how many were finished before, ?4 = progress, ?5 = whether that was all. */
export const ADVANCE_SAGA_JOB = `
UPDATE jobs SET progress = ?4, updated_at = ${NOW}, state = CASE WHEN ?5 THEN 'done' ELSE state END
WHERE id = ?1 AND tenant = ?2 AND state = 'running' AND progress->>'finished' = ?3
RETURNING id`;

const START: SagaJobProgress = { after: null, finished: 0, refusals: [] };

type Asked = Pick<SagaJob, "command" | "query">;

export const createSagaJobs = (session: Session): SagaJobs => ({
  async create({ tenant, id, command, query }, total) {
    const asked: Asked = { command, query };
    const params = [tenant, id, pack(asked), total, pack(START)];
    await session.rows("saga-jobs.create", ADD_SAGA_JOB, params);
  },

  async running(count) {
    const rows = await session.rows("saga-jobs.running", RUNNING_SAGA_JOBS, [count]);
    return rows.map((row) => ({
      ...{ tenant: text(row.tenant), id: text(row.id) },
      ...unpack<Asked>(text(row.query)),
      progress: JSON.parse(text(row.progress)) as SagaJobProgress,
    }));
  },

  async advance({ tenant, id }, before, after, isDone) {
    const params = [id, tenant, before.finished, pack(after), isDone ? 1 : 0];
    return (await session.rows("saga-jobs.advance", ADVANCE_SAGA_JOB, params)).length > 0;
  },
});
