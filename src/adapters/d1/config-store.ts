/** Configuration in D1, for the admin routes. A write and the tenant's new revision are one transaction. */
import { RULES_PER_TENANT_MAX } from "../../core/limits.ts";
import type { ResourceKind, Secrets } from "../../core/resources.ts";
import type {
  ConfigStore,
  Page,
  StoredResource,
  StoredTenant,
  Written,
} from "../../ports/config.ts";
import type { Vault } from "../../ports/vault.ts";
import { BUMP_REVISION } from "./owed-statements.ts";
import { keepVersion } from "./rule-versions.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { NOW } from "./statements.ts";

export const TENANT = "SELECT * FROM tenants WHERE id = ?1";
/** ?1 = after this one, ?2 = how many. */
export const TENANTS = "SELECT * FROM tenants WHERE id > ?1 ORDER BY id LIMIT ?2";
/** ?1 = tenant, ?2 = kind, ?3 = id. */
export const RESOURCE = "SELECT * FROM resources WHERE tenant = ?1 AND kind = ?2 AND id = ?3";
/** ?1 = tenant, ?2 = kind, ?3 = after this one, ?4 = how many. */
export const RESOURCES = `
SELECT * FROM resources WHERE tenant = ?1 AND kind = ?2 AND id > ?3 ORDER BY id LIMIT ?4`;

/**
 * ?1 = tenant, ?2 = document, ?3 = version it must have, 'any' or null. The first revision is the time, so that
 * a tenant made anew never repeats an old revision; the database's, as all that it is compared with.
 */
export const PUT_TENANT = `
INSERT INTO tenants (id, doc, revision, version, created_at, updated_at)
SELECT ?1, ?2, ${NOW}, ${NOW}, ${NOW}, ${NOW}
WHERE ?3 IS NULL OR EXISTS (SELECT 1 FROM tenants WHERE id = ?1 AND ?3 IN (version, 'any'))
ON CONFLICT (id) DO UPDATE SET
  doc = excluded.doc, revision = tenants.revision + 1, version = tenants.revision + 1,
  updated_at = excluded.updated_at
RETURNING revision`;

/** ?1 = tenant, ?2 = rule, before it is put: a new one is counted. */
export const COUNT_RULE = `
UPDATE tenants SET rules = rules + 1
WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM resources WHERE tenant = ?1 AND kind = 'rule' AND id = ?2)`;
/** ?1 = tenant, ?2 = rule, after it was put: one that was counted and, as one too many, refused. */
export const UNCOUNT_RULE = `
UPDATE tenants SET rules = rules - 1
WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM resources WHERE tenant = ?1 AND kind = 'rule' AND id = ?2)`;
/** ?1 = tenant, ?2 = rule, ?3 = as in its deletion, which follows. */
export const COUNT_RULE_DELETED = `
UPDATE tenants SET rules = rules - 1
WHERE id = ?1 AND EXISTS (SELECT 1 FROM resources
  WHERE tenant = ?1 AND kind = 'rule' AND id = ?2 AND (?3 IS NULL OR ?3 IN (version, 'any')))`;

/**
 * ?1 = tenant, ?2 = kind, ?3 = id, ?4 = document, ?5 = sealed, ?6 = keep what is sealed, ?7 = as ?3 of a tenant,
 * ?8 = how many rules there may be with it when it is new, or null.
 */
export const PUT_RESOURCE = `
INSERT INTO resources (tenant, kind, id, doc, sealed, version, created_at, updated_at)
SELECT ?1, ?2, ?3, ?4, ?5, t.revision, t.updated_at, t.updated_at FROM tenants AS t
WHERE t.id = ?1 AND (?7 IS NULL AND (?8 IS NULL OR t.rules <= ?8) OR EXISTS (
  SELECT 1 FROM resources WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND COALESCE(?7, 'any') IN (version, 'any')))
ON CONFLICT (tenant, kind, id) DO UPDATE SET
  doc = excluded.doc, version = excluded.version, updated_at = excluded.updated_at,
  sealed = CASE WHEN ?6 THEN resources.sealed ELSE excluded.sealed END
RETURNING version`;

