/**
 * Attempts that no batch waits for: their receivers are slow. The ledger says that they are under way, so that
 * their messages may go; each is settled by itself when its answer comes, or taken up by the sweeper.
 */
import { LEASE_MARGIN_MS } from "../core/limits.ts";
import { keyOf } from "../ports/claim.ts";
import type { Clock } from "../ports/clock.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import { recorded } from "./deliver.ts";
import type { Duty } from "./duty.ts";
import { passTurns } from "./pass-turns.ts";
import type { DeliverPorts } from "./ports.ts";
import { sendAgain } from "./send-again.ts";
import { createSettler } from "./settle.ts";

/** Whether `work` ends within `ms`. */
export async function endsWithin(
  work: Promise<unknown>,
  ms: number,
  clock: Clock,
): Promise<boolean> {
  if (ms === 0) return false;
  const timer = clock.timer(ms);
  const isEnded = await Promise.race([work.then(() => true), timer.elapsed.then(() => false)]);
  timer.cancel();
  return isEnded;
}

/** An attempt under way, for its row: until then it has its time, and a repeat would be one too many. */
export const underWay = (duty: Duty, timeoutMs: number): DeliveryResult => ({
  ...recorded(duty, "delivering", null),
  dueInMs: timeoutMs + LEASE_MARGIN_MS,
});

export interface LateAttempt {
  readonly duty: Duty;
  /** Null when no attempt could be made. Does not reject. */
  readonly made: Promise<DeliveryResult | null>;
}

/** Settles it when its answer comes; `isWritten` says that its row is there. Never rejects. */
export async function settleLate(
  { duty, made }: LateAttempt,
  isWritten: boolean,
  token: string,
  ports: DeliverPorts,
): Promise<void> {
  const answered = (await made) ?? { ...recorded(duty, "pending", null), dueInMs: 0 };
  // By its row: what else there is of its event may have another owner by now.
  const result: DeliveryResult = isWritten ? { ...answered, claimedBy: "row" } : answered;
  try {
    const settler = createSettler(token, 1, ports);
    settler.add(result, true);
    const { unwritten } = await settler.finish([]);
    if (!unwritten.has(keyOf(result))) await sendAgain([{ held: duty.held, result }], ports);
    if (duty.place !== undefined) await passTurns([duty.place.key], ports);
  } catch (error) {
    ports.log.error("late-attempt-not-settled", { delivery: duty.id, error: errorText(error) });
  }
}
