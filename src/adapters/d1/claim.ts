/** A claim as D1 is asked for it, and as its rows are read. */
import {
  type AgainClaim,
  type ClaimAnswer,
  type ClaimRequest,
  type DeliveryKey,
  type FirstClaim,
  type FirstVerdict,
  firstKey,
  keptType,
} from "../../ports/claim.ts";
import { QUEUE_CONTROLS, readQueueControl } from "./queue-controls.ts";
import { number, type Row, type Statement, text } from "./session.ts";
import { bySlot } from "./slots.ts";
import * as sql from "./statements.ts";

export interface ClaimPart extends Statement {
  readonly part: "claim" | "others" | "done" | "agains" | "revisions" | "fan-outs" | "controls";
}

/** One statement a slot and question, in the order in which one transaction must ask them. */
export function claimParts(request: ClaimRequest): ClaimPart[] {
  const { token, firsts, agains, tenants, fanOuts = [] } = request;
  const leaseMs = request.leaseSeconds * 1_000;
  const parts: ClaimPart[] = [];
  for (const [slot, own] of bySlot(firsts)) {
    const rows = compactFirsts(own);
    parts.push({ part: "claim", sql: sql.CLAIM_EVENTS[slot], params: [rows, token, leaseMs] });
    parts.push({ part: "done", sql: sql.DONE_DELIVERIES[slot], params: [rows] });
  }
  if (firsts.length > 0) {
    // After all claims: what the batch itself has just claimed in another slot is owned, too.
    const params = [compactFirsts(firsts), token];
    parts.push({ part: "others", sql: sql.CLAIMED_BY_OTHERS, params });
  }
  for (const [slot, own] of bySlot(agains)) {
    const rows = own.map((again: AgainClaim) => {
      return [...compactKey(again), again.attempts, again.revision];
    });
    const params = [JSON.stringify(rows), token, leaseMs];
    parts.push({ part: "agains", sql: sql.CLAIM_DELIVERIES[slot], params });
  }
  // Also those of the firsts: which of them are gone is told by the same rows.
  const wanted = [...new Set([...tenants, ...firsts.map(({ tenant }) => tenant)])];
  parts.push({ part: "revisions", sql: sql.REVISIONS, params: [JSON.stringify(wanted)] });
  if (fanOuts.length > 0) {
    const ids = JSON.stringify(fanOuts.map(({ tenant, id }) => [tenant, id]));
    parts.push({ part: "fan-outs", sql: sql.CANCELLED_FAN_OUTS, params: [ids] });
  }
  parts.push({ part: "controls", sql: QUEUE_CONTROLS, params: [] });
  return parts;
}

const compactFirsts = (firsts: readonly FirstClaim[]): string =>
  JSON.stringify(
    firsts.map(({ id, receipt, tenant, source, type, receivedAtMs, revision, pointer }) => {
      const { segment, offset, length } = pointer;
      return [
        ...[id, receipt, tenant, source, keptType(type), receivedAtMs],
        ...[segment, offset, length, revision],
      ];
    }),
  );

/** What the rows of each part mean for the events and deliveries that were asked for. */
export function readClaim(
  request: ClaimRequest,
  of: (part: ClaimPart["part"]) => readonly Row[],
): ClaimAnswer {
  const done = new Map<string, Set<string>>();
  for (const row of of("done")) {
    const event = text(row.event);
    done.set(event, (done.get(event) ?? new Set()).add(text(row.subscription)));
  }
  const owned = new Map(
    of("claim").map((row) => [firstKey({ id: text(row.id), receipt: text(row.receipt) }), row]),
  );
  const others = new Map(of("others").map((row) => [text(row.id), row]));
  const createdAtMs = new Map(of("revisions").map((row) => [text(row.id), number(row.created_at)]));
  const firsts = new Map<string, FirstVerdict>();
  for (const first of request.firsts) {
    if (!((createdAtMs.get(first.tenant) ?? Number.POSITIVE_INFINITY) <= first.revision)) {
      firsts.set(firstKey(first), { kind: "gone" });
      continue;
    }
    const doneHere = done.get(first.id) ?? new Set<string>();
    const other = others.get(first.id);
    const owner = text(other?.owner);
    const own = owned.get(firstKey(first));
    const known = { done: doneHere, isUnplaced: number((own ?? other)?.unplaced) === 1 };
    if (own !== undefined) {
      firsts.set(firstKey(first), { kind: "claimed", ...known });
    } else if (owner === first.receipt) {
      const remainingMs = number(other?.remaining);
      firsts.set(firstKey(first), { kind: "leased", remainingMs, ...known });
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
    cancelledFanOuts: new Set(of("fan-outs").map((row) => text(row.id))),
    revisions: new Map(of("revisions").map((row) => [text(row.id), number(row.revision)])),
    controls: of("controls").map(readQueueControl),
  };
}

/** A delivery's place as statements take it. */
export const compactKey = (key: DeliveryKey): [string, number, string, string] => [
  key.tenant,
  key.receivedAtMs,
  key.event,
  key.subscription,
];
