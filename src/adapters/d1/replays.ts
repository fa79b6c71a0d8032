/** Replays in D1: a row each, and their deliveries among all others, written with the checkpoint at once. */
import { SLOTS, type Slot } from "../../core/generation.ts";
import { type Json, parseJsonDocument, stringifyJson } from "../../core/json.ts";
import { OUTBOX_RESEND_MS } from "../../core/limits.ts";
import { type Checkpoint, type ReplayQuery, START } from "../../core/replay.ts";
import type { DeliveryState } from "../../core/settle.ts";
import { keptType, keyOf } from "../../ports/claim.ts";
import type { Replay, ReplayState, Replays } from "../../ports/replays.ts";
import { giveUp, giveUpOf } from "./give-up.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { acrossSlots, bySlot, deliveriesOf, eventsOf, perSlot } from "./slots.ts";
import { NOW } from "./statements.ts";

/** ?1 = tenant, ?2 = replay, ?3 = query, ?4 = checkpoint. */
export const CREATE = `
INSERT INTO replays (tenant, id, query, state, checkpoint, created_at, updated_at)
SELECT id, ?2, ?3, 'running', ?4, ${NOW}, ${NOW} FROM tenants WHERE id = ?1
ON CONFLICT (tenant, id) DO NOTHING`;

/** ?1 = tenant, ?2 = replay. */
export const REPLAY = "SELECT * FROM replays WHERE tenant = ?1 AND id = ?2";

/** ?1 = tenant, ?2 = before this one, ?3 = how many. */
export const REPLAYS = `
SELECT * FROM replays WHERE tenant = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3`;

/** ?1 = replay, ?2 = tenant. */
export const STATES_OF_REPLAY = acrossSlots(
  (slot) => `
SELECT state, COUNT(*) AS count FROM ${deliveriesOf(slot)}
WHERE replay = ?1 AND tenant = ?2 GROUP BY state`,
);

/** ?1 = tenant, ?2 = replay, ?3 = the states it may be in, ?4 = the next. */
export const MOVE = `
UPDATE replays SET state = ?4, updated_at = ${NOW}
WHERE tenant = ?1 AND id = ?2 AND state IN (SELECT value FROM json_each(?3)) RETURNING id`;

/** ?1 to ?5 as in `giveUpOf`, ?6 = replay. */
export const GIVE_UP = giveUpOf("replay = ?6 AND tenant = ?5 AND (received_at, event) >= (?3, ?4)");

/** ?2 = tenant, ?3 = replay, ?4 = the revision that its slice began with. */
const IS_AT =
  "EXISTS (SELECT 1 FROM replays WHERE tenant = ?2 AND id = ?3 AND rev = ?4 AND state = 'running')";

const heldByNoOther = (slot: Slot): string =>
  SLOTS.filter((other) => other !== slot)
    .map((other) => `NOT EXISTS (SELECT 1 FROM ${eventsOf(other)} WHERE id = j.value->>0)`)
    .join(" AND ");

/**
 * ?1 = [[event, receipt, tenant, source, type, receivedAt, segment, offset, length, revision, mayBeQueued]], then
 * as in IS_AT. What is older than the ledger gets a row anew, so that its delivery finds its bytes; not what may still
 * be in its queue, whose own way begins with its row. An event whose row names no place rests here after all.
 */
export const KEEP_EVENTS = perSlot(
  (slot) => `
INSERT INTO ${eventsOf(slot)} AS events (id, receipt, tenant, source, type, received_at,
                    segment, "offset", length, claimed_at, token, lease_until)
SELECT j.value->>0, j.value->>1, j.value->>2, j.value->>3, j.value->>4, j.value->>5, j.value->>6,
       j.value->>7, j.value->>8, ${NOW}, '', 0
FROM json_each(?1) AS j CROSS JOIN tenants AS t ON t.id = j.value->>2 AND t.created_at <= j.value->>9
WHERE ${IS_AT} AND ${heldByNoOther(slot)}
  AND (j.value->>10 = 0 OR EXISTS (SELECT 1 FROM ${eventsOf(slot)} WHERE id = j.value->>0))
ON CONFLICT (id) DO UPDATE SET
  segment = excluded.segment, "offset" = excluded."offset", length = excluded.length
WHERE events.segment = '' AND events.receipt = excluded.receipt`,
);

