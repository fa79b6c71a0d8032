/**
 * Attempts that no batch waits for: their receivers are slow. The ledger says that they are under way, so that
 * their messages may go; each is settled by itself when its answer comes, or taken up by the sweeper.
 */
import { ATTEMPT_AWAITED_MS, LATE_PER_TARGET_MAX, LEASE_MARGIN_MS } from "../core/limits.ts";
import type { Clock } from "../ports/clock.ts";
import { type DeliveryResult, keyOf } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import type { Duty } from "./claim.ts";
import { recorded } from "./deliver.ts";
import type { DeliverPorts } from "./ports.ts";
import { sendAgain } from "./send-again.ts";
import { createSettler } from "./settle.ts";

/** What one isolate knows of slow receivers, by tenant and target. */
export interface SlowTargets {
  /** How long a batch waits for an answer of it. */
  patienceMs(key: string): number;
  /** Whether one more may be begun that perhaps nobody waits for. */
  hasRoom(key: string): boolean;
  /** Notes how long an answer took. */
  answered(key: string, afterMs: number): void;
  /** One that nobody waits for is under way; what it returns ends it. */
  began(key: string): () => void;
}

export function createSlowTargets(): SlowTargets {
  const slow = new Set<string>();
  const underWay = new Map<string, number>();
  const count = (key: string) => underWay.get(key) ?? 0;
  return {
    patienceMs: (key) => (slow.has(key) ? 0 : ATTEMPT_AWAITED_MS),
    hasRoom: (key) => count(key) < LATE_PER_TARGET_MAX,
    answered(key, afterMs) {
      if (afterMs <= ATTEMPT_AWAITED_MS) slow.delete(key);
    },
    began(key) {
      slow.add(key);
      underWay.set(key, count(key) + 1);
      return () => {
        if (count(key) > 1) underWay.set(key, count(key) - 1);
        else underWay.delete(key);
      };
    },
  };
}

/** By what a target is known within an isolate. */
export const targetKey = ({ tenant, target }: Pick<Duty, "tenant" | "target">): string =>
  `${tenant}/${target}`;

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
    const unwritten = await settler.finish([]);
    if (!unwritten.has(keyOf(result))) await sendAgain([{ held: duty.held, result }], ports);
  } catch (error) {
    ports.log.error("late-attempt-not-settled", { delivery: duty.id, error: errorText(error) });
  }
}
