/** The statements of the configuration's store. */
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

/** Whether a resource `r` of a tenant `t` may be put: by its version, and by how many rules there may be. */
const mayPut = (ifVersion: string, rulesMax: string): string => `CASE
  WHEN r.id IS NULL
  THEN ${ifVersion} IS 'none' OR ${ifVersion} IS NULL AND (${rulesMax} IS NULL OR t.rules <= ${rulesMax})
  ELSE COALESCE(${ifVersion}, 'any') IN (r.version, 'any') END`;

/** A revision more if `isChanged`, before the change: what is refused has nobody read the tenant anew. */
const bumpIf = (isChanged: string): string => `
UPDATE tenants SET
  revision = tenants.revision + c.is_changed,
  updated_at = CASE WHEN c.is_changed THEN ${NOW} ELSE tenants.updated_at END
FROM (
  SELECT ${isChanged} AS is_changed FROM tenants AS t
  LEFT JOIN resources AS r ON r.tenant = t.id AND r.kind = ?2 AND r.id = ?3
  WHERE t.id = ?1) AS c
WHERE tenants.id = ?1
RETURNING revision`;

/** ?1 = tenant, ?2 = kind, ?3 = id, ?4 and ?5 = ?7 and ?8 of the put that follows. */
export const BUMP_FOR_PUT = bumpIf(mayPut("?4", "?5"));
/** ?1 = tenant, ?2 = kind, ?3 = id, ?4 = as in the deletion that follows. */
export const BUMP_FOR_DELETE = bumpIf(
  "r.id IS NOT NULL AND COALESCE(?4, 'any') IN (r.version, 'any')",
);

/**
 * ?1 = tenant, ?2 = kind, ?3 = id, ?4 = document, ?5 = sealed, ?6 = keep what is sealed, ?7 = as ?3 of a tenant, or
 * 'none' for what must not be there, ?8 = how many rules there may be with it when it is new, or null.
 */
export const PUT_RESOURCE = `
INSERT INTO resources (tenant, kind, id, doc, sealed, version, created_at, updated_at)
SELECT ?1, ?2, ?3, ?4, ?5, t.revision, t.updated_at, t.updated_at FROM tenants AS t
LEFT JOIN resources AS r ON r.tenant = t.id AND r.kind = ?2 AND r.id = ?3
WHERE t.id = ?1 AND ${mayPut("?7", "?8")}
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
/** ?1 = tenant, ?2 = job: only if it has begun. Jobs stay to be read; their commands are those of this life. */
export const FORGET_COMMANDS = `
UPDATE jobs SET command_id = NULL
WHERE tenant = ?1 AND command_id IS NOT NULL AND EXISTS (SELECT 1 FROM jobs WHERE id = ?2)`;
/** ?1 = tenant, ?2 = job: only if it has begun. */
export const DELETE_TENANT = `
DELETE FROM tenants WHERE id = ?1 AND EXISTS (SELECT 1 FROM jobs WHERE id = ?2)`;
