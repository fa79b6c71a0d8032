/** Where instances of sagas are found, in D1. Their objects are the truth; a row is written before one exists. */
import type {
  SagaDirectory,
  SagaPosition,
  SagaQuery,
  SagaSummary,
} from "../../ports/saga-index.ts";
import { number, type Row, type Session, text } from "./session.ts";

const COLUMNS = `tenant, id, saga, version, "key", correlation_id, status, paused, step, reason, rev, due_at,
  started_at, updated_at`;
const VALUES = "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14";
/** Of a tenant that was deleted nothing comes back. */
const IF_TENANT = "WHERE EXISTS (SELECT 1 FROM tenants WHERE id = ?1)";

/** The columns in their order. */
export const BEGIN_SAGA = `
INSERT INTO saga_instances (${COLUMNS}) ${VALUES} ${IF_TENANT} ON CONFLICT DO NOTHING`;

export const PUT_SAGA = `
INSERT INTO saga_instances (${COLUMNS}) ${VALUES} ${IF_TENANT}
ON CONFLICT (tenant, started_at, id) DO UPDATE SET
  status = excluded.status, paused = excluded.paused, step = excluded.step, reason = excluded.reason,
  rev = excluded.rev, due_at = excluded.due_at, updated_at = excluded.updated_at,
  version = excluded.version
WHERE excluded.rev > saga_instances.rev OR saga_instances.status = 'STARTING'
  OR excluded.rev = saga_instances.rev AND excluded.due_at IS NOT saga_instances.due_at`;

/**
 * ?1 = tenant, ?2 and ?3 = time and id to go on after, ?4 = how many, ?5 = started from then on, ?6 = saga,
 * ?7 = status, ?8 = step, ?9 = whether paused, ?10 = correlation id, each null for any, ?11 = only what has not ended.
 */
const FOUND = `
FROM saga_instances
WHERE tenant = ?1 AND (started_at, id) < (?2, ?3) AND started_at >= ?5`;
/** As above, through the index of what is searched for most. */
const CORRELATED = `
FROM saga_instances INDEXED BY saga_instances_correlation
WHERE tenant = ?1 AND correlation_id = ?10 AND (started_at, id) < (?2, ?3) AND started_at >= ?5`;
const MATCHING = `
  AND (?6 IS NULL OR saga = ?6) AND (?7 IS NULL OR status = ?7) AND (?8 IS NULL OR step = ?8)
  AND (?9 IS NULL OR paused = ?9) AND (?10 IS NULL OR correlation_id = ?10)
  AND (?11 = 0 OR status NOT IN ('COMPLETED', 'COMPENSATED', 'FAILED'))`;
const ORDER = "\nORDER BY started_at DESC, id DESC LIMIT ?4";

export const SAGAS = `SELECT ${COLUMNS} ${FOUND} ${MATCHING} ${ORDER}`;
export const CORRELATED_SAGAS = `SELECT ${COLUMNS} ${CORRELATED} ${MATCHING} ${ORDER}`;
export const COUNT_SAGAS = `
SELECT COUNT(*) AS count FROM (SELECT 1 ${FOUND} ${MATCHING} LIMIT ?4)`;
export const COUNT_CORRELATED_SAGAS = `
SELECT COUNT(*) AS count FROM (SELECT 1 ${CORRELATED} ${MATCHING} LIMIT ?4)`;

/** ?1 = due before, ?2 = how many. */
export const OVERDUE_SAGAS = `
SELECT tenant, id, status, started_at FROM saga_instances
WHERE due_at < ?1 ORDER BY due_at LIMIT ?2`;

/** ?1 = tenant, ?2 = when it was started, ?3 = id. */
export const FORGET_SAGA = `
DELETE FROM saga_instances WHERE tenant = ?1 AND started_at = ?2 AND id = ?3`;

/** ?1 = tenant, ?2 = started before, ?3 = how many. */
export const SAGAS_OF_TENANT = `
SELECT id, started_at FROM saga_instances
WHERE tenant = ?1 AND started_at < ?2 LIMIT ?3`;

