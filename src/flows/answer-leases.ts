/** What a reader says of what it has leased: done, not now, or longer. A lease that is over is told so. */
import { parseLeaseId } from "../core/pull/pull.ts";
import type { DeliveryState } from "../core/settle.ts";
import { keyOf } from "../ports/claim.ts";
import type { GateId } from "../ports/gates.ts";
import { type HeldLease, keyOfLease, type Pulls } from "../ports/pulls.ts";

export type Said =
  | { readonly kind: "ack" }
  | {
      readonly kind: "nack";
      readonly reason: string;
      readonly delayMs: number;
      readonly attemptsMax: number;
    }
  | { readonly kind: "extend"; readonly leaseMs: number };

export interface LeasesAnswered {
  readonly done: number;
  readonly refused: readonly { readonly lease: string; readonly reason: string }[];
}

/** A lease whose time is over holds for as long as nobody else has leased its delivery. */
export async function answerLeases(
  id: GateId,
  leases: readonly string[],
  said: Said,
  pulls: Pulls,
): Promise<LeasesAnswered> {
  const refused: { lease: string; reason: string }[] = [];
  const held = new Map<string, HeldLease>();
  for (const lease of new Set(leases)) {
    const parsed = parseLeaseId(lease);
    if (parsed === null) refused.push({ lease, reason: "this is no lease" });
    else held.set(lease, { tenant: id.tenant, ...parsed });
  }
  const last = await lastOf(id, [...held.values()], pulls);
  const done = await answer(id, [...last], said, pulls);
  const others = [...held].filter(([, lease]) => !last.has(lease) || !done.has(keyOf(lease)));
  const standing =
    others.length === 0
      ? new Map()
      : await pulls.standing(
          id,
          others.map(([, lease]) => lease),
        );
  let repeated = 0;
  for (const [lease, key] of others) {
    const stands = standing.get(keyOfLease(key));
    // The answer of the first time was lost.
    if (said.kind === "ack" && stands?.state === "delivered" && stands.isLast) repeated += 1;
    else refused.push({ lease, reason: WHY[stands?.state as DeliveryState] ?? UNKNOWN });
  }
  return { done: done.size + repeated, refused };
}

/** Of leases of one delivery only the last one may hold; which that is the ledger tells. */
async function lastOf(
  id: GateId,
  leases: readonly HeldLease[],
  pulls: Pulls,
): Promise<ReadonlySet<HeldLease>> {
  const byDelivery = [...Map.groupBy(leases, keyOf).values()];
  const several = byDelivery.filter((own) => own.length > 1).flat();
  if (several.length === 0) return new Set(leases);
  const standing = await pulls.standing(id, several);
  const former = new Set(several.filter((each) => standing.get(keyOfLease(each))?.isLast !== true));
  return new Set(leases.filter((lease) => !former.has(lease)));
}

function answer(
  id: GateId,
  leases: readonly HeldLease[],
  said: Said,
  pulls: Pulls,
): Promise<ReadonlySet<string>> {
  switch (said.kind) {
    case "ack":
      return pulls.acknowledge(id, leases);
    case "nack":
      return pulls.refuse(id, leases, said);
    case "extend":
      return pulls.extend(id, leases, said.leaseMs);
  }
}

const UNKNOWN = "there is no such delivery of this target";
const OVER = "the lease is over: its delivery waits to be pulled, or was given to somebody else";
const ELSEWHERE = "the lease is over: its delivery is on its way to another target";

const WHY: Readonly<Record<DeliveryState, string>> = {
  ...{ pending: ELSEWHERE, delivering: ELSEWHERE, retrying: ELSEWHERE, parked: OVER },
  delivered: "its delivery is acknowledged",
  dead: "its delivery is a dead letter",
  cancelled: "its delivery was cancelled",
};
