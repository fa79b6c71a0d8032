/**
 * What each rule and each saga was. A version is written in the transaction of the change that makes it, nothing on
 * the way of an event; rows of a life of the tenant that ended are stepped over until its deletion's job removes them.
 */
import { RULE_VERSIONS_MAX } from "../../core/limits.ts";
import { SAGA_VERSIONS_MAX } from "../../core/saga/limits.ts";
import type { KeptVersion, Versions } from "../../ports/versions.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";

/** Kinds of resources whose versions are kept. */
export type VersionedKind = "rule" | "saga";

const TABLES: Readonly<Record<VersionedKind, string>> = {
  rule: "rule_versions",
  saga: "saga_versions",
};
const MOST: Readonly<Record<VersionedKind, number>> = {
  rule: RULE_VERSIONS_MAX,
  saga: SAGA_VERSIONS_MAX,
};

type PerKind = Readonly<Record<VersionedKind, string>>;
const perKind = (sql: (table: string, kind: VersionedKind) => string): PerKind => ({
  rule: sql(TABLES.rule, "rule"),
  saga: sql(TABLES.saga, "saga"),
});

/** ?1 = tenant, ?2 = id, at the end of a change: what stands now, unless the newest version says so already. */
export const KEEP_VERSION = perKind(
  (table, kind) => `
INSERT INTO ${table} (tenant, id, version, doc, changed_at)
SELECT t.id, ?2, COALESCE(r.version, t.revision), r.doc, COALESCE(r.updated_at, t.updated_at)
FROM tenants AS t LEFT JOIN resources AS r ON r.tenant = t.id AND r.kind = '${kind}' AND r.id = ?2
WHERE t.id = ?1 AND r.doc IS NOT (
  SELECT CASE WHEN v.changed_at >= t.created_at THEN v.doc END FROM ${table} AS v
  WHERE v.tenant = ?1 AND v.id = ?2 ORDER BY v.version DESC LIMIT 1)`,
);

/** ?1 = tenant, ?2 = id. */
export const DROP_OLD_VERSIONS = perKind(
  (table, kind) => `
DELETE FROM ${table} WHERE tenant = ?1 AND id = ?2 AND version <= (
  SELECT version FROM ${table} WHERE tenant = ?1 AND id = ?2
  ORDER BY version DESC LIMIT 1 OFFSET ${MOST[kind]})`,
);

/** ?1 = tenant, ?2 = id, ?3 = up to this version, ?4 = how many; `revision` is the tenant's. */
export const VERSIONS = perKind(
  (table) => `
SELECT v.version, v.doc, v.changed_at, t.revision, v.version = (
  SELECT n.version FROM ${table} AS n WHERE n.tenant = ?1 AND n.id = ?2
  ORDER BY n.version DESC LIMIT 1) AS is_current
FROM tenants AS t CROSS JOIN ${table} AS v
WHERE t.id = ?1 AND v.tenant = ?1 AND v.id = ?2 AND v.version <= ?3 AND v.changed_at >= t.created_at
ORDER BY v.version DESC LIMIT ?4`,
);

/** ?1 = tenant, ?2 = changed before, ?3 = how many. */
export const REMOVE_VERSIONS = perKind(
  (table) => `
DELETE FROM ${table} WHERE (tenant, id, version) IN (
  SELECT tenant, id, version FROM ${table} WHERE tenant = ?1 AND changed_at < ?2 LIMIT ?3)
RETURNING id`,
);

/** What follows a change in its transaction. */
export const keepVersion = (kind: VersionedKind, tenant: string, id: string): Statement[] =>
  [KEEP_VERSION[kind], DROP_OLD_VERSIONS[kind]].map((sql) => ({ sql, params: [tenant, id] }));

export function createVersions(session: Session, kind: VersionedKind): Versions {
  const rowsOf = (tenant: string, id: string, upTo: number, count: number): Promise<Row[]> =>
    session.rows(`${kind}-versions`, VERSIONS[kind], [tenant, id, upTo, count]);

  async function newest(tenant: string, id: string, upTo: number): Promise<Row | undefined> {
    return (await rowsOf(tenant, id, upTo, 1))[0];
  }

  return {
    async list(tenant, id, before, count) {
      const upTo = before === null ? Number.MAX_SAFE_INTEGER : before - 1;
      const rows = await rowsOf(tenant, id, upTo, count + 1);
      const items = rows.slice(0, count).map(readVersion);
      const last = rows.length > count ? items.at(-1) : undefined;
      return { items, before: last === undefined ? null : last.version };
    },
    async at(tenant, id, revision) {
      const row = await newest(tenant, id, revision);
      return row === undefined || revision > number(row.revision) ? null : readVersion(row);
    },
    async current(tenant, id) {
      const row = await newest(tenant, id, Number.MAX_SAFE_INTEGER);
      return row === undefined ? null : readVersion(row);
    },
  };
}

const readVersion = (row: Row): KeptVersion => ({
  version: number(row.version),
  doc: row.doc === null ? null : text(row.doc),
  changedAtMs: number(row.changed_at),
  isCurrent: number(row.is_current) === 1,
});
