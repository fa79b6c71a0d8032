/**
 * Expiry of the ledger: a slot's tables are made anew with what must stay, and the old ones are dropped. A
 * DELETE is a row written for every row; a DROP writes none, and the whole costs about 60 rows and what is
 * carried. All of it is one transaction, so a crash leaves either everything or nothing done, and nobody
 * writes to a table meanwhile. It reads the slot once: 4 s for a million events with a delivery each, by the
 * local engine, of the 30 s that D1 gives a batch; a database of 10 GB holds about 5 million in a slot.
 */
import { type Expiry, expiryAt } from "../../core/generation.ts";
import type { Expired } from "../../ports/ledger.ts";
import { OPEN, OWED } from "./owed-statements.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { deliveriesOf, duplicatesOf, eventsOf } from "./slots.ts";
import { NOW } from "./statements.ts";

/** ?1 = slot. */
export const EMPTIED_FOR = "SELECT generation FROM generations WHERE slot = ?1";

/** ?1 = [table]. The tables are made anew as the migrations made them, whatever those will add. */
export const DEFINITIONS = `
SELECT type, sql FROM sqlite_master
WHERE tbl_name IN (SELECT value FROM json_each(?1)) AND sql IS NOT NULL ORDER BY name`;

/**
 * ?1 = slot, ?2 = generation, ?3 = [table], ?4 = [definition]. Where a migration has changed the tables
 * since they were read, the null is refused, and with it the whole transaction.
 */
export const EMPTY_FOR = `
INSERT INTO generations (slot, generation)
SELECT ?1, CASE WHEN json_group_array(sql) = ?4 THEN ?2 END FROM (
  SELECT sql FROM sqlite_master
  WHERE tbl_name IN (SELECT value FROM json_each(?3)) AND sql IS NOT NULL ORDER BY name)
WHERE true
ON CONFLICT (slot) DO UPDATE SET generation = excluded.generation`;

export async function expire(session: Session, nowMs: number): Promise<Expired | null> {
  const expiry = expiryAt(nowMs);
  const { slot, generation } = expiry;
  const tables = JSON.stringify([eventsOf(slot), deliveriesOf(slot), duplicatesOf(slot)]);
  const [emptied, definitions = []] = await session.batch("expire", [
    { sql: EMPTIED_FOR, params: [slot] },
    { sql: DEFINITIONS, params: [tables] },
  ]);
  if (number(emptied?.[0]?.generation) >= generation) return null;
  const definition = JSON.stringify(definitions.map(({ sql }) => sql));
  const answers = await session.batch("expire", [
    { sql: EMPTY_FOR, params: [slot, generation, tables, definition] },
    ...rebuild(expiry, definitions),
  ]);
  const counts = answers.flat().find(({ dropped }) => dropped !== undefined);
  const carried = number(counts?.carried);
  return { generation, dropped: number(counts?.dropped) - carried, carried };
}

function rebuild({ slot, keepFromMs }: Expiry, definitions: readonly Row[]): Statement[] {
  const [events, deliveries, duplicates] = [eventsOf(slot), deliveriesOf(slot), duplicatesOf(slot)];
  const made = (type: string) =>
    definitions.filter((each) => each.type === type).map(({ sql }) => text(sql));
  const statements = [
    ...[events, deliveries, duplicates].map((name) => `ALTER TABLE ${name} RENAME TO old_${name}`),
    ...made("table"),
    // An event stays whole or goes whole: what is done must be known while anything of it is not.
    `INSERT INTO ${events} SELECT * FROM old_${events}
     WHERE received_at >= ${keepFromMs} OR lease_until >= ${NOW} OR id IN (
       SELECT event FROM old_${deliveries} WHERE ${OWED}
       UNION ALL SELECT event FROM old_${deliveries} WHERE ${OPEN})`,
    `INSERT INTO ${deliveries} SELECT d.* FROM ${events} AS e CROSS JOIN old_${deliveries} AS d
       ON d.tenant = e.tenant AND d.received_at = e.received_at AND d.event = e.id`,
    `INSERT INTO ${duplicates} SELECT * FROM old_${duplicates}
     WHERE received_at >= ${keepFromMs} OR event IN (SELECT id FROM ${events})`,
    `SELECT (SELECT COUNT(*) FROM old_${events}) AS dropped,
            (SELECT COUNT(*) FROM ${events}) AS carried`,
    ...[events, deliveries, duplicates].map((name) => `DROP TABLE old_${name}`),
    // Their names are free only now.
    ...made("index"),
  ];
  return statements.map((sql) => ({ sql, params: [] }));
}
