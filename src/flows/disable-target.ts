/** A target that is sent to no more: its receiver said that it is gone for good, or has failed for too long. */
import type { GateId } from "../ports/gates.ts";
import { errorText } from "../ports/log.ts";
import { inTime } from "./in-time.ts";
import type { DeliverPorts } from "./ports.ts";

type DisablePorts = Pick<DeliverPorts, "clock" | "directory" | "ledger" | "limiter" | "log">;

export const GONE = "the receiver answered 410 Gone";

/** What its gate closes it for. */
export const failingSince = (sinceMs: number): string =>
  `it has failed since ${new Date(sinceMs).toISOString()}`;

/**
 * Closes a target, for every consumer from their next claim on. `version` is that of the target as it was called: of
 * one that was changed since, whose receiver may be another, that says nothing. Whether it did. Never rejects, and
 * holds nobody up for long: what was not written down is found again by the next attempt.
 */
export async function disableTarget(
  id: GateId,
  version: number | undefined,
  reason: string,
  ports: DisablePorts,
): Promise<boolean> {
  try {
    return await inTime(disable(id, version, reason, ports), ports);
  } catch (error) {
    const { tenant, target } = id;
    ports.log.error("target-not-disabled", { tenant, target, error: errorText(error) });
    return false;
  }
}

async function disable(
  { tenant, target }: GateId,
  version: number | undefined,
  reason: string,
  { directory, ledger, limiter, log }: DisablePorts,
): Promise<boolean> {
  const revision = await ledger.disableTarget(tenant, target, reason, version);
  directory.forget(tenant);
  if (revision === null) return false;
  await limiter.announce(tenant, revision);
  log.warn("target-disabled", { tenant, target, reason });
  return true;
}
