/** The ledger in D1 beside the archive: what it knows of archived events, and pointers put right. */
import type { Audit, LedgerEvent } from "../../ports/audit.ts";
import { number, type Row, type Session, text } from "./session.ts";
import { acrossSlots, bySlot, deliveriesOf, eventsOf, perSlot } from "./slots.ts";
import { NOW } from "./statements.ts";

/** Events that one statement asks for: a parameter has at most 2 MB. */
const KNOWN_PAGE = 1_000;

const COLUMNS = `e.receipt, e.lease_until >= ${NOW} AS leased, e.segment, e."offset", e.length`;

/** ?1 = [event], ?2 = tenant. */
export const KNOWN = acrossSlots(
  (slot) => `
SELECT e.id, e.received_at, ${COLUMNS},
       (SELECT json_group_array(d.subscription) FROM ${deliveriesOf(slot)} AS d
        WHERE d.tenant = e.tenant AND d.received_at = e.received_at AND d.event = e.id) AS subscriptions
FROM json_each(?1) AS j CROSS JOIN ${eventsOf(slot)} AS e ON e.id = j.value
WHERE e.tenant = ?2`,
);

/**
 * ?1 = tenant, ?2 = from, ?3 = until, ?4 and ?5 = time and event to go on after, ?6 = how many. Through the
 * deliveries, which are in the order of time; COLLATE as in `eventPage`.
 */
export const SETTLED = `${acrossSlots(
  (slot) => `
SELECT d.event AS id, d.received_at AS received_at, ${COLUMNS}
FROM ${deliveriesOf(slot)} AS d CROSS JOIN ${eventsOf(slot)} AS e ON e.id = d.event
WHERE d.tenant = ?1 AND d.received_at >= ?2 AND d.received_at < ?3
  AND (d.received_at, d.event) > (?4, ?5) AND e.received_at = d.received_at
GROUP BY d.received_at COLLATE BINARY, d.event COLLATE BINARY`,
)}
ORDER BY received_at, id LIMIT ?6`;

/** ?1 = [[event, receipt, segment and offset as they are, segment, offset and length as they ought to be]]. */
export const REPOINT = perSlot(
  (slot) => `
UPDATE ${eventsOf(slot)} AS events SET
  segment = j.value->>4, "offset" = j.value->>5, length = j.value->>6
FROM json_each(?1) AS j
WHERE events.id = j.value->>0 AND events.receipt = j.value->>1
  AND events.segment = j.value->>2 AND events."offset" = j.value->>3 AND events.lease_until < ${NOW}
RETURNING id`,
);

export const createAudit = (session: Session): Audit => ({
  async known(tenant, events) {
    const statements = [];
    for (let at = 0; at < events.length; at += KNOWN_PAGE) {
      const page = JSON.stringify(events.slice(at, at + KNOWN_PAGE));
      statements.push({ sql: KNOWN, params: [page, tenant] });
    }
    const rows = (await session.batch("known", statements)).flat();
    return new Map(
      rows.map((row) => {
        const subscriptions = new Set<string>(JSON.parse(text(row.subscriptions)));
        return [text(row.id), { ...readEvent(row), subscriptions }];
      }),
    );
  },

  async settled(tenant, { fromMs, untilMs }, after, count) {
    const from = after ?? { receivedAtMs: fromMs, id: "" };
    const params = [tenant, fromMs, untilMs, from.receivedAtMs, from.id, count];
    return (await session.rows("settled", SETTLED, params)).map(readEvent);
  },

  async repoint(events) {
    const statements = bySlot(events).map(([slot, own]) => {
      const rows = own.map(({ id, receipt, pointer, to }) => {
        const is = [pointer.segment, pointer.offset];
        return [id, receipt, ...is, to.segment, to.offset, to.length];
      });
      return { sql: REPOINT[slot], params: [JSON.stringify(rows)] };
    });
    const rows = (await session.batch("repoint", statements)).flat();
    return new Set(rows.map((row) => text(row.id)));
  },
});

const readEvent = (row: Row): LedgerEvent => ({
  id: text(row.id),
  receipt: text(row.receipt),
  receivedAtMs: number(row.received_at),
  isLeased: number(row.leased) === 1,
  pointer: { segment: text(row.segment), offset: number(row.offset), length: number(row.length) },
});
