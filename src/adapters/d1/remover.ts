/**
 * Removes what a deleted tenant left in the ledger and in the archive, and what its rules and sagas were. Rows of
 * the ledger are found through the deliveries, whose key begins with the tenant: an event that was claimed
 * and never settled has none, and goes with its generation.
 */
import type { ArchiveListing } from "../../ports/archive.ts";
import type { Remover } from "../../ports/deletions.ts";
import { number, type Session } from "./session.ts";
import { acrossSlots, bySlot, deliveriesOf, duplicatesOf, eventsOf, perSlot } from "./slots.ts";
import { NOW } from "./statements.ts";
import { REMOVE_VERSIONS } from "./versions.ts";

/**
 * ?1 = tenant, ?2 = claimed before, ?3 = how many. Not by when they were received: that is by the clock of
 * a Worker, which may be off.
 */
export const LEFT_BEHIND = `${acrossSlots(
  (slot) => `
SELECT received_at, event, subscription FROM ${deliveriesOf(slot)} AS d
WHERE tenant = ?1 AND NOT EXISTS (
  SELECT 1 FROM ${eventsOf(slot)} AS e
  WHERE e.id = d.event AND e.received_at = d.received_at AND e.claimed_at >= ?2)`,
)}
ORDER BY received_at LIMIT ?3`;

/** ?1 = tenant, ?2 = [[receivedAt, event, subscription]]. */
export const REMOVE_DELIVERIES = perSlot(
  (slot) => `
DELETE FROM ${deliveriesOf(slot)}
WHERE (tenant, received_at, event, subscription) IN (
  SELECT ?1, value->>0, value->>1, value->>2 FROM json_each(?2))
RETURNING event`,
);

/** ?1, ?2 as above. The time tells it from one of the same id that came in a later life. */
export const REMOVE_EVENTS = perSlot(
  (slot) => `
DELETE FROM ${eventsOf(slot)}
WHERE id IN (SELECT value->>1 FROM json_each(?2)) AND tenant = ?1
  AND received_at IN (SELECT value->>0 FROM json_each(?2))`,
);

/** ?1 = [[receivedAt, event, subscription]], ?2 = received before. */
export const REMOVE_DUPLICATES = perSlot(
  (slot) => `
DELETE FROM ${duplicatesOf(slot)}
WHERE event IN (SELECT value->>1 FROM json_each(?1)) AND received_at < ?2`,
);

/** ?1 = tenant, ?2 = created before. */
export const REMOVE_REPLAYS = "DELETE FROM replays WHERE tenant = ?1 AND created_at < ?2";

/** ?1, ?2 as above, ?3 = how many. */
export const REMOVE_FAN_OUTS = `
DELETE FROM fan_outs WHERE (tenant, id) IN (
  SELECT tenant, id FROM fan_outs WHERE tenant = ?1 AND created_at < ?2 LIMIT ?3)
RETURNING id`;

/** ?1 = job, ?2 = how many more were removed, ?3 = whether that was all. */
export const NOTE = `
UPDATE jobs SET removed = removed + ?2, updated_at = ${NOW},
  state = CASE WHEN ?3 THEN 'done' ELSE state END
WHERE id = ?1`;

export function createRemover(session: Session, listing: ArchiveListing): Remover {
  return {
    async rows({ tenant, beforeMs }, count) {
      const page = (await session.rows("left-behind", LEFT_BEHIND, [tenant, beforeMs, count])).map(
        ({ received_at, event, subscription }) => ({
          receivedAtMs: number(received_at),
          key: [received_at, event, subscription],
        }),
      );
      const all = JSON.stringify(page.map(({ key }) => key));
      const [rules = [], sagas = [], fanOuts = [], ...answers] = await session.batch("remove", [
        { sql: REMOVE_VERSIONS.rule, params: [tenant, beforeMs, count] },
        { sql: REMOVE_VERSIONS.saga, params: [tenant, beforeMs, count] },
        { sql: REMOVE_FAN_OUTS, params: [tenant, beforeMs, count] },
        { sql: REMOVE_REPLAYS, params: [tenant, beforeMs] },
        // A copy stands in the slot of its own time.
        ...Object.values(REMOVE_DUPLICATES).map((sql) => ({ sql, params: [all, beforeMs] })),
        ...bySlot(page).flatMap(([slot, own]) => {
          const params = [tenant, JSON.stringify(own.map(({ key }) => key))];
          return [
            { sql: REMOVE_EVENTS[slot], params },
            { sql: REMOVE_DELIVERIES[slot], params },
          ];
        }),
      ]);
      const removed = [rules, sagas, fanOuts, ...answers].flat().length;
      const most = Math.max(page.length, rules.length, sagas.length, fanOuts.length);
      return { removed, more: most === count };
    },

    objects: ({ tenant, beforeMs }, count) => listing.removeTenant(tenant, count, beforeMs),

    async note(job, removed, isDone) {
      await session.rows("note", NOTE, [job, removed, isDone ? 1 : 0]);
    },
  };
}
