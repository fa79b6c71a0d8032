/** What goes to targets in batches, in memory: over the rows of the ledger in memory, by its clock. */

import type { Batches } from "../../src/ports/batches.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Pulls } from "../../src/ports/pulls.ts";
import type { MemoryLedger } from "./memory-ledger.ts";

export const createMemoryBatches = (
  clock: Clock,
  { deliveries, controls }: MemoryLedger,
  pulls: Pulls,
): Batches => ({
  async look(id, count) {
    const { revision, ready } = await pulls.look(id, Number.MAX_SAFE_INTEGER);
    const open = ready.filter(({ priority }) => controls.get(priority)?.isPaused !== true);
    return { revision, ready: open.slice(0, count) };
  },

  async nextDueInMs({ tenant, target }) {
    const late = [...deliveries.values()]
      .filter((row) => row.tenant === tenant && row.target === target && row.state === "parked")
      .flatMap(({ dueAtMs }) => (dueAtMs ?? 0) - clock.nowMs())
      .filter((inMs) => inMs > 0);
    return late.length === 0 ? null : Math.min(...late);
  },

  async settle({ tenant, target }, results) {
    const written = new Set<string>();
    for (const { token, state, dueInMs, lastStatus, lastError, attempt, ...key } of results) {
      const row = deliveries.get(keyOf(key));
      const isHeld =
        row?.tenant === tenant &&
        row.target === target &&
        row.receivedAtMs === key.receivedAtMs &&
        row.state === "parked" &&
        row.dueAtMs !== null &&
        row.token === token;
      if (row === undefined || !isHeld) continue;
      deliveries.set(keyOf(key), {
        ...row,
        ...{ state, lastError, lastStatus: lastStatus ?? row.lastStatus, token: "" },
        ...{ dueAtMs: dueInMs === null ? null : clock.nowMs() + dueInMs },
        ...{ settledAtMs: clock.nowMs(), log: [...row.log, attempt].slice(-20) },
      });
      written.add(keyOf(key));
    }
    return written;
  },
});