/** ?1 = tenant, ?2 = kind, ?3 = id, ?4 = version it must have, 'any' or null. */
export const DELETE_RESOURCE = `
DELETE FROM resources
WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND (?4 IS NULL OR ?4 IN (version, 'any'))
RETURNING id`;

/**
 * ?1 = tenant, ?2 = target. Unless it is closed now: what is parked for it is to be released, by whoever
 * opened it or, should that process end before, by the sweeper.
 */
export const NOTE_OPENING = `
INSERT INTO openings (tenant, target, version)
SELECT id, ?2, revision FROM tenants
WHERE id = ?1 AND NOT EXISTS (
  SELECT 1 FROM resources WHERE tenant = ?1 AND kind = 'target' AND id = ?2
    AND (doc->>'$.paused' IS 1 OR doc->'$.disabled' IS NOT NULL))
ON CONFLICT (tenant, target) DO UPDATE SET version = excluded.version`;

/** ?1 = tenant, ?2 = job, ?3 = version it must have, 'any' or null. */
export const BEGIN_DELETION = `
INSERT INTO jobs (id, tenant, kind, query, total, state, created_at, updated_at)
SELECT ?2, id, 'delete-tenant', '{}', 0, 'running', ${NOW}, ${NOW} FROM tenants
WHERE id = ?1 AND (?3 IS NULL OR ?3 IN (version, 'any'))
RETURNING id`;
/** ?1 = tenant, ?2 = job: only if it has begun. */
export const DELETE_RESOURCES = `
DELETE FROM resources WHERE tenant = ?1 AND EXISTS (SELECT 1 FROM jobs WHERE id = ?2)`;
/** ?1 = tenant, ?2 = job: only if it has begun. */
export const DELETE_OPENINGS = `
DELETE FROM openings WHERE tenant = ?1 AND EXISTS (SELECT 1 FROM jobs WHERE id = ?2)`;
/** ?1 = tenant, ?2 = job: only if it has begun. */
export const DELETE_TENANT = `
DELETE FROM tenants WHERE id = ?1 AND EXISTS (SELECT 1 FROM jobs WHERE id = ?2)`;

