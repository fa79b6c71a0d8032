/** Parked deliveries go out again, as many as their gate has room for, the most urgent and oldest first. */
import { PRIORITIES, type Priority } from "../core/priority.ts";
import type { GateId, ReleasedParked } from "../ports/gates.ts";
import type { DueDelivery, ParkedMost } from "../ports/ledger.ts";
import type { DeliverPorts } from "./ports.ts";
import { sendDue } from "./revive.ts";

/** What the queue does not take stays owed, and the sweeper sends it. */
export async function releaseParked(
  { tenant, target }: GateId,
  most: ParkedMost,
  ports: DeliverPorts,
): Promise<readonly ReleasedParked[]> {
  const { taken, left, areRetries } = await ports.ledger.takeParked(tenant, target, most);
  if (taken.length > 0) await sendDue(taken, ports, true);
  const reached =
    left === null ? PRIORITIES.length : PRIORITIES.indexOf(gatePriority({ priority: left }));
  return PRIORITIES.map((priority, at) => {
    const own = taken.filter((each) => gatePriority(each) === priority);
    const retries = own.filter(({ isRetry }) => isRetry).length;
    const isEmpty = at < reached;
    return { priority, count: own.length, retries, isEmpty, areRetries: !isEmpty && areRetries };
  });
}

/** Replays stand below bulk in their queues, and with it in a gate. */
export const gatePriority = ({ priority }: Pick<DueDelivery, "priority">): Priority =>
  priority === "replay" ? "bulk" : priority;
