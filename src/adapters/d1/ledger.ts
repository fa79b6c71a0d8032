/** The ledger in D1: one statement per question, whole batches through `json_each`. */
import {
  type AgainClaim,
  type ClaimAnswer,
  type ClaimRequest,
  type DeliveryKey,
  type DeliveryResult,
  type DueDelivery,
  type Duplicate,
  type FirstVerdict,
  firstKey,
  keyOf,
  type Ledger,
} from "../../ports/ledger.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import * as sql from "./statements.ts";

/** Paced redrives go out this long ahead: the time between two sweeps and a little more. */
const PACED_HORIZON_MS = 75_000;

export function createLedger(session: Session): Ledger {
  return {
    async claim(request) {
      const statements = claimStatements(request);
      const rows = await session.batch("claim", [...statements.values()]);
      const answers = new Map([...statements.keys()].map((name, at) => [name, rows[at] ?? []]));
      return readClaim(request, answers);
    },

    async settle(token, results, duplicates) {
      const byEvent = results.filter((result) => result.claimedBy === "event");
      const byRow = results.filter((result) => result.claimedBy === "row");
      const statements: Statement[] = [];
      if (byEvent.length > 0) statements.push(settleStatement(sql.SETTLE_BY_EVENT, token, byEvent));
      if (byRow.length > 0) statements.push(settleStatement(sql.SETTLE_BY_ROW, token, byRow));
      if (duplicates.length > 0) statements.push(duplicatesStatement(duplicates));
      const written = new Set(
        (await session.batch("settle", statements))
          .flat()
          .map((row) => `${text(row.event)} ${text(row.subscription)}`),
      );
      return new Set(results.map(keyOf).filter((key) => !written.has(key)));
    },

    async due(horizonMs, count) {
      const [rows] = await session.batch("due", [
        { sql: sql.DUE, params: [horizonMs, count, PACED_HORIZON_MS] },
      ]);
      return (rows ?? []).map(readDue);
    },

    async putOff(keys, byMs) {
      const params = [JSON.stringify(keys.map(compactKey)), byMs];
      await session.batch("put-off", [{ sql: sql.PUT_OFF, params }]);
    },

    async bury(keys, reason) {
      const params = [JSON.stringify(keys.map(compactKey)), reason];
      await session.batch("bury", [{ sql: sql.BURY, params }]);
    },

    async release(tenant, target) {
      let released = 0;
      for (;;) {
        const [rows] = await session.batch("release", [
          { sql: sql.RELEASE, params: [tenant, target, sql.RELEASE_PAGE] },
        ]);
        released += rows?.length ?? 0;
        if ((rows?.length ?? 0) < sql.RELEASE_PAGE) return released;
      }
    },

    async recover() {
      await session.batch("recover", [
        { sql: sql.END_EVENT_LEASES, params: [] },
        { sql: sql.END_DELIVERY_LEASES, params: [] },
      ]);
    },

    async disableTarget(tenant, target, reason) {
      const [, rows] = await session.batch("disable-target", [
        { sql: sql.BUMP_REVISION, params: [tenant] },
        { sql: sql.DISABLE_TARGET, params: [tenant, target, reason] },
      ]);
      const revision = rows?.[0]?.version;
      return revision === undefined ? null : number(revision);
    },
  };
}

type ClaimPart = "claim" | "others" | "done" | "agains" | "revisions";

function claimStatements(request: ClaimRequest): Map<ClaimPart, Statement> {
  const statements = new Map<ClaimPart, Statement>();
  const { token } = request;
  const leaseMs = request.leaseSeconds * 1_000;
  if (request.firsts.length > 0) {
    const firsts = JSON.stringify(
      request.firsts.map((first) => [
        first.id,
        first.receipt,
        first.tenant,
        first.source,
        first.type,
        first.receivedAtMs,
        first.pointer.segment,
        first.pointer.offset,
        first.pointer.length,
      ]),
    );
    statements.set("claim", { sql: sql.CLAIM_EVENTS, params: [firsts, token, leaseMs] });
    statements.set("others", { sql: sql.CLAIMED_BY_OTHERS, params: [firsts, token] });
    statements.set("done", { sql: sql.DONE_DELIVERIES, params: [firsts] });
  }
  if (request.agains.length > 0) {
    const agains = JSON.stringify(
      request.agains.map((again: AgainClaim) => [...compactKey(again), again.attempts]),
    );
    statements.set("agains", { sql: sql.CLAIM_DELIVERIES, params: [agains, token, leaseMs] });
  }
  statements.set("revisions", {
    sql: sql.REVISIONS,
    params: [JSON.stringify(request.tenants)],
  });
  return statements;
}

function readClaim(request: ClaimRequest, rows: ReadonlyMap<ClaimPart, Row[]>): ClaimAnswer {
  const of = (part: ClaimPart): Row[] => rows.get(part) ?? [];
  const done = new Map<string, Set<string>>();
  for (const row of of("done")) {
    const event = text(row.event);
    done.set(event, (done.get(event) ?? new Set()).add(text(row.subscription)));
  }
  const owned = new Set(
    of("claim").map((row) => firstKey({ id: text(row.id), receipt: text(row.receipt) })),
  );
  const others = new Map(of("others").map((row) => [text(row.id), row]));
  const firsts = new Map<string, FirstVerdict>();
  for (const first of request.firsts) {
    const doneHere = done.get(first.id) ?? new Set<string>();
    const other = others.get(first.id);
    const owner = text(other?.owner);
    if (owned.has(firstKey(first))) {
      firsts.set(firstKey(first), { kind: "claimed", done: doneHere });
    } else if (owner === first.receipt) {
      const remainingMs = number(other?.remaining);
      firsts.set(firstKey(first), { kind: "leased", remainingMs, done: doneHere });
    } else {
      firsts.set(firstKey(first), { kind: "duplicate", owner });
    }
  }
  return {
    firsts,
    agains: new Map(
      of("agains").map((row) => [
        `${text(row.event)} ${text(row.subscription)}`,
        { attemptsBase: number(row.attempts_base) },
      ]),
    ),
    revisions: new Map(of("revisions").map((row) => [text(row.id), number(row.revision)])),
  };
}

const compactKey = (key: DeliveryKey): [string, number, string, string] => [
  key.tenant,
  key.receivedAtMs,
  key.event,
  key.subscription,
];

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
  ]);
  return { sql: statement, params: [JSON.stringify(rows), token] };
}

function duplicatesStatement(duplicates: readonly Duplicate[]): Statement {
  const rows = duplicates.map((copy) => [copy.event, copy.receipt, copy.receivedAtMs, copy.reason]);
  return { sql: sql.RECORD_DUPLICATES, params: [JSON.stringify(rows)] };
}

function readDue(row: Row): DueDelivery {
  return {
    tenant: text(row.tenant),
    receivedAtMs: number(row.received_at),
    event: text(row.event),
    subscription: text(row.subscription),
    rule: text(row.rule),
    target: text(row.target),
    priority: text(row.priority) as DueDelivery["priority"],
    attempts: number(row.attempts),
    dueInMs: number(row.due_in),
    pointer: {
      segment: text(row.segment),
      offset: number(row.offset),
      length: number(row.length),
    },
  };
}
