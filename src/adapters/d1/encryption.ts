/** Sealed secrets by their keys: counted, and sealed anew. No secret leaves this file as it is. */
import type { ResourceKind, Secrets } from "../../core/resources.ts";
import type { Encryption, Resealer } from "../../ports/encryption.ts";
import type { Vault } from "../../ports/vault.ts";
import { KEY_ID_PLACE } from "../secrets.ts";
import { JOB, readJobs } from "./jobs.ts";
import { RUNNING_RESEAL } from "./reseals.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { NOW } from "./statements.ts";

const KEY = `substr(sealed, ${KEY_ID_PLACE.from}, ${KEY_ID_PLACE.length})`;

/** Through all resources: asked by a person, now and then. */
export const CENSUS = `
SELECT ${KEY} AS key, COUNT(*) AS secrets FROM resources WHERE sealed IS NOT NULL GROUP BY 1`;

/** ?1 = job. Unless one is under way. */
export const BEGIN_RESEAL = `
INSERT INTO jobs (id, tenant, kind, query, total, state, created_at, updated_at)
SELECT ?1, '', 'reseal', '{}', (SELECT COUNT(*) FROM resources WHERE sealed IS NOT NULL), 'running', ${NOW}, ${NOW}
WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND kind = 'reseal')`;

/** ?1, ?2, ?3 = after this tenant, kind and id, ?4 = how many. */
export const SEALED = `
SELECT tenant, kind, id, sealed, ${KEY} AS key FROM resources
WHERE (tenant, kind, id) > (?1, ?2, ?3) AND sealed IS NOT NULL
ORDER BY tenant, kind, id LIMIT ?4`;

/** ?1 = tenant, ?2 = kind, ?3 = id, ?4 = sealed anew, ?5 = as it was read. The version stays: nothing else is new. */
export const RESEAL = `
UPDATE resources SET sealed = ?4 WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND sealed = ?5
RETURNING id`;

/** ?1 = job, ?2 = where it has come to, ?3 = how many more were looked at, ?4 = whether that was all. */
export const NOTE_RESEAL = `
UPDATE jobs SET query = ?2, removed = removed + ?3, updated_at = ${NOW},
  state = CASE WHEN ?4 THEN 'done' ELSE state END
WHERE id = ?1`;

export const createEncryption = (session: Session, vault: Vault): Encryption => ({
  keyId: vault.keyId,
  oldKeyIds: vault.oldKeyIds,
  census: async () =>
    (await session.rows("census", CENSUS, [])).map(({ key, secrets }) => {
      return { keyId: text(key), secrets: number(secrets) };
    }),
  async begin(id) {
    const [, running] = await session.batch("reseal", [
      { sql: BEGIN_RESEAL, params: [id] },
      { sql: RUNNING_RESEAL, params: [] },
    ]);
    const [job] = await readJobs(session, JOB, [text(running?.[0]?.id ?? id), ""]);
    if (job === undefined) throw new Error("the job that was just written is not there");
    return job;
  },
});

export function createResealer(session: Session, vault: Vault): Resealer {
  return {
    async page(after, count) {
      const params = [...(after ?? ["", "", ""]), count];
      const rows = await session.rows("sealed", SEALED, params);
      const renamed = new Map<string, Record<string, string>>();
      const locked: { resource: string; keyId: string }[] = [];
      const writes: Statement[] = [];
      for (const row of rows) {
        const [tenant, kind, id] = keyOf(row);
        const resource = `${tenant}/${kind}/${id}`;
        const sealedBefore = text(row.sealed);
        // One that is damaged stays as it is, and holds up no other.
        const opened = await vault.open(resource, sealedBefore);
        if (!opened.ok) {
          locked.push({ resource, keyId: opened.keyId });
          continue;
        }
        if (row.key !== vault.keyId) {
          const sealed = await vault.seal(resource, opened.plain);
          writes.push({ sql: RESEAL, params: [tenant, kind, id, sealed, sealedBefore] });
        }
        if (kind !== "source") continue;
        const { values } = JSON.parse(opened.plain) as Secrets;
        renamed.set(tenant, { ...renamed.get(tenant), ...namesOf(`${tenant}/${id}`, values) });
      }
      const written = writes.length === 0 ? [] : await session.batch("reseal-page", writes);
      const last = rows.at(-1);
      return {
        ...{ looked: rows.length, resealed: written.flat().length },
        after: rows.length < count || last === undefined ? null : keyOf(last),
        ...{ renamed, locked },
      };
    },

    async note(job, { after, looked }) {
      const query = JSON.stringify({ after });
      await session.rows("note-reseal", NOTE_RESEAL, [job, query, looked, after === null ? 1 : 0]);
    },
  };

  /** What each secret was called under older keys, and is called now. */
  function namesOf(name: string, values: readonly string[]): Record<string, string> {
    const names: Record<string, string> = {};
    for (const value of values) {
      const [now = "", ...before] = vault.fingerprints(name, value);
      for (const old of before) names[old] = now;
    }
    return names;
  }
}

const keyOf = (row: Row): [string, ResourceKind, string] => [
  text(row.tenant),
  text(row.kind) as ResourceKind,
  text(row.id),
];
