/** Whose turn it is: what a store decides about deliveries of one key, as data. */
import type { DeliveryState } from "../settle.ts";
import type { OrderMode } from "./order.ts";

/** What counts of a delivery among those of its key. */
export interface Contender {
  readonly receivedAtMs: number;
  readonly event: string;
  readonly value: string | null;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly isOwn: boolean;
  /** Another holder has it in hand, with its turn, and that lease has not ended. */
  readonly isUnderWay: boolean;
  /** It had a turn, of another holder or before: it may have reached the receiver. */
  readonly hasHadTurn: boolean;
  /** Claimed before the tenant's present life began: it passes nobody any more. */
  readonly isOfLifeBefore: boolean;
}

export type Verdict =
  | { readonly kind: "turn" }
  /** It waits for that event. */
  | { readonly kind: "waits"; readonly event: string }
  /** That event has passed it: it is not sent any more. */
  | { readonly kind: "passed"; readonly event: string };

export const waitsReason = (event: string): string => `order: waits for ${event}`;
/** A store writes the same words. */
export const PASSED_REASONS = {
  "latest-wins": "superseded by ",
  "drop-older": "older than ",
} as const;

const isOpen = ({ state }: Contender): boolean =>
  state === "pending" || state === "delivering" || state === "retrying" || state === "parked";

const hasBegun = ({ attempts, hasHadTurn }: Contender): boolean => attempts > 0 || hasHadTurn;

type Age = Pick<Contender, "value" | "receivedAtMs" | "event">;

/** Negative if `one` is the older; 0 for two subscriptions of one event. */
export function compareAge(one: Age, other: Age): number {
  return (
    compare(one.value ?? "", other.value ?? "") ||
    one.receivedAtMs - other.receivedAtMs ||
    compare(one.event, other.event)
  );
}

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

/** Of `own`, which is in hand and has not begun; `others` are all of its key that the store knows. */
export function verdictOf(own: Contender, others: readonly Contender[], mode: OrderMode): Verdict {
  if (mode !== "fifo") {
    const byAge = others
      .filter(({ value, isOfLifeBefore }) => value !== null && !isOfLifeBefore)
      .toSorted(compareAge);
    const passed = byAge.find((other) => isPassedBy(own, other, mode));
    if (passed !== undefined) return { kind: "passed", event: passed.event };
  }
  const byReceipt = others.toSorted((a, b) => compareAge(received(a), received(b)));
  const before = byReceipt.filter(
    (other) =>
      isOpen(other) &&
      !(other.isOwn && other.state === "delivering") &&
      compareAge(received(other), received(own)) < 0,
  );
  // One that is on its way says more than one that waits itself.
  const older = before.find(({ state }) => state !== "parked") ?? before[0];
  if (mode === "fifo" && older !== undefined) return { kind: "waits", event: older.event };
  const underWay = byReceipt.find(({ isUnderWay }) => isUnderWay);
  return underWay === undefined ? { kind: "turn" } : { kind: "waits", event: underWay.event };
}

const received = ({ receivedAtMs, event }: Contender): Age => ({
  ...{ receivedAtMs, event, value: null },
});

/** Of two that were received in one millisecond and say nothing else, neither is dropped for being the older. */
function isPassedBy(own: Contender, other: Contender, mode: OrderMode): boolean {
  if (mode === "latest-wins") {
    return compareAge(own, other) < 0 && (isOpen(other) || hasBegun(other));
  }
  return hasBegun(other) && compareAge({ ...own, event: "" }, { ...other, event: "" }) < 0;
}

/** What one that stands and wins for itself takes out of the way: whoever holds others judges them. */
export const isSuperseded = (other: Contender, by: Contender): boolean =>
  isOpen(other) &&
  other.state !== "delivering" &&
  other.value !== null &&
  compareAge(other, by) < 0;
