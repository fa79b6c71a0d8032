/** Whoever is asked has an answer within the ledger's time, or it counts as failed: its outcome is not known then. */
import { Retryable } from "../core/errors.ts";
import { LEDGER_TIMEOUT_MS } from "../core/limits.ts";
import { type Clock, within } from "../ports/clock.ts";

export const inTime = <Answer>(
  work: Promise<Answer>,
  { clock }: { readonly clock: Clock },
  late = "the ledger did not answer in time",
): Promise<Answer> => within(work, LEDGER_TIMEOUT_MS, clock, () => new Retryable(late));
