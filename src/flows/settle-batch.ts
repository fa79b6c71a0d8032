/** The end of a batch in the ledger: settled, or given back as if it had never been leased. */
import type { BatchResult } from "../ports/batches.ts";
import { errorText } from "../ports/log.ts";
import { inTime } from "./in-time.ts";
import type { DeliverPorts } from "./ports.ts";
import { targetKey } from "./receivers.ts";
import type { HeldBatch } from "./send-batch.ts";

/** Writes before it is left to the lease's end; a repeat of what was written changes nothing. */
const WRITES_MAX = 3;
const WRITE_PAUSE_MS = 200;

/** Never rejects: what is not written is due again when its lease ends. */
export async function settleBatch(
  { id }: HeldBatch,
  results: readonly BatchResult[],
  ports: DeliverPorts,
): Promise<void> {
  for (let attempt = 1; attempt <= WRITES_MAX; attempt += 1) {
    try {
      const batches = await ports.batches();
      const written = await inTime(batches.settle(id, results), ports);
      // Somebody else has them by now, or ended them: of a repeat it says nothing.
      const refused = results.length - written.size;
      if (refused > 0 && attempt === 1) {
        ports.log.warn("settle-refused", { gate: targetKey(id), count: refused });
      }
      return;
    } catch (error) {
      ports.log.warn("settle-failed", { gate: targetKey(id), attempt, error: errorText(error) });
      await ports.clock.timer(WRITE_PAUSE_MS * attempt).elapsed;
    }
  }
}

export async function giveBackBatch(
  { id, token, leasedAtMs, messages }: HeldBatch,
  ports: DeliverPorts,
): Promise<void> {
  const leases = messages.map(({ delivery }) => ({ ...delivery, token, leasedAtMs }));
  try {
    const pulls = await ports.pulls();
    await inTime(pulls.giveBack(leases), ports);
  } catch (error) {
    ports.log.warn("leases-not-given-back", { tenant: id.tenant, error: errorText(error) });
  }
}
