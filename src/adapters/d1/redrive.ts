/**
 * What a person does about dead letters: puts them back on their way, one or all of a selection, as a job
 * that can be watched; or gives them up.
 */
import { slotOf } from "../../core/generation.ts";
import { SWEEP_GRACE_MS } from "../../core/limits.ts";
import type { DeadLetterSelection, History } from "../../ports/history.ts";
import { JOB, readJobs, UNDER_WAY } from "./jobs.ts";
import { OPEN } from "./owed-statements.ts";
import { IS_IN_BATCH } from "./parked-statements.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { acrossSlots, bySlot, deliveriesOf, openDeliveriesOf, perSlot } from "./slots.ts";
import { AT_KEY, NOW } from "./statements.ts";

/** ?1 = tenant, ?2 = received at, ?3 = event, ?4 = subscription. */
export const REDRIVE = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} SET state = 'pending', due_at = 0, attempts_base = attempts, settled_at = NULL
WHERE tenant = ?1 AND received_at = ?2 AND event = ?3 AND subscription = ?4
  AND state IN ('dead', 'cancelled', 'retrying')
RETURNING event`,
);

const NO_EVENTS = [null, null] as const;

/** Dead letters one statement touches. */
const DEAD_LETTERS_PAGE = 500;

/** A redrive that a person has ended takes nothing more. */
const isCancelled = (job: string): string =>
  `EXISTS (SELECT 1 FROM jobs WHERE id = ${job} AND state = 'cancelled')`;

/**
 * ?1 = tenant, ?2 = target or null, ?3 = rule or null, ?4 = from, ?5 = to, ?6 = how many, ?7 = from this event on
 * and ?8 = before this one, and none of a replay, or null, ?9 = the job that takes them, or null; the oldest first.
 */
export const DEAD_LETTERS = `${acrossSlots(
  (slot) => `
SELECT received_at, event, subscription FROM ${openDeliveriesOf(slot)}
WHERE ${OPEN} AND state = 'dead' AND tenant = ?1
  AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR rule = ?3)
  AND received_at >= ?4 AND received_at < ?5 AND (?7 IS NULL OR (event >= ?7 AND event < ?8 AND replay IS NULL))
  AND NOT ${isCancelled("?9")}`,
)}
ORDER BY received_at LIMIT ?6`;

/** ?1 = [[tenant, receivedAt, event, subscription, when it is due, from now]], ?2 = job. */
export const REDRIVE_ALL = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'pending', attempts_base = attempts, settled_at = NULL, job = ?2, due_at = ${NOW} + (j.value->>4)
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.state = 'dead' AND NOT ${isCancelled("?2")}
RETURNING event`,
);

/** Owed, and in no consumer's hands. */
const WAITS = "state IN ('pending', 'retrying', 'parked')";

/** ?1 = job, ?2 = tenant, ?3 = by whom and why, a JSON object. One that has nothing left to do has ended by itself. */
export const CANCEL_REDRIVE = `
UPDATE jobs SET state = 'cancelled', updated_at = ${NOW},
  progress = json_object('cancelled', json(?3))
WHERE id = ?1 AND tenant = ?2 AND kind = 'redrive' AND state = 'done' AND (${UNDER_WAY})`;

/** ?1 = job, ?2 = tenant. */
export const REDRIVE_STATE =
  "SELECT state FROM jobs WHERE id = ?1 AND tenant = ?2 AND kind = 'redrive'";

/** ?1 = job, ?2 = tenant, ?3, ?4, ?5 = received at, event and subscription of the last one, ?6 = how many. */
export const WAITING_OF_REDRIVE = `${acrossSlots(
  (slot) => `
SELECT received_at, event, subscription FROM ${deliveriesOf(slot)} INDEXED BY ${deliveriesOf(slot)}_job
WHERE job = ?1 AND tenant = ?2 AND (received_at, event, subscription) > (?3, ?4, ?5) AND ${WAITS}`,
)}
ORDER BY received_at, event, subscription LIMIT ?6`;

/** ?1 = [[tenant, receivedAt, event, subscription]], ?2 = why, ?3 = job. Without a token, as in CANCEL. */
export const TAKE_BACK = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'dead', due_at = NULL, last_error = ?2, settled_at = ${NOW}, token = NULL
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.job = ?3 AND deliveries.${WAITS} AND ${IS_IN_BATCH} IS NOT 1
RETURNING event`,
);

/**
 * ?1 = tenant, ?2 = received at, ?3 = event, ?4 = subscription, ?5 = the states it may be in, ?6 = why. Without
 * a token, so that a settle whose answer was lost does not come back to life.
 */
export const CANCEL = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} SET
  state = 'cancelled', due_at = NULL, last_error = ?6, settled_at = ${NOW}, token = NULL
WHERE tenant = ?1 AND received_at = ?2 AND event = ?3 AND subscription = ?4
  AND state IN (SELECT value FROM json_each(?5))
RETURNING event`,
);

