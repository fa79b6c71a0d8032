/**
 * Fan-outs in D1: a row each. Their elements' deliveries stand among all others, side by side, since they have
 * the time of the fan-out and ids in order: a range of the primary key, so that no index is written for them.
 */

import type { Crypto, Text } from "../../core/crypto.ts";
import { elementRange } from "../../core/fan-out/element.ts";
import { slotOf } from "../../core/generation.ts";
import type { Priority, Subscription } from "../../core/priority.ts";
import type { DeliveryState } from "../../core/settle.ts";
import type { FanOut, FanOutState, FanOuts } from "../../ports/fan-outs.ts";
import { giveUp, giveUpOf } from "./give-up.ts";
import { number, type Row, type Session, text } from "./session.ts";
import { acrossSlots, deliveriesOf, eventsOf, perSlot } from "./slots.ts";
import { NOW } from "./statements.ts";

/** ?1 = tenant, ?2 = fan-out. */
export const FAN_OUT_ROW = "SELECT * FROM fan_outs WHERE tenant = ?1 AND id = ?2";

/** ?1 = tenant, ?2 = before this one, ?3 = how many. */
export const FAN_OUTS = `
SELECT * FROM fan_outs WHERE tenant = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3`;

/** ?1 = tenant, ?2 = event. */
export const PLACE_OF_LIST = acrossSlots(
  (slot) => `
SELECT segment, "offset", length FROM ${eventsOf(slot)}
WHERE id = ?2 AND tenant = ?1 AND segment <> ''`,
);

/** ?1 = tenant, ?2 = received at, ?3 = from this event on, ?4 = before this one. What a replay has made is its own. */
export const STATES_OF_ELEMENTS = perSlot(
  (slot) => `
SELECT state, COUNT(*) AS count FROM ${deliveriesOf(slot)}
WHERE tenant = ?1 AND received_at = ?2 AND event >= ?3 AND event < ?4 AND replay IS NULL GROUP BY state`,
);

/** ?1 = tenant, ?2 = fan-out, ?3 = the states it may be in, ?4 = the next, ?5 = why. */
export const MOVE = `
UPDATE fan_outs SET state = ?4, reason = ?5, updated_at = ${NOW}
WHERE tenant = ?1 AND id = ?2 AND state IN (SELECT value FROM json_each(?3)) RETURNING id`;

/** ?1 = tenant, ?2 = fan-out, ?3 = elements a second, or null. */
export const CAP = `
UPDATE fan_outs SET per_second = ?3 WHERE tenant = ?1 AND id = ?2 RETURNING id`;

/** ?1 to ?5 as in `giveUpOf`, ?6 = before this event. */
export const GIVE_UP = giveUpOf(
  "tenant = ?5 AND received_at = ?3 AND event >= ?4 AND event < ?6 AND replay IS NULL",
);

/** ?1 = tenant, ?2 = fan-out, ?3 = the revision that its page began with, ?4 = sent, ?5 = offset. */
export const ADVANCE = `
UPDATE fan_outs SET
  rev = rev + 1, sent = ?4, "offset" = ?5, updated_at = ${NOW},
  state = CASE WHEN ?4 >= total AND state IN ('running', 'paused') THEN 'done' ELSE state END
WHERE tenant = ?1 AND id = ?2 AND rev = ?3
RETURNING rev`;

/** Sorts after every id. */
const AFTER_ALL = "~";

export function createFanOuts(session: Session, tools: { crypto: Crypto; text: Text }): FanOuts {
  const rangeOf = ({ tenant, id, createdAtMs }: FanOut, from: number, until: number) => [
    ...[tenant, createdAtMs],
    ...elementRange(id, from, until, tools),
  ];
  return {
    async fanOut({ tenant, id }) {
      const [row] = await session.rows("fan-out", FAN_OUT_ROW, [tenant, id]);
      return row === undefined ? null : readFanOut(row);
    },

    async fanOuts(tenant, after, count) {
      const params = [tenant, after ?? AFTER_ALL, count + 1];
      const rows = await session.rows("fan-outs", FAN_OUTS, params);
      const items = rows.slice(0, count).map(readFanOut);
      return { items, after: rows.length > count ? (items.at(-1)?.id ?? null) : null };
    },

    async place({ tenant, event }) {
      const [row] = await session.rows("place-of-list", PLACE_OF_LIST, [tenant, event]);
      if (row === undefined) return null;
      const { segment, offset, length } = row;
      return { segment: text(segment), offset: number(offset), length: number(length) };
    },

    async states(fanOut, from = 0, until = fanOut.total) {
      const sql = STATES_OF_ELEMENTS[slotOf(fanOut.createdAtMs)];
      const rows = await session.rows("fan-out-states", sql, rangeOf(fanOut, from, until));
      return Object.fromEntries(
        rows.map((row) => [text(row.state) as DeliveryState, number(row.count)]),
      );
    },

    async move({ tenant, id }, from, to, reason) {
      const params = [tenant, id, JSON.stringify(from), to, reason];
      return (await session.rows("move-fan-out", MOVE, params)).length > 0;
    },

    async cap({ tenant, id }, perSecond) {
      return (await session.rows("cap-fan-out", CAP, [tenant, id, perSecond])).length > 0;
    },

    giveUp({ tenant, id, createdAtMs, total }, why) {
      const [first, end] = elementRange(id, 0, total, tools);
      const sql = GIVE_UP[slotOf(createdAtMs)];
      return giveUp(session, sql, why, [createdAtMs, first], [tenant, end]);
    },

    async advance({ tenant, id }, rev, { sent, offset }) {
      const params = [tenant, id, rev, sent, offset];
      return (await session.rows("advance-fan-out", ADVANCE, params)).length > 0;
    },
  };
}

function readFanOut(row: Row): FanOut {
  return {
    tenant: text(row.tenant),
    id: text(row.id),
    event: text(row.event),
    rule: text(row.rule),
    priority: text(row.priority) as Priority,
    subscriptions: JSON.parse(text(row.subscriptions)) as Subscription[],
    state: text(row.state) as FanOutState,
    reason: row.reason === null ? null : text(row.reason),
    rev: number(row.rev),
    total: number(row.total),
    sent: number(row.sent),
    offset: number(row.offset),
    perSecond: row.per_second === null ? null : number(row.per_second),
    createdAtMs: number(row.created_at),
    updatedAtMs: number(row.updated_at),
  };
}
