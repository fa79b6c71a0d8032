/** Dead letters put back on their way: one, or all that an operator selects, as a job that can be watched. */
import { slotOf } from "../../core/generation.ts";
import { SWEEP_GRACE_MS } from "../../core/limits.ts";
import type { History } from "../../ports/history.ts";
import { JOB, readJobs } from "./jobs.ts";
import { OPEN } from "./owed-statements.ts";
import { number, type Row, type Session, text } from "./session.ts";
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

/** Dead letters one redrive statement touches. */
const REDRIVE_PAGE = 500;

/** ?1 = tenant, ?2 = target or null, ?3 = rule or null, ?4 = from, ?5 = to, ?6 = how many; the oldest first. */
export const DEAD_LETTERS = `${acrossSlots(
  (slot) => `
SELECT received_at, event, subscription FROM ${openDeliveriesOf(slot)}
WHERE ${OPEN} AND state = 'dead' AND tenant = ?1
  AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR rule = ?3)
  AND received_at >= ?4 AND received_at < ?5`,
)}
ORDER BY received_at LIMIT ?6`;

/** ?1 = [[tenant, receivedAt, event, subscription, when it is due, from now]], ?2 = job. */
export const REDRIVE_ALL = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = 'pending', attempts_base = attempts, settled_at = NULL, job = ?2, due_at = ${NOW} + (j.value->>4)
FROM json_each(?1) AS j
WHERE ${AT_KEY} AND deliveries.state = 'dead'
RETURNING event`,
);

/** ?1 = tenant, ?2 = job, ?3 = query, ?4 = total. */
export const ADD_REDRIVE = `
INSERT INTO jobs (tenant, id, kind, query, total, state, created_at, updated_at)
VALUES (?1, ?2, 'redrive', ?3, ?4, 'done', ${NOW}, ${NOW})`;

export function createRedrive(
  session: Session,
  rowOf: (tenant: string, id: string) => Promise<Row | null>,
): Pick<History, "redrive" | "redriveAll"> {
  return {
    async redrive(tenant, id) {
      const row = await rowOf(tenant, id);
      if (row === null) return false;
      const receivedAtMs = number(row.received_at);
      const params = [tenant, receivedAtMs, text(row.event), text(row.subscription)];
      const statement = REDRIVE[slotOf(receivedAtMs)];
      return (await session.rows("redrive", statement, params)).length > 0;
    },

    async redriveAll(tenant, id, filter, perSecond) {
      const pauseMs = perSecond === null ? 0 : 1_000 / perSecond;
      const firstInMs = perSecond === null ? -SWEEP_GRACE_MS : 0;
      const { target = null, rule = null, fromMs, toMs } = filter;
      const params = [tenant, target, rule, fromMs, toMs, REDRIVE_PAGE];
      let total = 0;
      for (;;) {
        const page = await session.rows("redrive-all", DEAD_LETTERS, params);
        const keys = page.map((row, at) => ({
          receivedAtMs: number(row.received_at),
          rest: [row.event, row.subscription, Math.floor(firstInMs + (total + at) * pauseMs)],
        }));
        const statements = bySlot(keys).map(([slot, own]) => {
          const rows = own.map(({ receivedAtMs, rest }) => [tenant, receivedAtMs, ...rest]);
          return { sql: REDRIVE_ALL[slot], params: [JSON.stringify(rows), id] };
        });
        total += (await session.batch("redrive-all", statements)).flat().length;
        if (page.length < REDRIVE_PAGE) break;
      }
      const query = JSON.stringify({ ...filter, perSecond });
      await session.rows("redrive-all", ADD_REDRIVE, [tenant, id, query, total]);
      const [job] = await readJobs(session, JOB, [id, tenant]);
      if (job === undefined) throw new Error("the job that was just written is not there");
      return job;
    },
  };
}
