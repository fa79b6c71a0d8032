/** What a batch claimed and did not finish is let go, so that the next consumer need not wait for leases to end. */
import { LEASE_SECONDS } from "../core/limits.ts";
import { keyOf } from "../ports/claim.ts";
import { errorText } from "../ports/log.ts";
import type { Claimed } from "./claim.ts";
import { unmatchedResult } from "./decide-delivery.ts";
import type { KeptOf } from "./keep-segments.ts";
import type { LateAttempt } from "./late-attempts.ts";
import {
  GIVEN_BACK_RETRY_SECONDS,
  type HeldEvent,
  type OpenedBatch,
  retryLater,
} from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

/** Events whose bytes come once more, until they rest. */
export async function unkeptOf({ unarchived }: Claimed, keptOf: KeptOf): Promise<HeldEvent[]> {
  const kept = await Promise.all(unarchived.map(({ held }) => keptOf(held)));
  return unarchived.flatMap(({ held }, at) => (kept[at] ? [] : [held]));
}

/** Whether nothing is held any more; a failure only means that the next consumer waits for the lease's end. */
export async function giveBack(
  { token, duties, unmatched }: Claimed,
  written: ReadonlySet<string>,
  unkept: readonly HeldEvent[],
  ports: DeliverPorts,
): Promise<boolean> {
  const claims = [...duties, ...unmatched.map(({ record }) => unmatchedResult(record))];
  const owed = claims.filter((claim) => !written.has(keyOf(claim)));
  const unfinished = [...owed, ...unkept.map(({ record }) => unmatchedResult(record))].map(
    ({ tenant, receivedAtMs, event, subscription, claimedBy }) => {
      return { tenant, receivedAtMs, event, subscription, claimedBy };
    },
  );
  if (unfinished.length === 0) return true;
  try {
    await ports.ledger.giveBack(token, unfinished);
    return true;
  } catch (error) {
    ports.log.warn("lease-kept", { deliveries: unfinished.length, error: errorText(error) });
    return false;
  }
}

/** Its queue was paused since: whoever takes it again waits until it is open. */
export async function putBack(
  opened: OpenedBatch,
  claimed: Claimed,
  ports: DeliverPorts,
): Promise<void> {
  const unkept = claimed.unarchived.map(({ held }) => held);
  const isGivenBack = await giveBack(claimed, new Set(), unkept, ports);
  const seconds = isGivenBack ? GIVEN_BACK_RETRY_SECONDS : LEASE_SECONDS + 1;
  for (const open of opened.messages) retryLater(open, seconds);
}

/**
 * What is not given back: what is written or under way, and all of an event of which something is under way
 * that the ledger could not be told of. Whoever claimed that would begin it once more.
 */
export function keptFrom(
  late: readonly LateAttempt[],
  written: ReadonlySet<string>,
  { duties }: Claimed,
): ReadonlySet<string> {
  const untold = new Set(
    late.flatMap(({ duty }) => {
      return duty.claimedBy === "row" || written.has(keyOf(duty)) ? [] : [duty.event];
    }),
  );
  const held = [
    ...late.map(({ duty }) => duty),
    ...duties.filter(({ event }) => untold.has(event)),
  ];
  return new Set([...written, ...held.map(keyOf)]);
}
