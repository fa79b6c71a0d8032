/** What readers pull, in D1: whole batches through `json_each`, and every change fenced by its lease's token. */
import { SLOTS, type Slot } from "../../core/generation.ts";
import { QUEUES } from "../../core/priority.ts";
import type { DeliveryState } from "../../core/settle.ts";
import type { DeliveryKey } from "../../ports/claim.ts";
import type { GateId } from "../../ports/gates.ts";
import {
  type Backlog,
  type HeldLease,
  keyOfLease,
  type Looked,
  type Pulls,
  type Ready,
} from "../../ports/pulls.ts";
import { compactKey } from "./claim.ts";
import { keysOf } from "./delivery-rows.ts";
import { EXCESS } from "./parked-statements.ts";
import * as sql from "./pull-statements.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { bySlot } from "./slots.ts";

type Statements = Readonly<Record<Slot, string>>;
type Params = Statement["params"];

export function createPulls(session: Session): Pulls {
  /** Changes deliveries, each of which `rowOf` names with what its statement needs of it; answers their keys. */
  async function change<Key extends DeliveryKey>(
    operation: string,
    statements: Statements,
    keys: readonly Key[],
    rowOf: (key: Key) => readonly (string | number)[],
    params: Params,
  ): Promise<ReadonlySet<string>> {
    const batch = bySlot(keys).map(([slot, own]): Statement => {
      return { sql: statements[slot], params: [JSON.stringify(own.map(rowOf)), ...params] };
    });
    return keysOf((await session.batch(operation, batch)).flat());
  }

  const changeHeld = (
    operation: string,
    statements: Statements,
    leases: readonly HeldLease[],
    params: Params,
  ) => change(operation, statements, leases, leaseRow, params);

  const inEachSlot = (operation: string, statements: Statements, params: Params) =>
    session.batch(
      operation,
      SLOTS.map((slot) => ({ sql: statements[slot], params })),
    );

  return {
    async ready({ tenant, target }, count) {
      return (await session.rows("ready", sql.READY, [tenant, target, count])).map(readReady);
    },

    look: (id, count) => lookBy(session, "look-for-reader", sql.READY, id, count),

    lease: (ready, token, leaseMs) =>
      change("lease", sql.LEASE, ready, (each) => [...compactKey(each), each.attempts], [
        token,
        leaseMs,
      ]),

    async giveBack(leases) {
      await changeHeld("give-back-leases", sql.GIVE_BACK_LEASES, leases, []);
    },

    acknowledge: ({ target }, leases) =>
      changeHeld("acknowledge", sql.ACKNOWLEDGE, leases, [target]),

    refuse: ({ target }, leases, { reason, delayMs, attemptsMax }) =>
      changeHeld("refuse", sql.REFUSE, leases, [target, delayMs, attemptsMax, reason]),

    extend: ({ target }, leases, leaseMs) =>
      changeHeld("extend", sql.EXTEND, leases, [target, leaseMs]),

    async standing({ target }, leases) {
      const batch = bySlot(leases).map(([slot, own]): Statement => {
        return { sql: sql.STANDING[slot], params: [JSON.stringify(own.map(leaseRow)), target] };
      });
      const rows = (await session.batch("standing", batch)).flat();
      return new Map(
        rows.map((row) => {
          const state = text(row.state) as DeliveryState;
          const [event, subscription] = [text(row.event), text(row.subscription)];
          const lease = keyOfLease({ event, subscription, token: text(row.lease) });
          return [lease, { state, isLast: number(row.is_last) === 1 }];
        }),
      );
    },

    async bury(keys, token, reason) {
      return (await change("bury-pulled", sql.BURY_PULLED, keys, compactKey, [reason, token])).size;
    },

    async backlog({ tenant, target }) {
      const rows = (await inEachSlot("backlog", sql.BACKLOG, [tenant, target])).flat();
      return QUEUES.flatMap((priority): Backlog[] => {
        const own = rows.filter((row) => row.priority === priority);
        if (own.length === 0) return [];
        const sum = (column: string) => own.reduce((all, row) => all + number(row[column]), 0);
        return [
          {
            ...{ priority, waiting: sum("waiting"), leased: sum("leased") },
            delayed: sum("delayed"),
            oldestReceivedAtMs: Math.min(...own.map((row) => number(row.oldest))),
          },
        ];
      });
    },

    async excess({ tenant, target }, backlogMax, count) {
      const rows = await session.rows("excess", EXCESS, [tenant, target, backlogMax, count]);
      return rows.map(keyOfRow);
    },

    async passOver({ tenant, target }, beforeMs, reason, count) {
      const params = [tenant, target, beforeMs, reason, count];
      return (await inEachSlot("pass-over", sql.PASS_OVER, params)).flat().length;
    },

    async owe({ tenant, target }, { fromMs, untilMs }, reason, after, count) {
      const from = [after?.receivedAtMs ?? fromMs, after?.event ?? "", after?.subscription ?? ""];
      const params = [tenant, ...from, untilMs];
      const [last] = await session.rows("seek-page", sql.SEEK_PAGE, [...params, count - 1]);
      const to = last === undefined ? END : positionOf(last);
      const { receivedAtMs, event, subscription } = to;
      const owing = [...params, target, receivedAtMs, event, subscription, reason];
      const owed = (await inEachSlot("owe", sql.OWE, owing)).flat().length;
      return { owed, next: last === undefined ? null : to };
    },
  };
}

/** What a statement of `readyWhere` finds, and the tenant's revision, in one transaction. */
export async function lookBy(
  session: Session,
  operation: string,
  ready: string,
  { tenant, target }: GateId,
  count: number,
): Promise<Looked> {
  const [found = [], [row] = []] = await session.batch(operation, [
    { sql: ready, params: [tenant, target, count] },
    { sql: sql.REVISION, params: [tenant] },
  ]);
  return {
    revision: row === undefined ? null : number(row.revision),
    ready: found.map(readReady),
  };
}

/** Behind every delivery. */
const END = { receivedAtMs: Number.MAX_SAFE_INTEGER, event: "", subscription: "" };

const leaseRow = (lease: HeldLease): (string | number)[] => [
  ...compactKey(lease),
  lease.token,
  lease.leasedAtMs,
];

const positionOf = (row: Row) => ({
  receivedAtMs: number(row.received_at),
  event: text(row.event),
  subscription: text(row.subscription),
});

const keyOfRow = (row: Row): DeliveryKey => ({ tenant: text(row.tenant), ...positionOf(row) });

const readReady = (row: Row): Ready => ({
  ...keyOfRow(row),
  rule: text(row.rule),
  priority: text(row.priority) as Ready["priority"],
  replay: row.replay === null ? null : text(row.replay),
  attempts: number(row.attempts),
  tries: number(row.tries),
  waitedMs: number(row.waited),
  isLeft: number(row.is_left) === 1,
  pointer: {
    segment: text(row.segment),
    offset: number(row.offset),
    length: number(row.length),
  },
});