/**
 * ?1 = [[tenant, receivedAt, event, subscription, rule, target, source, type, receipt, revision]], then as in
 * IS_AT. A copy that was suppressed is of another receipt than its event. Its message is on its way: the
 * sweeper looks after it when that had its time.
 */
export const MAKE_DELIVERIES = perSlot(
  (slot) => `
INSERT INTO ${deliveriesOf(slot)} (
  tenant, received_at, event, subscription, rule, target, priority, source, type, state, attempts, due_at, replay)
SELECT j.value->>0, j.value->>1, j.value->>2, j.value->>3, j.value->>4, j.value->>5, 'replay',
       j.value->>6, j.value->>7, 'pending', 0, ${NOW} + ${OUTBOX_RESEND_MS}, ?3
FROM json_each(?1) AS j
CROSS JOIN ${eventsOf(slot)} AS e ON e.id = j.value->>2 AND e.receipt = j.value->>8
  AND e.tenant = j.value->>0 AND e.received_at = j.value->>1
CROSS JOIN tenants AS t ON t.id = e.tenant AND t.created_at <= j.value->>9 AND t.created_at <= e.claimed_at
WHERE ${IS_AT}
ON CONFLICT (tenant, received_at, event, subscription) DO NOTHING
RETURNING event, subscription`,
);

/** ?1 as in KEEP_EVENTS: those of the receipts in it that own their event. */
export const OWNERS = perSlot(
  (slot) => `
SELECT e.receipt AS owner FROM json_each(?1) AS j
CROSS JOIN ${eventsOf(slot)} AS e ON e.id = j.value->>0 AND e.receipt = j.value->>1`,
);

/** ?1 = null, then as in IS_AT. Right after each statement that makes deliveries. */
export const COUNT_MADE = `
UPDATE replays SET deliveries = deliveries + changes()
WHERE ?1 IS NULL AND tenant = ?2 AND id = ?3 AND rev = ?4 AND state = 'running'`;

/** ?1 = [checkpoint, reachedAt, examined, unreadableBytes, whether it is the last], then as in IS_AT. */
export const ADVANCE = `
UPDATE replays SET
  rev = rev + 1, checkpoint = ?1->>0, reached_at = COALESCE(?1->>1, reached_at),
  examined = examined + (?1->>2), unreadable_bytes = unreadable_bytes + (?1->>3),
  state = CASE WHEN ?1->>4 THEN 'done' ELSE state END, updated_at = ${NOW}
WHERE tenant = ?2 AND id = ?3 AND rev = ?4 AND state = 'running'
RETURNING rev`;

/** Sorts after every id. */
const AFTER_ALL = "~";
const BEFORE_ALL = [0, ""] as const;

