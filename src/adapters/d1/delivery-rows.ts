/** Deliveries as D1 takes and gives them: by key, slot by slot. */
import { SLOTS, type Slot } from "../../core/generation.ts";
import type { DeliveryKey } from "../../ports/claim.ts";
import type { DueDelivery } from "../../ports/ledger.ts";
import { compactKey } from "./claim.ts";
import { number, type Row, type Statement, text } from "./session.ts";
import { bySlot } from "./slots.ts";

export const keyIn = (row: Row): string => `${text(row.event)} ${text(row.subscription)}`;

export const keysOf = (rows: readonly Row[]): ReadonlySet<string> => new Set(rows.map(keyIn));

export const idsOf = (events: readonly { readonly event: string }[]): string =>
  JSON.stringify([...new Set(events.map(({ event }) => event))]);

export type Statements = Readonly<Record<Slot, string>>;

export const inEachSlot = (statements: Statements, params: Statement["params"] = []): Statement[] =>
  SLOTS.map((slot) => ({ sql: statements[slot], params }));

export const atKeys = (
  keys: readonly DeliveryKey[],
  statements: Statements,
  parameter: string | number,
): Statement[] =>
  bySlot(keys).map(([slot, own]) => {
    return { sql: statements[slot], params: [JSON.stringify(own.map(compactKey)), parameter] };
  });

export function readDue(row: Row): DueDelivery {
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
    replay: row.replay === null ? null : text(row.replay),
    pointer: {
      segment: text(row.segment),
      offset: number(row.offset),
      length: number(row.length),
    },
  };
}
