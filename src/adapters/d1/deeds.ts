/**
 * The audit log in D1. A deed is a row of the very transaction in which the store makes its first change, or
 * is there before what other parts change; how it ended is written after. What is older than the ledger goes as new
 * rows come.
 */
import type { Change, DeedOutcome, DeedStart, DeedTold } from "../../core/deed.ts";
import { type Json, parseJsonDocument, stringifyJson } from "../../core/json.ts";
import { DEED_MS_MAX, DEEDS_FORGOTTEN_MAX } from "../../core/operator-limits.ts";
import type { Deed, Deeds, OpenDeed } from "../../ports/deeds.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { NOW } from "./statements.ts";

/** ?1 = id, ?2 = tenant or '', ?3 = key, ?4 = name, ?5 = action, ?6 = resource, ?7 = reason. */
export const WRITE_DEED = `
INSERT INTO deeds (at, id, tenant, key, name, action, resource, reason, outcome)
VALUES (${NOW}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'begun')
RETURNING at`;

/** ?1 = at, ?2 = id, ?3 = outcome, ?4 = status, ?5 = change. */
export const END_DEED = `
UPDATE deeds SET outcome = ?3, status = ?4, change = ?5 WHERE at = ?1 AND id = ?2`;

/** ?1 = how many: twice as many as one deed adds, so that there is an end of them. */
export const FORGET_DEEDS = `
DELETE FROM deeds WHERE (at, id) IN (
  SELECT at, id FROM deeds WHERE at < ${NOW} - ${DEED_MS_MAX} ORDER BY at LIMIT ?1)`;

const PAGE = `at >= MAX(?3, ${NOW} - ${DEED_MS_MAX}) AND (at, id) < (?1, ?2)
  AND (?4 IS NULL OR key = ?4 OR name = ?4) AND (?5 IS NULL OR action = ?5)
ORDER BY at DESC, id DESC LIMIT ?6`;
/** ?1 and ?2 = before this time and id, ?3 = from, ?4 = actor, ?5 = action, ?6 = how many. */
export const DEEDS = `SELECT * FROM deeds WHERE ${PAGE}`;
/** The same; ?7 = tenant. */
export const DEEDS_OF_TENANT = `SELECT * FROM deeds WHERE tenant = ?7 AND ${PAGE}`;

/** Whether a statement changes something. */
const CHANGES = /^\s*(INSERT|UPDATE|DELETE)\b/;

export interface Recording {
  /** Of this deed only. */
  readonly session: Session;
  readonly deed: OpenDeed;
  note(change: Change): void;
}

/** A session whose first change takes the deed along. */
export function record(session: Session, start: DeedStart): Recording {
  let told: DeedTold | null = null;
  let atMs: number | null = null;
  let change: Change | null = null;
  const written = (row: Row | undefined): void => {
    atMs = number(row?.at);
  };

  const writing = (): Statement => {
    const { id, tenant, key, action, resource } = start;
    const { name = null, reason = null } = told ?? {};
    return { sql: WRITE_DEED, params: [id, tenant ?? "", key, name, action, resource, reason] };
  };

  async function write(): Promise<void> {
    const { sql, params } = writing();
    written((await session.rows("write-deed", sql, params))[0]);
  }

  const deed: OpenDeed = {
    async begin(said, isWrittenNow) {
      told ??= said;
      if (isWrittenNow && atMs === null) await write();
    },
    async end(outcome, status) {
      if (atMs === null && outcome === "done" && told !== null) await write();
      if (atMs === null) return;
      const noted = change === null ? null : stringifyJson(change as unknown as Json);
      await session.batch("end-deed", [
        { sql: END_DEED, params: [atMs, start.id, outcome, status, noted] },
        { sql: FORGET_DEEDS, params: [DEEDS_FORGOTTEN_MAX] },
      ]);
    },
  };

  const batch: Session["batch"] = async (operation, statements) => {
    if (atMs !== null || !statements.some(({ sql }) => CHANGES.test(sql))) {
      return session.batch(operation, statements);
    }
    // At the end: by the database's clock, nothing that it changes is later.
    const results = await session.batch(operation, [...statements, writing()]);
    written(results.at(-1)?.[0]);
    return results.slice(0, -1);
  };

  return {
    session: {
      batch,
      rows: async (operation, sql, params) => (await batch(operation, [{ sql, params }]))[0] ?? [],
    },
    deed,
    note: (noted) => {
      change = noted;
    },
  };
}

export const createDeeds = (session: Session): Deeds => ({
  async list({ tenant, actor, action, fromMs, toMs }, after, count) {
    const before = [after?.atMs ?? toMs, after?.id ?? ""];
    const params = [...before, fromMs, actor ?? null, action ?? null, count + 1];
    const rows =
      tenant === undefined
        ? await session.rows("deeds", DEEDS, params)
        : await session.rows("deeds", DEEDS_OF_TENANT, [...params, tenant]);
    const items = rows.slice(0, count).map(readDeed);
    const last = rows.length > count ? items.at(-1) : undefined;
    return { items, next: last === undefined ? null : { atMs: last.atMs, id: last.id } };
  },
});

const textOrNull = (value: Row[string] | undefined): string | null =>
  value === null ? null : text(value);

function readDeed(row: Row): Deed {
  const change = parseJsonDocument(text(row.change));
  return {
    id: text(row.id),
    atMs: number(row.at),
    key: text(row.key),
    name: textOrNull(row.name),
    action: text(row.action),
    resource: text(row.resource),
    tenant: row.tenant === "" ? null : text(row.tenant),
    reason: textOrNull(row.reason),
    outcome: text(row.outcome) as DeedOutcome,
    status: row.status === null ? null : number(row.status),
    change: change.ok ? (change.value as unknown as Change) : null,
  };
}
