/** Who begins fan-outs, and who drives them: a Durable Object each, reached by RPC; and which of them lag. */
import { FANOUT_KEPT_MS, FANOUT_OVERDUE_MS } from "../core/fan-out/limits.ts";
import type { FanOutJobs } from "../ports/fan-outs.ts";
import type { Meter } from "../ports/meter.ts";
import { type Session, text } from "./d1/session.ts";
import { NOW } from "./d1/statements.ts";

export interface FanOutRpc extends Rpc.DurableObjectBranded {
  wake(tenant: string, id: string): Promise<void>;
}

/**
 * ?1 = tenant, ?2 = fan-out, ?3 = event, ?4 = rule, ?5 = priority, ?6 = subscriptions, ?7 = total, ?8 = offset,
 * ?9 = elements a second, ?10 = revision.
 */
export const CREATE = `
INSERT INTO fan_outs (
  tenant, id, event, rule, priority, subscriptions, state, total, "offset", per_second, created_at, updated_at)
SELECT id, ?2, ?3, ?4, ?5, ?6, CASE WHEN ?7 > 0 THEN 'running' ELSE 'done' END, ?7, ?8, ?9, ${NOW}, ${NOW}
FROM tenants WHERE id = ?1 AND created_at <= ?10
ON CONFLICT (tenant, id) DO NOTHING`;

/** ?1 = moved last before, in ms before now, ?2 = how many. */
export const OVERDUE = `
SELECT tenant, id FROM fan_outs INDEXED BY fan_outs_running
WHERE state = 'running' AND updated_at < ${NOW} - ?1 ORDER BY updated_at LIMIT ?2`;

/** ?1 = begun before, in ms before now, ?2 = how many. */
export const FORGET = `
DELETE FROM fan_outs WHERE (tenant, id) IN (
  SELECT tenant, id FROM fan_outs INDEXED BY fan_outs_ended
  WHERE state IN ('done', 'cancelled', 'failed') AND created_at < ${NOW} - ?1
  ORDER BY created_at LIMIT ?2)
RETURNING id`;

export const createFanOutJobs = (
  session: Session,
  namespace: DurableObjectNamespace<FanOutRpc>,
  meter: Meter,
): FanOutJobs => ({
  async create(fanOut) {
    const { tenant, id, event, rule, priority, subscriptions, total, offset } = fanOut;
    await session.rows("create-fan-out", CREATE, [
      ...[tenant, id, event, rule, priority, JSON.stringify(subscriptions)],
      ...[total, offset, fanOut.perSecond, fanOut.revision],
    ]);
  },
  async overdue(count) {
    const rows = await session.rows("overdue-fan-outs", OVERDUE, [FANOUT_OVERDUE_MS, count]);
    return rows.map((row) => ({ tenant: text(row.tenant), id: text(row.id) }));
  },
  async forget(count) {
    return (await session.rows("forget-fan-outs", FORGET, [FANOUT_KEPT_MS, count])).length;
  },
  async wake({ tenant, id }) {
    meter.add("durable_object_calls");
    await namespace.getByName(`${tenant}/${id}`).wake(tenant, id);
  },
});
