/**
 * Gives up, page by page, what the ledger still owes of some deliveries that stand in a row. Those that were given up
 * stand there still: each page goes on where the one before ended, so that none is read once for every page.
 */
import type { Slot } from "../../core/generation.ts";
import { number, type Session, text } from "./session.ts";
import { deliveriesOf, perSlot } from "./slots.ts";
import { NOW } from "./statements.ts";

/** Rows one statement gives up. */
const PAGE = 500;

/**
 * ?1 = why, ?2 = how many, ?3 and ?4 = of which time and event the first is, ?5 = tenant; `which` says which those
 * are, by these and by more, in the order of a key. Without a token, as in CANCEL.
 */
export const giveUpOf = (which: string): Readonly<Record<Slot, string>> =>
  perSlot(
    (slot) => `
UPDATE ${deliveriesOf(slot)} SET
  state = 'cancelled', due_at = NULL, last_error = ?1, settled_at = ${NOW}, token = NULL
WHERE (tenant, received_at, event, subscription) IN (
  SELECT tenant, received_at, event, subscription FROM ${deliveriesOf(slot)}
  WHERE ${which} AND state IN ('pending', 'retrying', 'parked')
  ORDER BY received_at, event LIMIT ?2)
RETURNING received_at, event`,
  );

/** Answers how many. */
export async function giveUp(
  session: Session,
  sql: string,
  why: string,
  first: readonly [receivedAtMs: number, event: string],
  more: readonly string[],
): Promise<number> {
  let [at, total] = [first, 0];
  for (;;) {
    const rows = await session.rows("give-up", sql, [why, PAGE, ...at, ...more]);
    total += rows.length;
    if (rows.length < PAGE) return total;
    // They come in no order.
    for (const row of rows) {
      const [receivedAtMs, event] = [number(row.received_at), text(row.event)];
      if (receivedAtMs > at[0] || (receivedAtMs === at[0] && event > at[1]))
        at = [receivedAtMs, event];
    }
  }
}
