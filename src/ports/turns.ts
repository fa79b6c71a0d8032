/**
 * Turns of deliveries whose targets keep an order. Whose turn it is is derived from the ledger's rows alone: whatever
 * ends a delivery frees its key. Every method may be called again after an error that left its outcome unknown.
 */
import type { Place } from "../core/order/order.ts";
import type { Verdict } from "../core/order/turns.ts";
import type { DeliveryResult, DueDelivery } from "./ledger.ts";

/** A delivery in hand that asks for its turn. */
export interface TurnAsk
  extends Pick<
    DeliveryResult,
    | ("tenant" | "receivedAtMs" | "event" | "subscription" | "rule" | "target" | "priority")
    | ("source" | "type" | "attempts" | "claimedBy")
  > {
  readonly place: Place;
}

export interface Turns {
  /**
   * Writes each down as under way, and decides in the same transaction: one that has its turn is under way from now
   * on, one that waits is parked, one that was passed is cancelled, both with their reason. By `keyOf`; what the token
   * does not hold any more has no answer. Several of one key have their turn together: one after the other, as
   * `compareAge` has them.
   */
  take(
    token: string,
    leaseSeconds: number,
    asks: readonly TurnAsk[],
  ): Promise<ReadonlyMap<string, Verdict>>;
  /** What waits and has nothing before it any more, of each key the oldest few: they are owed from now on. */
  next(keys: readonly string[]): Promise<readonly DueDelivery[]>;
  /** Keys, in their order from `from` on, of which something waits for its turn. */
  waiting(from: string): Promise<readonly string[]>;
}
