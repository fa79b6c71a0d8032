/** What the ledger is asked has an answer within its time, or counts as failed: its outcome is not known then. */
import { Retryable } from "../core/errors.ts";
import { LEDGER_TIMEOUT_MS } from "../core/limits.ts";
import { type Clock, within } from "../ports/clock.ts";

const late = () => new Retryable("the ledger did not answer in time");

export const inTime = <Answer>(
  work: Promise<Answer>,
  { clock }: { readonly clock: Clock },
): Promise<Answer> => within(work, LEDGER_TIMEOUT_MS, clock, late);
