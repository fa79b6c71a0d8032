/**
 * The ledger in D1: one statement per question, whole batches through `json_each`. What each batch asks stands here;
 * the rest is asked by the sweeper, by gates and by people, and loaded by the first of them.
 */
import type { Standing } from "../../core/changes.ts";
import { onFirstCall } from "../../core/first-use.ts";
import type { Slot } from "../../core/generation.ts";
import { keptType, keyOf } from "../../ports/claim.ts";
import type { DeliveryResult, Duplicate, Ledger } from "../../ports/ledger.ts";
import { type ClaimPart, claimParts, compactKey, readClaim } from "./claim.ts";
import { atKeys, idsOf, keyIn } from "./delivery-rows.ts";
import { createQueueControls, QUEUE_CONTROLS, readQueueControl } from "./queue-controls.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { bySlot } from "./slots.ts";
import * as sql from "./statements.ts";

const OWED_METHODS = [
  ...(["due", "putOff", "bury", "release", "openings", "recover", "expire"] as const),
  ...(["takeParked", "parkedTargets", "buryParked", "disableTarget"] as const),
  ...(["closedTargets", "buryClosed", "buryClosedExcess", "waiting"] as const),
];

export function createLedger(session: Session): Ledger {
  return {
    async claim(request) {
      const parts = claimParts(request);
      const rows = await session.batch("claim", parts);
      const of = (part: ClaimPart["part"]): Row[] =>
        parts.flatMap((each, at) => (each.part === part ? (rows[at] ?? []) : []));
      return readClaim(request, of);
    },

    queueControls: () => createQueueControls(session).read(),

    async changes(ids) {
      const [tenants = [], controls = []] = await session.batch("changes", [
        { sql: sql.REVISIONS, params: [JSON.stringify([...ids])] },
        { sql: QUEUE_CONTROLS, params: [] },
      ]);
      const standings = tenants.map((row): [string, Standing] => {
        const [revision, createdAtMs] = [number(row.revision), number(row.created_at)];
        return [text(row.id), { revision, createdAtMs }];
      });
      return { standings: new Map(standings), controls: controls.map(readQueueControl) };
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
      const rows = (await session.batch("settle", statements)).flat();
      const written = new Map(rows.map((row) => [keyIn(row), row.state]));
      const [refused, reopened] = [new Set<string>(), new Set<string>()];
      for (const result of results) {
        const key = keyOf(result);
        const state = written.get(key);
        if (state === undefined) refused.add(key);
        else if (result.state === "parked" && state === "pending") reopened.add(key);
      }
      return { refused, reopened };
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
        return { sql: sql.GIVE_BACK_EVENTS[slot], params: [idsOf(own), token] };
      });
      await session.batch("give-back", [
        ...statements,
        ...atKeys(ofKind("row"), sql.GIVE_BACK_DELIVERIES, token),
      ]);
    },

    ...onFirstCall(OWED_METHODS, async () => {
      const { createOwed } = await import("./owed.ts");
      return createOwed(session);
    }),
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
    keptType(result.type),
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
