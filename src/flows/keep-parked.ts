/** What waits too long for a target, or is too much, is given up where a person sees it. */
import { inTurn } from "../core/gate/index.ts";
import {
  PARKED_CLOSED_MS_MAX,
  PARKED_CLOSED_TARGETS_MAX,
  PARKED_COUNT_MAX,
  PARKED_EXCESS_PAGES_MAX,
  PARKED_MS_MAX,
  PARKED_TARGETS_SEEN_MAX,
} from "../core/gate/limits.ts";
import { PULL_SWEEP_PAGE } from "../core/pull/limits.ts";
import { isSpent, type PullTarget, spentReason } from "../core/pull/pull.ts";
import type { GateId } from "../ports/gates.ts";
import { GATE, NO_LEASE } from "../ports/pulls.ts";
import type { DeliverPorts } from "./ports.ts";
import { wakeEach } from "./wake.ts";

type KeepPorts = Pick<DeliverPorts, "ledger" | "pulls">;

const GATED = { ageMs: PARKED_MS_MAX, countMax: PARKED_COUNT_MAX };
/** Of a target that was closed since: people need longer than receivers. */
export const GATED_CLOSED = { ...GATED, ageMs: PARKED_CLOSED_MS_MAX };

/** One bounded pass over what a target's gate has parked; answers how many are dead letters now. */
export async function keepGated(
  id: GateId,
  ports: KeepPorts,
  { ageMs, countMax } = GATED,
): Promise<number> {
  const old = await ports.ledger.buryParked(id.tenant, id.target, ageMs);
  return old + (await buryExcess(id, countMax, GATE, "target", ports));
}

/** One bounded pass over what waits for closed targets; each has its turn. Answers how many are dead letters now. */
export async function keepClosed(
  turn: number,
  ports: Pick<DeliverPorts, "clock" | "ledger">,
  countMax = PARKED_COUNT_MAX,
): Promise<number> {
  let buried = await ports.ledger.buryClosed(PARKED_CLOSED_MS_MAX);
  const found = await ports.ledger.closedTargets(PARKED_TARGETS_SEEN_MAX);
  const bound = { countMax, reason: tooMany(countMax, "closed target") };
  await wakeEach(
    inTurn(found, PARKED_CLOSED_TARGETS_MAX, turn),
    async ({ tenant, target }) => {
      for (let page = 0; page < PARKED_EXCESS_PAGES_MAX; page += 1) {
        const gone = await ports.ledger.buryClosedExcess(tenant, target, bound, PULL_SWEEP_PAGE);
        buried += gone;
        if (gone < PULL_SWEEP_PAGE) break;
      }
    },
    ports.clock,
  );
  return buried;
}

/** The same of what waits for one reader. */
export async function keepPulled(
  id: GateId,
  target: PullTarget,
  ports: KeepPorts,
): Promise<number> {
  const pulls = await ports.pulls();
  const old = await ports.ledger.buryParked(id.tenant, id.target, target.retentionMs, "leased");
  const spent = (await pulls.ready(id, PULL_SWEEP_PAGE)).filter((each) => isSpent(each, target));
  const unread = await pulls.bury(spent, NO_LEASE, spentReason(target));
  return old + unread + (await buryExcess(id, target.backlogMax, NO_LEASE, "reader", ports));
}

/** The same of what waits for batches: not of what goes with one now. */
export async function keepBatched(
  id: GateId,
  ports: KeepPorts,
  { ageMs, countMax } = GATED,
): Promise<number> {
  const old = await ports.ledger.buryParked(id.tenant, id.target, ageMs, "later");
  return old + (await buryExcess(id, countMax, NO_LEASE, "batch", ports));
}

const tooMany = (countMax: number, whom: string): string =>
  `${countMax} deliveries wait for their ${whom} already, as many as may`;

/** The least urgent and newest go. */
async function buryExcess(
  id: GateId,
  countMax: number,
  by: typeof GATE | typeof NO_LEASE,
  whom: string,
  ports: KeepPorts,
): Promise<number> {
  const pulls = await ports.pulls();
  const reason = tooMany(countMax, whom);
  let buried = 0;
  for (let page = 0; page < PARKED_EXCESS_PAGES_MAX; page += 1) {
    const excess = await pulls.excess(id, countMax, PULL_SWEEP_PAGE);
    const gone = excess.length === 0 ? 0 : await pulls.bury(excess, by, reason);
    buried += gone;
    // The rest of a page is leased: the same would be found again.
    if (gone < PULL_SWEEP_PAGE) break;
  }
  return buried;
}
