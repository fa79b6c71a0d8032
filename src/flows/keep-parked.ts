/** What waits too long for a target, or is too much, is given up where a person sees it. */
import { PARKED_COUNT_MAX, PARKED_EXCESS_PAGES_MAX, PARKED_MS_MAX } from "../core/gate/limits.ts";
import { PULL_SWEEP_PAGE } from "../core/pull/limits.ts";
import { isSpent, type PullTarget, spentReason } from "../core/pull/pull.ts";
import type { GateId } from "../ports/gates.ts";
import type { DeliverPorts } from "./ports.ts";

type KeepPorts = Pick<DeliverPorts, "ledger" | "pulls">;

/** One bounded pass over what a target's gate has parked; answers how many are dead letters now. */
export async function keepGated(
  id: GateId,
  ports: KeepPorts,
  countMax = PARKED_COUNT_MAX,
): Promise<number> {
  const old = await ports.ledger.buryParked(id.tenant, id.target, PARKED_MS_MAX);
  return old + (await buryExcess(id, countMax, "their target", ports));
}

/** The same of what waits for one reader. */
export async function keepPulled(
  id: GateId,
  target: PullTarget,
  ports: KeepPorts,
): Promise<number> {
  const pulls = await ports.pulls();
  const old = await ports.ledger.buryParked(id.tenant, id.target, target.retentionMs);
  const spent = (await pulls.ready(id, PULL_SWEEP_PAGE)).filter((each) => isSpent(each, target));
  const unread = await pulls.bury(spent, null, spentReason(target));
  return old + unread + (await buryExcess(id, target.backlogMax, "their reader", ports));
}

/** The least urgent and newest go. */
async function buryExcess(
  id: GateId,
  countMax: number,
  whom: string,
  ports: KeepPorts,
): Promise<number> {
  const pulls = await ports.pulls();
  const reason = `${countMax} deliveries wait for ${whom} already, as many as may`;
  let buried = 0;
  for (let page = 0; page < PARKED_EXCESS_PAGES_MAX; page += 1) {
    const excess = await pulls.excess(id, countMax, PULL_SWEEP_PAGE);
    buried += await pulls.bury(excess, null, reason);
    if (excess.length < PULL_SWEEP_PAGE) break;
  }
  return buried;
}
