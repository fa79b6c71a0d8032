/** What people ask of the ledger in memory, as far as flows need it. */
import { deliveryId, parseDeliveryId } from "../../src/core/ids.ts";
import type { History, StoredDelivery } from "../../src/ports/history.ts";
import type { DeliveryRow, MemoryLedger } from "./memory-ledger.ts";

export const storedDelivery = (row: DeliveryRow): StoredDelivery => {
  if (row.state === "unmatched") throw new Error("nothing was owed");
  return {
    ...row,
    id: deliveryId(row.event, row.subscription),
    state: row.state,
    nextAttemptAtMs: row.dueAtMs,
    replay: row.replay ?? null,
  };
};

export function createMemoryHistory(ledger: MemoryLedger): Pick<History, "event" | "cancel"> {
  return {
    async event(tenant, id) {
      const row = ledger.events.get(id);
      if (row === undefined || row.tenant !== tenant) return null;
      const rows = [...ledger.deliveries.values()].filter(({ event }) => event === id);
      return { ...row, duplicates: [], deliveries: rows.map(storedDelivery) };
    },
    async cancel(tenant, id, from, why) {
      const key = parseDeliveryId(id);
      const at = `${key?.event} ${key?.subscription}`;
      const row = ledger.deliveries.get(at);
      if (row === undefined || row.tenant !== tenant) return false;
      if (!from.some((state) => state === row.state)) return false;
      ledger.deliveries.set(at, { ...row, state: "cancelled", dueAtMs: null, lastError: why });
      return true;
    },
  };
}
