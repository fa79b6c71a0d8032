/** Commands for many instances of sagas, as rows of the jobs' table. */
import { pack, unpack } from "../../core/saga/text.ts";
import type { SagaJob, SagaJobProgress, SagaJobs } from "../../ports/saga-jobs.ts";
import { type Session, text } from "./session.ts";
import { NOW } from "./statements.ts";

/** ?1 = tenant, ?2 = job, ?3 = what is asked, ?4 = total, ?5 = progress, ?6 = command id or null. */
export const ADD_SAGA_JOB = `
INSERT INTO jobs (tenant, id, kind, query, total, state, progress, created_at, updated_at, command_id)
VALUES (?1, ?2, 'command-sagas', ?3, ?4, 'running', ?5, ${NOW}, ${NOW}, ?6)
ON CONFLICT DO NOTHING RETURNING id`;

/** ?1 = tenant, ?2 = command id. */
export const ASKED_SAGA_JOB = `
SELECT id, query->>'hash' AS hash FROM jobs INDEXED BY jobs_command
WHERE tenant = ?1 AND command_id = ?2`;

/** ?1 = job, ?2 = tenant, ?3 = by whom and why, a JSON object. */
export const CANCEL_SAGA_JOB = `
UPDATE jobs SET state = 'cancelled', updated_at = ${NOW}, progress = json_set(progress, '$.cancelled', json(?3))
WHERE id = ?1 AND tenant = ?2 AND kind = 'command-sagas' AND state = 'running'
RETURNING id`;

/** ?1 = how many. */
export const RUNNING_SAGA_JOBS = `
SELECT tenant, id, query, progress FROM jobs INDEXED BY jobs_running
WHERE state = 'running' AND kind = 'command-sagas' ORDER BY id LIMIT ?1`;

/** ?1 = job, ?2 = tenant, ?3 = how many were finished before, ?4 = progress, ?5 = whether that was all. */
export const ADVANCE_SAGA_JOB = `
UPDATE jobs SET updated_at = ${NOW},
  progress = CASE WHEN state = 'cancelled' THEN json_set(?4, '$.cancelled', progress->'cancelled') ELSE ?4 END,
  state = CASE WHEN ?5 AND state = 'running' THEN 'done' ELSE state END
WHERE id = ?1 AND tenant = ?2 AND state IN ('running', 'cancelled') AND progress->>'finished' = ?3
RETURNING state`;

const START: SagaJobProgress = { after: null, finished: 0, refusals: [] };

type Asked = Pick<SagaJob, "command" | "query">;
type Kept = Asked & { readonly hash?: string };

export const createSagaJobs = (session: Session): SagaJobs => ({
  async create({ tenant, id, command, query }, total, as) {
    const kept: Kept = { command, query, ...(as === null ? {} : { hash: as.hash }) };
    const params = [tenant, id, pack(kept), total, pack(START), as?.commandId ?? null];
    return (await session.rows("saga-jobs.create", ADD_SAGA_JOB, params)).length > 0;
  },

  async asked(tenant, commandId) {
    const [row] = await session.rows("saga-jobs.asked", ASKED_SAGA_JOB, [tenant, commandId]);
    return row === undefined ? null : { id: text(row.id), hash: text(row.hash) };
  },

  async cancel({ tenant, id }, by) {
    const params = [id, tenant, pack(by)];
    return (await session.rows("saga-jobs.cancel", CANCEL_SAGA_JOB, params)).length > 0;
  },

  async running(count) {
    const rows = await session.rows("saga-jobs.running", RUNNING_SAGA_JOBS, [count]);
    return rows.map((row) => {
      const { command, query } = unpack<Kept>(text(row.query));
      const progress = JSON.parse(text(row.progress)) as SagaJobProgress;
      return { tenant: text(row.tenant), id: text(row.id), command, query, progress };
    });
  },

  async advance({ tenant, id }, before, after, isDone) {
    const params = [id, tenant, before.finished, pack(after), isDone ? 1 : 0];
    const [row] = await session.rows("saga-jobs.advance", ADVANCE_SAGA_JOB, params);
    if (row === undefined) return "lost";
    return row.state === "cancelled" ? "cancelled" : "written";
  },
});
