/** Configuration in D1, for the admin routes. A write and the tenant's new revision are one transaction. */
import { and, asc, eq, gt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { ResourceKind, Secrets } from "../../core/resources.ts";
import type {
  ConfigStore,
  Page,
  StoredResource,
  StoredTenant,
  Written,
} from "../../ports/config.ts";
import type { Vault } from "../../ports/vault.ts";
import { resources, tenants } from "./schema.ts";
import { named, number, type Session } from "./session.ts";
import { BUMP_REVISION } from "./statements.ts";

type TenantRow = typeof tenants.$inferSelect;
type ResourceRow = typeof resources.$inferSelect;

/** ?1 = tenant, ?2 = document, ?3 = now, ?4 = version it must have, or null. */
const PUT_TENANT = `
INSERT INTO tenants (id, doc, revision, created_at, updated_at)
SELECT ?1, ?2, ?3, ?3, ?3
WHERE ?4 IS NULL OR EXISTS (SELECT 1 FROM tenants WHERE id = ?1 AND revision = ?4)
ON CONFLICT (id) DO UPDATE SET
  doc = excluded.doc, revision = tenants.revision + 1, updated_at = excluded.updated_at
RETURNING revision`;

/** ?1 = tenant, ?2 = kind, ?3 = id, ?4 = document, ?5 = sealed, ?6 = keep what is sealed, ?7 = as ?4 above. */
const PUT_RESOURCE = `
INSERT INTO resources (tenant, kind, id, doc, sealed, version, created_at, updated_at)
SELECT ?1, ?2, ?3, ?4, ?5, t.revision, t.updated_at, t.updated_at FROM tenants AS t
WHERE t.id = ?1 AND (?7 IS NULL OR EXISTS (
  SELECT 1 FROM resources WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND version = ?7))
ON CONFLICT (tenant, kind, id) DO UPDATE SET
  doc = excluded.doc, version = excluded.version, updated_at = excluded.updated_at,
  sealed = CASE WHEN ?6 THEN resources.sealed ELSE excluded.sealed END
RETURNING version, created_at = updated_at AS created`;

/** ?1 = tenant, ?2 = kind, ?3 = id, ?4 = version it must have, or null. */
const DELETE_RESOURCE = `
DELETE FROM resources WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND (?4 IS NULL OR version = ?4)
RETURNING id`;

export function createConfigStore(d1: D1Database, session: Session, vault: Vault): ConfigStore {
  const db = drizzle(d1);

  async function readResource(row: ResourceRow): Promise<StoredResource> {
    const name = `${row.tenant}/${row.kind}/${row.id}`;
    const secrets =
      row.sealed === null ? null : (JSON.parse(await vault.open(name, row.sealed)) as Secrets);
    const { id, doc, version } = row;
    const secretIds = (secrets?.values ?? []).map((secret) =>
      vault.fingerprint(`${row.tenant}/${row.id}`, secret),
    );
    return {
      id,
      doc,
      version,
      secrets,
      secretIds,
      createdAtMs: row.createdAt,
      updatedAtMs: row.updatedAt,
    };
  }

  async function resourceRow(
    tenant: string,
    kind: ResourceKind,
    id: string,
  ): Promise<ResourceRow | null> {
    const { tenant: ofTenant, kind: ofKind, id: withId } = resources;
    const where = and(eq(ofTenant, tenant), eq(ofKind, kind), eq(withId, id));
    const rows = await named("config.resource", db.select().from(resources).where(where));
    return rows[0] ?? null;
  }

  async function tenantRow(id: string): Promise<TenantRow | null> {
    const query = db.select().from(tenants).where(eq(tenants.id, id));
    return (await named("config.tenant", query))[0] ?? null;
  }

  return {
    async tenant(id) {
      const row = await tenantRow(id);
      return row === null ? null : readTenant(row);
    },

    async tenants(after, count) {
      const query = db
        .select()
        .from(tenants)
        .where(gt(tenants.id, after))
        .orderBy(asc(tenants.id))
        .limit(count + 1);
      return pageOf(await named("config.tenants", query), count, readTenant);
    },

    async putTenant(id, doc, ifVersion) {
      // The first revision is the time, so that a tenant made anew never repeats an old revision.
      const now = Date.now();
      const [rows] = await session.batch("config.put-tenant", [
        { sql: PUT_TENANT, params: [id, doc, now, ifVersion] },
      ]);
      const revision = rows?.[0]?.revision;
      if (revision === undefined) return differs((await tenantRow(id))?.revision ?? null);
      return { kind: "written", created: revision === now, revision: number(revision) };
    },

    async deleteTenant(id, ifVersion) {
      const present = await tenantRow(id);
      if (present === null) return { kind: "tenant-unknown" };
      if (ifVersion !== null && ifVersion !== present.revision) return differs(present.revision);
      const deletion = db.batch([
        db.delete(resources).where(eq(resources.tenant, id)),
        db.delete(tenants).where(eq(tenants.id, id)),
      ]);
      await named("config.delete-tenant", deletion);
      return { kind: "written", created: false, revision: present.revision + 1 };
    },

    async resource(tenant, kind, id) {
      const row = await resourceRow(tenant, kind, id);
      return row === null ? null : readResource(row);
    },

    async resources(tenant, kind, after, count) {
      const query = db
        .select()
        .from(resources)
        .where(and(eq(resources.tenant, tenant), eq(resources.kind, kind), gt(resources.id, after)))
        .orderBy(asc(resources.id))
        .limit(count + 1);
      const page = pageOf(await named("config.resources", query), count, (row) => row);
      return { items: await Promise.all(page.items.map(readResource)), after: page.after };
    },

    async putResource(tenant, kind, id, { doc, secrets }, ifVersion) {
      const sealed =
        secrets === undefined || secrets === null
          ? null
          : await vault.seal(`${tenant}/${kind}/${id}`, JSON.stringify(secrets));
      const keep = secrets === undefined ? 1 : 0;
      const [, rows] = await session.batch("config.put-resource", [
        { sql: BUMP_REVISION, params: [tenant] },
        { sql: PUT_RESOURCE, params: [tenant, kind, id, doc, sealed, keep, ifVersion] },
      ]);
      const row = rows?.[0];
      if (row !== undefined) {
        return { kind: "written", created: row.created === 1, revision: number(row.version) };
      }
      if ((await tenantRow(tenant)) === null) return { kind: "tenant-unknown" };
      return differs((await resourceRow(tenant, kind, id))?.version ?? null);
    },

    async deleteResource(tenant, kind, id, ifVersion) {
      const [bumped, deleted] = await session.batch("config.delete-resource", [
        { sql: BUMP_REVISION, params: [tenant] },
        { sql: DELETE_RESOURCE, params: [tenant, kind, id, ifVersion] },
      ]);
      const revision = bumped?.[0]?.revision;
      if (revision === undefined) return { kind: "tenant-unknown" };
      if (deleted?.[0] !== undefined) {
        return { kind: "written", created: false, revision: number(revision) };
      }
      const present = await resourceRow(tenant, kind, id);
      return present === null ? { kind: "absent" } : differs(present.version);
    },
  };
}

const differs = (version: number | null): Written => ({ kind: "version-differs", version });

const readTenant = (row: TenantRow): StoredTenant => ({
  id: row.id,
  doc: row.doc,
  revision: row.revision,
  createdAtMs: row.createdAt,
  updatedAtMs: row.updatedAt,
});

function pageOf<Row extends { id: string }, Item>(
  rows: readonly Row[],
  count: number,
  read: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, count);
  const last = shown.at(-1);
  return { items: shown.map(read), after: rows.length > count && last ? last.id : null };
}
