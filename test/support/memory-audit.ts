/** The ledger in memory beside the archive, by the ledger's own clock. */
import type { Audit, LedgerEvent } from "../../src/ports/audit.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { EventRow, MemoryLedger } from "./memory-ledger.ts";

export function createMemoryAudit(ledger: MemoryLedger, clock: Clock): Audit {
  const eventOf = ({
    id,
    receipt,
    receivedAtMs,
    pointer,
    leaseUntilMs,
  }: EventRow): LedgerEvent => ({
    ...{ id, receipt, receivedAtMs, pointer },
    isLeased: leaseUntilMs >= clock.nowMs(),
  });
  const rowsOf = (id: string) =>
    [...ledger.deliveries.values()].filter(({ event }) => event === id);
  return {
    async known(tenant, ids) {
      const found = ids.flatMap((id) => ledger.events.get(id) ?? []);
      return new Map(
        found
          .filter((row) => row.tenant === tenant)
          .map((row) => {
            const subscriptions = new Set(rowsOf(row.id).map(({ subscription }) => subscription));
            return [row.id, { ...eventOf(row), subscriptions }];
          }),
      );
    },
    async settled(tenant, { fromMs, untilMs }, after, count) {
      const isAfter = (row: EventRow) =>
        after === null ||
        row.receivedAtMs > after.receivedAtMs ||
        (row.receivedAtMs === after.receivedAtMs && row.id > after.id);
      return [...ledger.events.values()]
        .filter((row) => row.tenant === tenant && rowsOf(row.id).length > 0 && isAfter(row))
        .filter(({ receivedAtMs }) => receivedAtMs >= fromMs && receivedAtMs < untilMs)
        .sort((a, b) => a.receivedAtMs - b.receivedAtMs || (a.id < b.id ? -1 : 1))
        .slice(0, count)
        .map(eventOf);
    },
    async repoint(events) {
      const changed = new Set<string>();
      for (const { id, receipt, pointer, to } of events) {
        const row = ledger.events.get(id);
        if (row === undefined || row.receipt !== receipt || eventOf(row).isLeased) continue;
        const { segment, offset } = row.pointer;
        if (segment !== pointer.segment || offset !== pointer.offset) continue;
        ledger.events.set(id, { ...row, pointer: to });
        changed.add(id);
      }
      return changed;
    },
  };
}
