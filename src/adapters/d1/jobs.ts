/** Jobs as operators watch them. The progress of a redrive is the states of its deliveries. */
import type { DeliveryState } from "../../core/settle.ts";
import type { Job, JobState, Jobs } from "../../ports/jobs.ts";
import type { SagaJobProgress } from "../../ports/saga-jobs.ts";
import { number, type Row, type Session, text } from "./session.ts";
import { acrossSlots, deliveriesOf, perSlot } from "./slots.ts";

/** A delivery of the job that is not at its end. */
export const UNDER_WAY = Object.values(
  perSlot(
    (slot) => `EXISTS (SELECT 1 FROM ${deliveriesOf(slot)} AS d
  WHERE d.job = jobs.id AND d.state NOT IN ('delivered', 'dead', 'cancelled'))`,
  ),
).join(" OR ");

/** What a cancelled redrive has in hand still ends. */
const STATE = `CASE WHEN state <> 'cancelled' AND (${UNDER_WAY}) THEN 'running' ELSE state END`;
const COLUMNS = `id, tenant, kind, total, removed, progress, created_at, updated_at, ${STATE} AS state`;

/** ?1 = job, ?2 = tenant, or null for any. */
export const JOB = `SELECT ${COLUMNS} FROM jobs WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)`;

/** ?1 = before this one, ?2 = how many, ?3 = state or null. */
export const JOBS = `
SELECT ${COLUMNS} FROM jobs WHERE id < ?1 AND (?3 IS NULL OR ?3 = ${STATE})
ORDER BY id DESC LIMIT ?2`;

/** ?1 = [job]. */
export const STATES_OF_JOBS = acrossSlots(
  (slot) => `
SELECT d.job, d.state, COUNT(*) AS count
FROM json_each(?1) AS j CROSS JOIN ${deliveriesOf(slot)} AS d ON d.job = j.value
GROUP BY d.job, d.state`,
);

/** Sorts after every job's id. */
const AFTER_ALL = "~";

export function createJobs(session: Session): Jobs {
  return {
    job: async (tenant, id) => (await readJobs(session, JOB, [id, tenant]))[0] ?? null,

    async jobs(state, after, count) {
      const params = [after ?? AFTER_ALL, count + 1, state ?? null];
      const found = await readJobs(session, JOBS, params);
      const items = found.slice(0, count);
      return { items, after: found.length > count ? (items.at(-1)?.id ?? null) : null };
    },
  };
}

export async function readJobs(
  session: Session,
  sql: string,
  params: readonly (string | number | null)[],
): Promise<Job[]> {
  const rows = await session.rows("jobs", sql, params);
  if (rows.length === 0) return [];
  const ids = JSON.stringify(rows.map(({ id }) => id));
  const states = new Map<string, Partial<Record<DeliveryState, number>>>();
  for (const row of await session.rows("jobs", STATES_OF_JOBS, [ids])) {
    const own = states.get(text(row.job)) ?? {};
    const state = text(row.state) as DeliveryState;
    states.set(text(row.job), { ...own, [state]: (own[state] ?? 0) + number(row.count) });
  }
  return rows.map((row) => readJob(row, states.get(text(row.id)) ?? {}));
}

const NO_PROGRESS: Omit<SagaJobProgress, "after"> = { finished: 0, refusals: [] };

function readJob(row: Row, states: Job["states"]): Job {
  const { progress } = row;
  const said =
    typeof progress === "string" ? (JSON.parse(progress) as Partial<SagaJobProgress>) : {};
  const known: Omit<SagaJobProgress, "after"> = { ...NO_PROGRESS, ...said };
  const { finished: commanded, refusals, cancelled = null } = known;
  return {
    ...{ commanded, refusals, cancelled },
    id: text(row.id),
    tenant: text(row.tenant),
    kind: text(row.kind),
    state: text(row.state) as JobState,
    createdAtMs: number(row.created_at),
    updatedAtMs: number(row.updated_at),
    total: number(row.total),
    removed: number(row.removed),
    states,
  };
}
