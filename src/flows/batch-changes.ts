/** What happens while a batch is made: operators change its target, or its process stands still. */
import { BATCH_LEASE_MARGIN_MS } from "../core/batch/limits.ts";
import { changesSince } from "../core/changes.ts";
import { CHANGES_ASK_MS } from "../core/operator-limits.ts";
import type { DeliverPorts } from "./ports.ts";
import type { HeldBatch } from "./send-batch.ts";

type Ports = Pick<DeliverPorts, "clock" | "directory" | "ledger">;

/** Whether it may go as it was made. What is over within half a second costs no round trip. */
export async function mayGo(held: HeldBatch, ports: Ports): Promise<boolean> {
  const { clock } = ports;
  const isFresh = clock.nowMs() - held.lookedAtMs < CHANGES_ASK_MS;
  if (!isFresh && !(await isUnchanged(held, ports))) return false;
  // Its request ends before its lease: nobody else sends the same beside it.
  return clock.nowMs() - held.leasedAtMs < BATCH_LEASE_MARGIN_MS;
}

async function isUnchanged(
  { id, target, revision, messages }: HeldBatch,
  { directory, ledger }: Ports,
): Promise<boolean> {
  const { standings, controls } = await ledger.changes(new Set([id.tenant]));
  const paused = new Set(controls.flatMap(({ queue, isPaused }) => (isPaused ? [queue] : [])));
  if (messages.some(({ delivery }) => paused.has(delivery.priority))) return false;
  const changed = changesSince(new Map([[id.tenant, revision]]), standings).get(id.tenant);
  if (changed === undefined) return true;
  const tenant = changed === null ? null : await directory.at(id.tenant, changed);
  const now = tenant?.targets.get(id.target);
  return now?.closed === null && now.gate.version === target.gate.version;
}
