/** Who drives replays: a Durable Object each, reached by RPC, and the ledger's word on which of them lag. */
import { REPLAY_OVERDUE_MS } from "../core/archive-limits.ts";
import type { Meter } from "../ports/meter.ts";
import type { Replayers } from "../ports/replays.ts";
import { type Session, text } from "./d1/session.ts";
import { NOW } from "./d1/statements.ts";

export interface ReplayRpc extends Rpc.DurableObjectBranded {
  wake(tenant: string, id: string): Promise<void>;
}

/** ?1 = moved last before, in ms before now, ?2 = how many. */
export const OVERDUE = `
SELECT tenant, id FROM replays INDEXED BY replays_running
WHERE state = 'running' AND updated_at < ${NOW} - ?1 ORDER BY updated_at LIMIT ?2`;

export const createReplayers = (
  session: Session,
  namespace: DurableObjectNamespace<ReplayRpc>,
  meter: Meter,
): Replayers => ({
  async overdue(count) {
    const rows = await session.rows("overdue-replays", OVERDUE, [REPLAY_OVERDUE_MS, count]);
    return rows.map((row) => ({ tenant: text(row.tenant), id: text(row.id) }));
  },
  async wake({ tenant, id }) {
    meter.add("durable_object_calls");
    await namespace.getByName(id).wake(tenant, id);
  },
});
