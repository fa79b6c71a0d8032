/** Turns in D1: all that a batch asks is one transaction. */

import { GATE_RELEASE_MS } from "../../core/gate-limits.ts";
import { SLOTS } from "../../core/generation.ts";
import {
  ORDER_KEYS_PAGE,
  ORDER_KEYS_WALKED_MAX,
  ORDER_NEXT_PAGE,
} from "../../core/order/limits.ts";
import type { Verdict } from "../../core/order/turns.ts";
import { keptType, keyOf } from "../../ports/claim.ts";
import type { TurnAsk, Turns } from "../../ports/turns.ts";
import { compactKey } from "./claim.ts";
import { atKeys, keysOf, readDue } from "./delivery-rows.ts";
import { type Row, type Session, type Statement, text } from "./session.ts";
import { bySlot } from "./slots.ts";
import * as sql from "./turn-statements.ts";

export function createTurns(session: Session): Turns {
  return {
    async take(token, leaseSeconds, asks) {
      const own = bySlot(asks).map(([slot, mine]) => ({ slot, rows: compact(mine) }));
      const inEach = (statements: typeof sql.MOVE): Statement[] =>
        own.map(({ slot, rows }) => ({ sql: statements[slot], params: [rows, token] }));
      const firsts = bySlot(asks.filter(({ claimedBy }) => claimedBy === "event"));
      const superseding = asks.filter(({ place }) => place.mode === "latest-wins");
      const isAgain = asks.some(({ claimedBy }) => claimedBy === "row");
      const isFifo = asks.every(({ place }) => place.mode === "fifo");
      const statements: Statement[] = [
        ...firsts.map(([slot, mine]): Statement => {
          return { sql: sql.BEGIN[slot], params: [compact(mine), token, leaseSeconds * 1_000] };
        }),
        ...(isAgain ? inEach(sql.MOVE) : []),
        ...(isFifo ? [] : inEach(sql.PASS)),
        ...(superseding.length === 0
          ? []
          : [sql.SUPERSEDE_OWED, sql.SUPERSEDE_PARKED].flatMap((statements) =>
              SLOTS.map((slot): Statement => {
                return { sql: statements[slot], params: [compact(superseding), token] };
              }),
            )),
        ...inEach(sql.WAIT),
        ...(isAgain ? inEach(sql.GRANT) : []),
        ...inEach(sql.TURNS),
      ];
      const rows = await session.batch("take-turns", statements);
      return new Map(rows.slice(-own.length).flat().map(readVerdict));
    },

    async next(keys) {
      const params = [JSON.stringify([...new Set(keys)]), ORDER_NEXT_PAGE];
      const pages = await session.batch(
        "next-turns",
        SLOTS.map((slot) => ({ sql: sql.NEXT[slot], params })),
      );
      const found = pages.flat().map(readDue);
      if (found.length === 0) return [];
      const taking = atKeys(found, sql.TAKE_NEXT, GATE_RELEASE_MS);
      const taken = keysOf((await session.batch("take-next", taking)).flat());
      return found
        .filter((delivery) => taken.has(keyOf(delivery)))
        .sort((a, b) => a.receivedAtMs - b.receivedAtMs);
    },

    async waiting(from) {
      const params = [from, ORDER_KEYS_PAGE, ORDER_KEYS_WALKED_MAX];
      const pages = await session.batch(
        "waiting-keys",
        SLOTS.map((slot) => ({ sql: sql.WAITING_KEYS[slot], params })),
      );
      const keys = new Set(pages.flat().map(({ value }) => text(value)));
      return [...keys].sort().slice(0, ORDER_KEYS_PAGE);
    },
  };
}

const compact = (asks: readonly TurnAsk[]): string =>
  JSON.stringify(
    asks.map(({ place: { key, value, mode }, ...ask }) => [
      ...compactKey(ask),
      ...[ask.rule, ask.target, ask.priority, ask.source, keptType(ask.type), ask.attempts],
      ...[key, value, mode],
    ]),
  );

function readVerdict(row: Row): [string, Verdict] {
  const state = text(row.state);
  // The reason ends in the event's id.
  const event = text(row.last_error).split(" ").at(-1) ?? "";
  const verdict: Verdict =
    state === "delivering"
      ? { kind: "turn" }
      : { kind: state === "parked" ? "waits" : "passed", event };
  return [`${text(row.event)} ${text(row.subscription)}`, verdict];
}
