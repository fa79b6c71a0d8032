/**
 * What each rule was. A version is written in the transaction of the change that makes it, nothing on the
 * way of an event; rows of a life of the tenant that ended are stepped over until its deletion's job removes them.
 */
import { RULE_VERSIONS_MAX } from "../../core/limits.ts";
import type { RuleVersion, RuleVersions } from "../../ports/rule-versions.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";

/** ?1 = tenant, ?2 = rule, at the end of a change: what stands now, unless the newest version says so already. */
export const KEEP_VERSION = `
INSERT INTO rule_versions (tenant, id, version, doc, changed_at)
SELECT t.id, ?2, COALESCE(r.version, t.revision), r.doc, COALESCE(r.updated_at, t.updated_at)
FROM tenants AS t LEFT JOIN resources AS r ON r.tenant = t.id AND r.kind = 'rule' AND r.id = ?2
WHERE t.id = ?1 AND r.doc IS NOT (
  SELECT CASE WHEN v.changed_at >= t.created_at THEN v.doc END FROM rule_versions AS v
  WHERE v.tenant = ?1 AND v.id = ?2 ORDER BY v.version DESC LIMIT 1)`;

/** ?1 = tenant, ?2 = rule. */
export const DROP_OLD_VERSIONS = `
DELETE FROM rule_versions WHERE tenant = ?1 AND id = ?2 AND version <= (
  SELECT version FROM rule_versions WHERE tenant = ?1 AND id = ?2
  ORDER BY version DESC LIMIT 1 OFFSET ${RULE_VERSIONS_MAX})`;

/** ?1 = tenant, ?2 = rule, ?3 = up to this version, ?4 = how many; `revision` is the tenant's. */
export const VERSIONS = `
SELECT v.version, v.doc, v.changed_at, t.revision, v.version = (
  SELECT n.version FROM rule_versions AS n WHERE n.tenant = ?1 AND n.id = ?2
  ORDER BY n.version DESC LIMIT 1) AS is_current
FROM tenants AS t CROSS JOIN rule_versions AS v
WHERE t.id = ?1 AND v.tenant = ?1 AND v.id = ?2 AND v.version <= ?3 AND v.changed_at >= t.created_at
ORDER BY v.version DESC LIMIT ?4`;

/** What follows a change of a rule in its transaction. */
export const keepVersion = (tenant: string, rule: string): Statement[] =>
  [KEEP_VERSION, DROP_OLD_VERSIONS].map((sql) => ({ sql, params: [tenant, rule] }));

export function createRuleVersions(session: Session): RuleVersions {
  const rowsOf = (tenant: string, rule: string, upTo: number, count: number): Promise<Row[]> =>
    session.rows("rule-versions", VERSIONS, [tenant, rule, upTo, count]);

  async function newest(tenant: string, rule: string, upTo: number): Promise<Row | undefined> {
    return (await rowsOf(tenant, rule, upTo, 1))[0];
  }

  return {
    async list(tenant, rule, before, count) {
      const upTo = before === null ? Number.MAX_SAFE_INTEGER : before - 1;
      const rows = await rowsOf(tenant, rule, upTo, count + 1);
      const items = rows.slice(0, count).map(readVersion);
      const last = rows.length > count ? items.at(-1) : undefined;
      return { items, before: last === undefined ? null : last.version };
    },
    async at(tenant, rule, revision) {
      const row = await newest(tenant, rule, revision);
      return row === undefined || revision > number(row.revision) ? null : readVersion(row);
    },
    async current(tenant, rule) {
      const row = await newest(tenant, rule, Number.MAX_SAFE_INTEGER);
      return row === undefined ? null : readVersion(row);
    },
  };
}

const readVersion = (row: Row): RuleVersion => ({
  version: number(row.version),
  doc: row.doc === null ? null : text(row.doc),
  changedAtMs: number(row.changed_at),
  isCurrent: number(row.is_current) === 1,
});
