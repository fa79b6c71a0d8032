/** A target that is sent to no more: its receiver said that it is gone for good, or has failed for too long. */
import type { GateId } from "../ports/gates.ts";
import { errorText } from "../ports/log.ts";
import type { DeliverPorts } from "./ports.ts";

export const GONE = "the receiver answered 410 Gone";

/**
 * Closes a target, for every consumer from their next claim on. `version` is that of the target as it was called: of
 * one that was changed since, whose receiver may be another, that says nothing. Whether it did; never rejects.
 */
export async function disableTarget(
  { tenant, target }: GateId,
  version: number | undefined,
  reason: string,
  ports: Pick<DeliverPorts, "directory" | "ledger" | "limiter" | "log">,
): Promise<boolean> {
  try {
    const revision = await ports.ledger.disableTarget(tenant, target, reason, version);
    ports.directory.forget(tenant);
    if (revision === null) return false;
    await ports.limiter.announce(tenant, revision);
    ports.log.warn("target-disabled", { tenant, target, reason });
    return true;
  } catch (error) {
    ports.log.error("target-not-disabled", { tenant, target, error: errorText(error) });
    return false;
  }
}

/** What its gate closes it for. */
export const failingSince = (sinceMs: number): string =>
  `it has failed since ${new Date(sinceMs).toISOString()}`;
