/** A receiver said that it is gone for good. */
import type { GateId } from "../ports/gates.ts";
import { errorText } from "../ports/log.ts";
import type { DeliverPorts } from "./ports.ts";

/**
 * Closes a target that answered 410, for every consumer from their next claim on. `version` is that of the target as it
 * was called: of one that was changed since, whose receiver may be another, the answer says nothing. Never rejects.
 */
export async function disableTarget(
  { tenant, target }: GateId,
  version: number | undefined,
  ports: DeliverPorts,
): Promise<void> {
  try {
    const revision = await ports.ledger.disableTarget(
      tenant,
      target,
      "the receiver answered 410 Gone",
      version,
    );
    ports.directory.forget(tenant);
    if (revision === null) return;
    await ports.limiter.announce(tenant, revision);
    ports.log.warn("target-disabled", { tenant, target, reason: "410" });
  } catch (error) {
    ports.log.error("target-not-disabled", { tenant, target, error: errorText(error) });
  }
}