/** ?1 = [[tenant, receivedAt, event, subscription]], ?2 = why. */
export const CANCEL_ALL = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'cancelled', due_at = NULL, last_error = ?2, settled_at = ${NOW}, token = NULL
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.state = 'dead'
RETURNING event`,
);

/** ?1 = tenant, ?2 = job, ?3 = query. */
export const ADD_REDRIVE = `
INSERT INTO jobs (tenant, id, kind, query, total, state, created_at, updated_at)
VALUES (?1, ?2, 'redrive', ?3, 0, 'done', ${NOW}, ${NOW})`;

/** ?1 = job. Right after each statement of a page, in its transaction: the total is what the job has taken. */
export const COUNT_REDRIVEN = "UPDATE jobs SET total = total + changes() WHERE id = ?1";

export function createRedrive(
  session: Session,
  rowOf: (tenant: string, id: string) => Promise<Row | null>,
): Pick<History, "redrive" | "redriveAll" | "cancelRedrive" | "cancel" | "cancelAll"> {
  /** Whether the one delivery was changed. */
  async function change(
    operation: string,
    statements: typeof CANCEL,
    tenant: string,
    id: string,
    ...more: string[]
  ): Promise<boolean> {
    const row = await rowOf(tenant, id);
    if (row === null) return false;
    const receivedAtMs = number(row.received_at);
    const params = [tenant, receivedAtMs, text(row.event), text(row.subscription), ...more];
    return (await session.rows(operation, statements[slotOf(receivedAtMs)], params)).length > 0;
  }

  /**
   * Changes all dead letters of a selection, page by page: what a statement changed is in no later page.
   * `extraOf` is what it takes for each beside its key, by how many came before; `job` counts what it has taken.
   */
  async function changeAll(
    operation: string,
    statements: typeof CANCEL_ALL,
    tenant: string,
    filter: DeadLetterSelection,
    param: string,
    extraOf: (position: number) => number[],
    job: string | null = null,
  ): Promise<number> {
    const { target = null, rule = null, fromMs, toMs, events: [from, until] = NO_EVENTS } = filter;
    const params = [tenant, target, rule, fromMs, toMs, DEAD_LETTERS_PAGE, from, until, job];
    const then = job === null ? [] : [{ sql: COUNT_REDRIVEN, params: [job] }];
    for (let total = 0; ; ) {
      const page = await session.rows(operation, DEAD_LETTERS, params);
      const keys = page.map(keyOfRow).map(({ receivedAtMs, rest }, at) => ({
        receivedAtMs,
        rest: [...rest, ...extraOf(total + at)],
      }));
      const writes = bySlot(keys).flatMap(([slot, own]) => {
        const rows = own.map(({ receivedAtMs, rest }) => [tenant, receivedAtMs, ...rest]);
        return [{ sql: statements[slot], params: [JSON.stringify(rows), param] }, ...then];
      });
      total += (await session.batch(operation, writes)).flat().length;
      if (page.length < DEAD_LETTERS_PAGE) return total;
    }
  }

  /** Page by page, each behind the one before: what is in a batch stays where it is. */
  async function takeBack(tenant: string, job: string, why: string): Promise<void> {
    for (let after: (string | number)[] = [0, "", ""]; ; ) {
      const params = [job, tenant, ...after, DEAD_LETTERS_PAGE];
      const page = await session.rows("take-back", WAITING_OF_REDRIVE, params);
      const keys = page.map(keyOfRow);
      const writes = bySlot(keys).map(([slot, own]): Statement => {
        const rows = own.map(({ receivedAtMs, rest }) => [tenant, receivedAtMs, ...rest]);
        return { sql: TAKE_BACK[slot], params: [JSON.stringify(rows), why, job] };
      });
      await session.batch("take-back", writes);
      const last = keys.at(-1);
      if (last === undefined || page.length < DEAD_LETTERS_PAGE) return;
      after = [last.receivedAtMs, ...last.rest];
    }
  }

  return {
    redrive: (tenant, id) => change("redrive", REDRIVE, tenant, id),

    async redriveAll(tenant, id, filter, perSecond) {
      const pauseMs = perSecond === null ? 0 : 1_000 / perSecond;
      const firstInMs = perSecond === null ? -SWEEP_GRACE_MS : 0;
      const dueIn = (position: number) => [Math.floor(firstInMs + position * pauseMs)];
      // The job first: should this process end between two pages, what it had begun is seen to be under way.
      const query = JSON.stringify({ ...filter, perSecond });
      await session.rows("redrive-all", ADD_REDRIVE, [tenant, id, query]);
      await changeAll("redrive-all", REDRIVE_ALL, tenant, filter, id, dueIn, id);
      const [job] = await readJobs(session, JOB, [id, tenant]);
      if (job === undefined) throw new Error("the job that was just written is not there");
      return job;
    },

    async cancelRedrive(tenant, id, by) {
      const [, found] = await session.batch("cancel-redrive", [
        { sql: CANCEL_REDRIVE, params: [id, tenant, JSON.stringify(by)] },
        { sql: REDRIVE_STATE, params: [id, tenant] },
      ]);
      const state = found?.[0]?.state;
      // Also one that was cancelled by a call that did not come to its end.
      if (state === "cancelled") await takeBack(tenant, id, `redrive cancelled: ${by.reason}`);
      return state !== undefined;
    },

    cancel: (tenant, id, from, why) =>
      change("cancel", CANCEL, tenant, id, JSON.stringify(from), why),

    cancelAll: (tenant, filter, why) =>
      changeAll("cancel-all", CANCEL_ALL, tenant, filter, why, () => []),
  };
}

const keyOfRow = (row: Row) => ({
  receivedAtMs: number(row.received_at),
  rest: [text(row.event), text(row.subscription)],
});
