/** Configuration in D1, for the admin routes. A write and the tenant's new revision are one transaction. */

import { type Change, changeOf, type Version } from "../../core/deed.ts";
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
import {
  BEGIN_DELETION,
  BUMP_FOR_DELETE,
  BUMP_FOR_PUT,
  COUNT_RULE,
  COUNT_RULE_DELETED,
  DELETE_OPENINGS,
  DELETE_RESOURCE,
  DELETE_RESOURCES,
  DELETE_TENANT,
  FORGET_COMMANDS,
  NOTE_OPENING,
  PUT_RESOURCE,
  PUT_TENANT,
  RESOURCE,
  RESOURCES,
  TENANT,
  TENANTS,
  UNCOUNT_RULE,
} from "./config-statements.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { keepVersion } from "./versions.ts";

/** `rulesMax`: of one tenant. `note` hears what each change has changed. */
export function createConfigStore(
  session: Session,
  vault: Vault,
  rulesMax = RULES_PER_TENANT_MAX,
  note: (change: Change) => void = () => {},
): ConfigStore {
  async function readResource(row: Row): Promise<StoredResource> {
    const [tenant, id] = [text(row.tenant), text(row.id)];
    const opened =
      row.sealed === null
        ? null
        : await vault.open(`${tenant}/${text(row.kind)}/${id}`, text(row.sealed));
    const secrets = opened?.ok ? (JSON.parse(opened.plain) as Secrets) : null;
    const secretIds = (secrets?.values ?? []).map((secret) =>
      vault.fingerprints(`${tenant}/${id}`, secret),
    );
    return {
      id,
      doc: text(row.doc),
      version: number(row.version),
      secrets,
      secretIds,
      lockedBy: opened === null || opened.ok ? null : opened.keyId,
      createdAtMs: number(row.created_at),
      updatedAtMs: number(row.updated_at),
    };
  }

  /** Whether its secrets are others than before, by what is sealed; what cannot be opened is replaced. */
  async function isSealedAnew(
    before: Row | undefined,
    name: string,
    secrets: Secrets | null | undefined,
  ): Promise<boolean> {
    const sealed = before?.sealed ?? null;
    if (secrets === undefined) return false;
    if (sealed === null) return !isNothing(secrets);
    if (secrets === null) return true;
    const opened = await vault.open(name, text(sealed));
    return !opened.ok || opened.plain !== JSON.stringify(secrets);
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
      note(changeOf(versionOf(present), { version: number(revision), doc }, false));
      return { kind: "written", created: present === undefined, revision: number(revision) };
    },

    async deleteTenant(id, ifVersion, job) {
      const [before, begun] = await session.batch("config.delete-tenant", [
        { sql: TENANT, params: [id] },
        { sql: BEGIN_DELETION, params: [id, job, ifVersion] },
        { sql: DELETE_RESOURCES, params: [id, job] },
        { sql: DELETE_OPENINGS, params: [id, job] },
        { sql: FORGET_COMMANDS, params: [id, job] },
        { sql: DELETE_TENANT, params: [id, job] },
      ]);
      const present = before?.[0];
      if (present === undefined) return { kind: "tenant-unknown" };
      if (begun?.[0] === undefined) return differs(present.version);
      note(changeOf(versionOf(present), null, false));
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
        { sql: BUMP_FOR_PUT, params: [tenant, kind, id, ifVersion, cap] },
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
        const after = { version: number(version), doc };
        const isSealed = await isSealedAnew(present, `${tenant}/${kind}/${id}`, secrets);
        note(changeOf(versionOf(present), after, isSealed));
        return { kind: "written", created: present === undefined, revision: number(version) };
      }
      return isCounted ? { kind: "too-many-rules", rulesMax } : differs(present?.version);
    },

    async deleteResource(tenant, kind, id, ifVersion) {
      const counted =
        kind === "rule" ? [{ sql: COUNT_RULE_DELETED, params: [tenant, id, ifVersion] }] : [];
      const results = await session.batch("config.delete-resource", [
        ...counted,
        { sql: BUMP_FOR_DELETE, params: [tenant, kind, id, ifVersion] },
        { sql: RESOURCE, params: [tenant, kind, id] },
        { sql: DELETE_RESOURCE, params: [tenant, kind, id, ifVersion] },
        ...noteChange(tenant, kind, id),
      ]);
      const [bumped, before, deleted] = results.slice(counted.length);
      const revision = bumped?.[0]?.revision;
      if (revision === undefined) return { kind: "tenant-unknown" };
      if (deleted?.[0] !== undefined) {
        note(changeOf(versionOf(before?.[0]), null, false));
        return { kind: "written", created: false, revision: number(revision) };
      }
      const present = before?.[0];
      return present === undefined ? { kind: "absent" } : differs(present.version);
    },
  };
}

/** What else a change of this kind writes down. */
function noteChange(tenant: string, kind: ResourceKind, id: string): Statement[] {
  if (kind === "rule" || kind === "saga") return keepVersion(kind, tenant, id);
  return kind === "target" ? [{ sql: NOTE_OPENING, params: [tenant, id] }] : [];
}

const versionOf = (row: Row | undefined): Version | null =>
  row === undefined ? null : { version: number(row.version), doc: text(row.doc) };

const isNothing = (secrets: Secrets | null): boolean =>
  secrets === null ||
  (secrets.values.length === 0 &&
    Object.keys(secrets.headers ?? {}).length === 0 &&
    secrets.auth === undefined);

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