export function createReplays(session: Session): Replays {
  return {
    async create({ tenant, id }, query) {
      const params = [tenant, id, stringifyJson(query as unknown as Json), JSON.stringify(START)];
      await session.rows("create-replay", CREATE, params);
    },

    async replay({ tenant, id }) {
      const [row] = await session.rows("replay", REPLAY, [tenant, id]);
      return row === undefined ? null : readReplay(row);
    },

    async replays(tenant, after, count) {
      const rows = await session.rows("replays", REPLAYS, [tenant, after ?? AFTER_ALL, count + 1]);
      const items = rows.slice(0, count).map(readReplay);
      return { items, after: rows.length > count ? (items.at(-1)?.id ?? null) : null };
    },

    async states({ tenant, id }) {
      const states: Partial<Record<DeliveryState, number>> = {};
      for (const row of await session.rows("replay-states", STATES_OF_REPLAY, [id, tenant])) {
        const state = text(row.state) as DeliveryState;
        states[state] = (states[state] ?? 0) + number(row.count);
      }
      return states;
    },

    async move({ tenant, id }, from, to) {
      const params = [tenant, id, JSON.stringify(from), to];
      return (await session.rows("move-replay", MOVE, params)).length > 0;
    },

    async giveUp({ tenant, id }, why) {
      let total = 0;
      for (const slot of SLOTS) {
        total += await giveUp(session, GIVE_UP[slot], why, BEFORE_ALL, [tenant, id]);
      }
      return total;
    },

    async advance({ tenant, id }, rev, slice) {
      const at = [tenant, id, rev];
      const making = bySlot(slice.deliveries).flatMap(([slot, own]): Statement[] => {
        const events = [...new Map(own.map((each) => [each.receipt, each])).values()].map(
          (each) => {
            const { event, receipt, source, type, receivedAtMs, revision, pointer } = each;
            const { segment, offset, length } = pointer;
            return [
              ...[event, receipt, tenant, source, keptType(type), receivedAtMs],
              ...[segment, offset, length, revision, each.mayBeQueued],
            ];
          },
        );
        const rows = own.map((each) => {
          const { receivedAtMs, event, subscription, rule, target, source, type } = each;
          const { receipt, revision } = each;
          return [
            ...[tenant, receivedAtMs, event, subscription, rule, target],
            ...[source, keptType(type), receipt, revision],
          ];
        });
        return [
          { sql: KEEP_EVENTS[slot], params: [JSON.stringify(events), ...at] },
          { sql: MAKE_DELIVERIES[slot], params: [JSON.stringify(rows), ...at] },
          { sql: COUNT_MADE, params: [null, ...at] },
          { sql: OWNERS[slot], params: [JSON.stringify(events)] },
        ];
      });
      const { checkpoint, reachedAtMs, examined, unreadableBytes, isLast } = slice;
      const step = [JSON.stringify(checkpoint), reachedAtMs, examined, unreadableBytes, isLast];
      const answers = await session.batch("advance-replay", [
        ...making,
        { sql: ADVANCE, params: [JSON.stringify(step), ...at] },
      ]);
      if (answers.at(-1)?.length !== 1) return null;
      const rows = answers.flat();
      const made = new Set(
        rows.flatMap(({ event, subscription }) =>
          subscription === undefined ? [] : [`${text(event)} ${text(subscription)}`],
        ),
      );
      const owners = new Set(rows.map(({ owner }) => owner));
      // Once each, though an event's frame may lie in two segments.
      return slice.deliveries.filter(
        (delivery) => owners.has(delivery.receipt) && made.delete(keyOf(delivery)),
      );
    },
  };
}

function readReplay(row: Row): Replay {
  // Exact: a number of the pattern keeps its spelling.
  const query = parseJsonDocument(text(row.query));
  if (!query.ok) throw new Error("the query of a replay cannot be read");
  return {
    tenant: text(row.tenant),
    id: text(row.id),
    query: numeric(query.value as unknown as ReplayQuery),
    state: text(row.state) as ReplayState,
    rev: number(row.rev),
    checkpoint: JSON.parse(text(row.checkpoint)) as Checkpoint,
    reachedAtMs: row.reached_at === null ? null : number(row.reached_at),
    examined: number(row.examined),
    deliveries: number(row.deliveries),
    unreadableBytes: number(row.unreadable_bytes),
    createdAtMs: number(row.created_at),
    updatedAtMs: number(row.updated_at),
  };
}

const numeric = (query: ReplayQuery): ReplayQuery => ({
  ...query,
  fromMs: Number(query.fromMs),
  untilMs: Number(query.untilMs),
  perSecond: Number(query.perSecond),
});
