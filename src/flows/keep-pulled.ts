/** What nobody pulls, or nobody acknowledges, is given up where a person sees it. */
import { PULL_SWEEP_PAGE } from "../core/pull/limits.ts";
import { isSpent, type PullTarget, spentReason } from "../core/pull/pull.ts";
import type { GateId } from "../ports/gates.ts";
import type { DeliverPorts } from "./ports.ts";

/** One bounded pass over what waits for one reader; answers how many are dead letters now. */
export async function keepPulled(
  id: GateId,
  target: PullTarget,
  ports: Pick<DeliverPorts, "ledger" | "pulls">,
): Promise<number> {
  const pulls = await ports.pulls();
  const old = await ports.ledger.buryParked(id.tenant, id.target, target.retentionMs);
  const spent = (await pulls.ready(id, PULL_SWEEP_PAGE)).filter((each) => isSpent(each, target));
  const unread = await pulls.bury(spent, null, spentReason(target));
  const { backlogMax } = target;
  const excess = await pulls.excess(id, backlogMax, PULL_SWEEP_PAGE);
  const reason = `${backlogMax} deliveries wait for their reader already, as many as may`;
  return old + unread + (await pulls.bury(excess, null, reason));
}