/** `rulesMax`: of one tenant. */
export function createConfigStore(
  session: Session,
  vault: Vault,
  rulesMax = RULES_PER_TENANT_MAX,
): ConfigStore {
  async function readResource(row: Row): Promise<StoredResource> {
    const [tenant, id] = [text(row.tenant), text(row.id)];
    const secrets =
      row.sealed === null
        ? null
        : (JSON.parse(
            await vault.open(`${tenant}/${text(row.kind)}/${id}`, text(row.sealed)),
          ) as Secrets);
    const secretIds = (secrets?.values ?? []).map((secret) =>
      vault.fingerprint(`${tenant}/${id}`, secret),
    );
    return {
      id,
      doc: text(row.doc),
      version: number(row.version),
      secrets,
      secretIds,
      createdAtMs: number(row.created_at),
      updatedAtMs: number(row.updated_at),
    };
  }

  const tenantRow = async (id: string): Promise<Row | undefined> =>
    (await session.rows("config.tenant", TENANT, [id]))[0];

  const resourceRow = async (
    tenant: string,
    kind: ResourceKind,
    id: string,
  ): Promise<Row | undefined> =>
    (await session.rows("config.resource", RESOURCE, [tenant, kind, id]))[0];

  return {
    async tenant(id) {
      const row = await tenantRow(id);
      return row === undefined ? null : readTenant(row);
    },

    async tenants(after, count) {
      const rows = await session.rows("config.tenants", TENANTS, [after, count + 1]);
      return pageOf(rows, count, readTenant);
    },

    async putTenant(id, doc, ifVersion) {
      const [before, rows] = await session.batch("config.put-tenant", [
        { sql: TENANT, params: [id] },
        { sql: PUT_TENANT, params: [id, doc, ifVersion] },
      ]);
      const present = before?.[0];
      const revision = rows?.[0]?.revision;
      if (revision === undefined) return differs(present?.version);
      return { kind: "written", created: present === undefined, revision: number(revision) };
    },

    async deleteTenant(id, ifVersion, job) {
      const [before, begun] = await session.batch("config.delete-tenant", [
        { sql: TENANT, params: [id] },
        { sql: BEGIN_DELETION, params: [id, job, ifVersion] },
        { sql: DELETE_RESOURCES, params: [id, job] },
        { sql: DELETE_OPENINGS, params: [id, job] },
        { sql: DELETE_TENANT, params: [id, job] },
      ]);
      const present = before?.[0];
      if (present === undefined) return { kind: "tenant-unknown" };
      if (begun?.[0] === undefined) return differs(present.version);
      return { kind: "written", created: false, revision: number(present.revision) + 1 };
    },

    async resource(tenant, kind, id) {
      const row = await resourceRow(tenant, kind, id);
      return row === undefined ? null : readResource(row);
    },

    async resources(tenant, kind, after, count) {
      const params = [tenant, kind, after, count + 1];
      const rows = await session.rows("config.resources", RESOURCES, params);
      const page = pageOf(rows, count, (row) => row);
      return { items: await Promise.all(page.items.map(readResource)), after: page.after };
    },

    async putResource(tenant, kind, id, { doc, secrets }, ifVersion) {
      const sealed =
        secrets === undefined || secrets === null
          ? null
          : await vault.seal(`${tenant}/${kind}/${id}`, JSON.stringify(secrets));
      const keep = secrets === undefined ? 1 : 0;
      // What has to be there already is never new.
      const isCounted = kind === "rule" && ifVersion === null;
      const counting = (sql: string) => (isCounted ? [{ sql, params: [tenant, id] }] : []);
      const cap = isCounted ? rulesMax : null;
      const counted = counting(COUNT_RULE);
      const results = await session.batch("config.put-resource", [
        ...counted,
        { sql: BUMP_REVISION, params: [tenant] },
        { sql: RESOURCE, params: [tenant, kind, id] },
        { sql: PUT_RESOURCE, params: [tenant, kind, id, doc, sealed, keep, ifVersion, cap] },
        ...counting(UNCOUNT_RULE),
        ...noteChange(tenant, kind, id),
      ]);
      const [bumped, before, rows] = results.slice(counted.length);
      if (bumped?.[0] === undefined) return { kind: "tenant-unknown" };
      const present = before?.[0];
      const version = rows?.[0]?.version;
      if (version !== undefined) {
        return { kind: "written", created: present === undefined, revision: number(version) };
      }
      return isCounted ? { kind: "too-many-rules", rulesMax } : differs(present?.version);
    },

    async deleteResource(tenant, kind, id, ifVersion) {
      const counted =
        kind === "rule" ? [{ sql: COUNT_RULE_DELETED, params: [tenant, id, ifVersion] }] : [];
      const results = await session.batch("config.delete-resource", [
        ...counted,
        { sql: BUMP_REVISION, params: [tenant] },
        { sql: RESOURCE, params: [tenant, kind, id] },
        { sql: DELETE_RESOURCE, params: [tenant, kind, id, ifVersion] },
        ...noteChange(tenant, kind, id),
      ]);
      const [bumped, before, deleted] = results.slice(counted.length);
      const revision = bumped?.[0]?.revision;
      if (revision === undefined) return { kind: "tenant-unknown" };
      if (deleted?.[0] !== undefined) {
        return { kind: "written", created: false, revision: number(revision) };
      }
      const present = before?.[0];
      return present === undefined ? { kind: "absent" } : differs(present.version);
    },
  };
}

/** What else a change of this kind writes down. */
function noteChange(tenant: string, kind: ResourceKind, id: string): Statement[] {
  if (kind === "rule") return keepVersion(tenant, id);
  return kind === "target" ? [{ sql: NOTE_OPENING, params: [tenant, id] }] : [];
}

const differs = (version: Row[string] | undefined): Written => ({
  kind: "version-differs",
  version: version === undefined ? null : number(version),
});

const readTenant = (row: Row): StoredTenant => ({
  id: text(row.id),
  doc: text(row.doc),
  revision: number(row.revision),
  version: number(row.version),
  createdAtMs: number(row.created_at),
  updatedAtMs: number(row.updated_at),
});

function pageOf<Item>(rows: readonly Row[], count: number, read: (row: Row) => Item): Page<Item> {
  const shown = rows.slice(0, count);
  const last = rows.length > count ? shown.at(-1) : undefined;
  return { items: shown.map(read), after: last === undefined ? null : text(last.id) };
}