/** Later than any time that can be stored. */
const START: SagaPosition = { startedAtMs: Number.MAX_SAFE_INTEGER, id: "" };

export function createSagaDirectory(session: Session): SagaDirectory {
  return {
    async begin(summary) {
      await session.rows("saga.begin", BEGIN_SAGA, columnsOf(summary));
    },

    async put(summary) {
      await session.rows("saga.put", PUT_SAGA, columnsOf(summary));
    },

    async list(tenant, query, after, count) {
      const statement = query.correlationId === undefined ? SAGAS : CORRELATED_SAGAS;
      const params = paramsOf(tenant, query, after, count + 1);
      const rows = (await session.rows("saga.list", statement, params)).map(read);
      const items = rows.slice(0, count);
      const last = rows.length > count ? items.at(-1) : undefined;
      return {
        items,
        next: last === undefined ? null : { startedAtMs: last.startedAtMs, id: last.id },
      };
    },

    async count(tenant, query, countMax) {
      const statement = query.correlationId === undefined ? COUNT_SAGAS : COUNT_CORRELATED_SAGAS;
      const params = paramsOf(tenant, query, null, countMax);
      return number((await session.rows("saga.count", statement, params))[0]?.count);
    },

    async overdue(beforeMs, count) {
      const rows = await session.rows("saga.overdue", OVERDUE_SAGAS, [beforeMs, count]);
      return rows.map((row) => ({
        ...{ tenant: text(row.tenant), id: text(row.id), startedAtMs: number(row.started_at) },
        isStarting: text(row.status) === "STARTING",
      }));
    },

    async forget({ tenant, startedAtMs, id }) {
      await session.rows("saga.forget", FORGET_SAGA, [tenant, startedAtMs, id]);
    },

    async ofTenant(tenant, beforeMs, count) {
      const rows = await session.rows("saga.of-tenant", SAGAS_OF_TENANT, [tenant, beforeMs, count]);
      return rows.map((row) => ({
        ...{ tenant, id: text(row.id), startedAtMs: number(row.started_at) },
      }));
    },
  };
}

function paramsOf(
  tenant: string,
  query: SagaQuery,
  after: SagaPosition | null,
  count: number,
): (string | number | null)[] {
  const { saga = null, status = null, step = null, correlationId = null, paused } = query;
  const end = query.toMs === undefined ? START : { startedAtMs: query.toMs, id: "" };
  const isWithin = after !== null && after.startedAtMs < end.startedAtMs;
  const { startedAtMs, id } = isWithin ? after : end;
  return [
    ...[tenant, startedAtMs, id, count, query.fromMs ?? 0, saga, status, step],
    ...[paused === undefined ? null : Number(paused), correlationId, query.isOpen ? 1 : 0],
  ];
}

const columnsOf = (summary: SagaSummary): (string | number | null)[] => [
  ...[summary.tenant, summary.id, summary.saga, summary.version, summary.key],
  ...[summary.correlationId, summary.status, summary.paused ? 1 : 0, summary.step, summary.reason],
  ...[summary.rev, summary.dueAtMs, summary.startedAtMs, summary.updatedAtMs],
];

const textOrNull = (value: Row[string] | undefined): string | null =>
  value === null || value === undefined ? null : text(value);

const read = (row: Row): SagaSummary => ({
  id: text(row.id),
  tenant: text(row.tenant),
  saga: text(row.saga),
  version: number(row.version),
  key: text(row.key),
  correlationId: textOrNull(row.correlation_id),
  status: text(row.status) as SagaSummary["status"],
  paused: number(row.paused) === 1,
  step: textOrNull(row.step),
  reason: textOrNull(row.reason),
  rev: number(row.rev),
  dueAtMs: row.due_at === null ? null : number(row.due_at),
  startedAtMs: number(row.started_at),
  updatedAtMs: number(row.updated_at),
});
