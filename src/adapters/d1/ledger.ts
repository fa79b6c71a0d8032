/** The ledger in D1: one statement per question, whole batches through `json_each`. */
import { changesSince, type Standing } from "../../core/changes.ts";
import type { Slot } from "../../core/generation.ts";
import { type DeliveryResult, type Duplicate, keyOf, type Ledger } from "../../ports/ledger.ts";
import { type ClaimPart, claimParts, compactKey, readClaim } from "./claim.ts";
import { atKeys, idsOf, inEachSlot, keysOf, readDue } from "./delivery-rows.ts";
import { expire } from "./expire.ts";
import * as owed from "./owed-statements.ts";
import { createParked } from "./parked.ts";
import { createQueueControls, QUEUE_CONTROLS, readQueueControl } from "./queue-controls.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { bySlot } from "./slots.ts";
import * as sql from "./statements.ts";

/** Paced redrives go out this long ahead: the time between two sweeps and a little more. */
const PACED_HORIZON_MS = 75_000;

export function createLedger(session: Session): Ledger {
  return {
    ...createParked(session),

    async claim(request) {
      const parts = claimParts(request);
      const rows = await session.batch("claim", parts);
      const of = (part: ClaimPart["part"]): Row[] =>
        parts.flatMap((each, at) => (each.part === part ? (rows[at] ?? []) : []));
      return readClaim(request, of);
    },

    queueControls: () => createQueueControls(session).read(),

    async changes(known) {
      const [tenants = [], controls = []] = await session.batch("changes", [
        { sql: sql.REVISIONS, params: [JSON.stringify([...known.keys()])] },
        { sql: QUEUE_CONTROLS, params: [] },
      ]);
      const found = tenants.map((row): [string, Standing] => {
        const [revision, createdAtMs] = [number(row.revision), number(row.created_at)];
        return [text(row.id), { revision, createdAtMs }];
      });
      return {
        revisions: changesSince(known, new Map(found)),
        controls: controls.map(readQueueControl),
      };
    },

    async settle(token, results, duplicates) {
      const ofKind = (kind: DeliveryResult["claimedBy"]) =>
        bySlot(results.filter(({ claimedBy }) => claimedBy === kind));
      const statements: Statement[] = [
        ...ofKind("event").map(([slot, own]) =>
          settleStatement(sql.SETTLE_BY_EVENT[slot], token, own),
        ),
        ...ofKind("row").map(([slot, own]) => settleStatement(sql.SETTLE_BY_ROW[slot], token, own)),
        ...bySlot(results.filter(({ isUnplaced }) => isUnplaced)).map(
          ([slot, own]): Statement => ({ sql: sql.UNPLACE[slot], params: [idsOf(own), token] }),
        ),
        ...bySlot(duplicates).map(duplicatesStatement),
      ];
      const written = keysOf((await session.batch("settle", statements)).flat());
      return new Set(results.map(keyOf).filter((key) => !written.has(key)));
    },

    async place(token, placements) {
      const statements = bySlot(placements).map(([slot, own]): Statement => {
        const rows = own.map(({ event, pointer: { segment, offset, length } }) => {
          return [event, segment, offset, length];
        });
        return { sql: sql.PLACE[slot], params: [JSON.stringify(rows), token] };
      });
      await session.batch("place", statements);
    },

    async giveBack(token, unfinished) {
      const ofKind = (kind: DeliveryResult["claimedBy"]) =>
        unfinished.filter(({ claimedBy }) => claimedBy === kind);
      const statements = bySlot(ofKind("event")).map(([slot, own]): Statement => {
        return { sql: owed.GIVE_BACK_EVENTS[slot], params: [idsOf(own), token] };
      });
      await session.batch("give-back", [
        ...statements,
        ...atKeys(ofKind("row"), owed.GIVE_BACK_DELIVERIES, token),
      ]);
    },

    async due(horizonMs, count) {
      const params = [horizonMs, count, PACED_HORIZON_MS];
      return (await session.rows("due", owed.DUE, params)).map(readDue);
    },

    async putOff(keys, byMs) {
      await session.batch("put-off", atKeys(keys, owed.PUT_OFF, byMs));
    },

    async bury(keys, reason) {
      await session.batch("bury", atKeys(keys, owed.BURY, reason));
    },

    async release(tenant, target) {
      const [seen] = await session.rows("opening", owed.OPENING, [tenant, target]);
      const params = [tenant, target, owed.RELEASE_PAGE];
      for (let released = 0; ; ) {
        const pages = await session.batch("release", inEachSlot(owed.RELEASE, params));
        released += pages.flat().length;
        if (pages.some((rows) => rows.length === owed.RELEASE_PAGE)) continue;
        if (seen !== undefined) {
          const version = number(seen.version);
          await session.rows("end-opening", owed.END_OPENING, [tenant, target, version]);
        }
        return released;
      }
    },

    async openings(count) {
      const rows = await session.rows("openings", owed.OPENINGS, [count]);
      return rows.map((row) => ({ tenant: text(row.tenant), target: text(row.target) }));
    },

    async recover(isolate) {
      await session.batch("recover", [
        ...inEachSlot(owed.END_EVENT_LEASES, [isolate]),
        ...inEachSlot(owed.END_DELIVERY_LEASES, [isolate]),
      ]);
    },

    expire: (nowMs) => expire(session, nowMs),

    async disableTarget(tenant, target, reason) {
      const [, rows] = await session.batch("disable-target", [
        { sql: owed.BUMP_REVISION, params: [tenant] },
        { sql: owed.DISABLE_TARGET, params: [tenant, target, reason] },
      ]);
      const revision = rows?.[0]?.version;
      return revision === undefined ? null : number(revision);
    },
  };
}

function settleStatement(
  statement: string,
  token: string,
  results: readonly DeliveryResult[],
): Statement {
  const rows = results.map((result) => [
    ...compactKey(result),
    result.rule,
    result.target,
    result.priority,
    result.source,
    result.type,
    result.state,
    result.attempts,
    result.dueInMs,
    result.lastStatus,
    result.lastError,
    result.attempt,
    result.order?.key ?? null,
    result.order?.value ?? null,
    result.order?.isWaiting === true ? "." : null,
  ]);
  return { sql: statement, params: [JSON.stringify(rows), token] };
}

function duplicatesStatement([slot, duplicates]: [Slot, Duplicate[]]): Statement {
  const rows = duplicates.map((copy) => [copy.event, copy.receipt, copy.receivedAtMs, copy.reason]);
  return { sql: sql.RECORD_DUPLICATES[slot], params: [JSON.stringify(rows)] };
}
