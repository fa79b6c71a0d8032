/** Deliveries to make, as messages ask for them: whether each is ours the claim tells. */
import type { Again } from "../core/enqueue/pack.ts";
import { deliveryId, subscriptionHash } from "../core/ids.ts";
import type { Place } from "../core/order/order.ts";
import type { QueueName, Subscription } from "../core/priority.ts";
import { type DeliveryKey, keyOf } from "../ports/claim.ts";
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";
import { targetKey } from "./receivers.ts";

/** One delivery to make now. */
export interface Duty extends DeliveryKey {
  readonly id: string;
  readonly held: HeldEvent;
  readonly rule: string;
  readonly target: string;
  readonly priority: QueueName;
  /** The replay that it belongs to: then the present rule decides what becomes of it. */
  readonly replay: string | undefined;
  /** The target gets what the rule's transformer makes of the event. */
  readonly isTransformed: boolean;
  /** Attempts made so far, and how many of them before the last redrive. */
  readonly attempts: number;
  readonly attemptsBase: number;
  readonly claimedBy: "event" | "row";
  /** It was parked, and its gate has let it go. */
  readonly isReleased: boolean;
  /** Of a target with an order, once it was looked for. */
  readonly place?: Place;
}

/** What an event asks for that came before: a retry, a redrive, a release or a replay of some of its deliveries. */
export function againDutiesOf(event: HeldEvent, ports: DeliverPorts): Duty[] {
  return (event.again ?? []).map((again) => {
    if (again.replay !== undefined) {
      return dutyOf(event, { ...again, priority: "replay" }, again.attempts, "row", ports);
    }
    const bound = event.record.subscriptions.find(
      (subscription) => subscription.rule === again.rule && subscription.target === again.target,
    );
    const { priority = "bulk", transformed } = bound ?? {};
    const subscription = { ...again, priority, ...(transformed === true ? { transformed } : {}) };
    return dutyOf(event, subscription, again.attempts, "row", ports);
  });
}

/**
 * One duty per delivery. Copies come from the sweeper when a queue is slow; those that know of fewer
 * attempts are stale, and the ledger's row looks after all of them.
 */
export function newest(duties: readonly Duty[]): Duty[] {
  const byDelivery = new Map<string, Duty>();
  for (const duty of duties) {
    const other = byDelivery.get(keyOf(duty));
    if (other === undefined || other.attempts < duty.attempts) byDelivery.set(keyOf(duty), duty);
  }
  return [...byDelivery.values()];
}

export function dutyOf(
  held: HeldEvent,
  subscription: Omit<Subscription, "priority"> &
    Pick<Again, "replay" | "released"> & { priority: QueueName },
  attempts: number,
  claimedBy: Duty["claimedBy"],
  ports: DeliverPorts,
): Duty {
  const { id: event, tenant, receivedAtMs } = held.record;
  const hash = subscriptionHash(subscription, ports.crypto, ports.text);
  const { rule, target, priority, replay } = subscription;
  return {
    id: deliveryId(event, hash),
    held,
    tenant,
    receivedAtMs,
    event,
    subscription: hash,
    rule,
    target,
    priority,
    replay,
    isTransformed: subscription.transformed === true,
    attempts,
    attemptsBase: 0,
    claimedBy,
    isReleased: subscription.released === true,
  };
}

/** It was attempted since it was last owed anew. */
export const isRetry = ({ attempts, attemptsBase }: Duty): boolean => attempts > attemptsBase;

export const kindOf = (duty: Duty): "fresh" | "retries" => (isRetry(duty) ? "retries" : "fresh");

/**
 * Deliveries of one such key share a lease of their target's gate. What the gate has let go has one of its own: nothing
 * that is parked stands before it. So has what is in order, which is asked for later.
 */
export const leaseKeyOf = (duty: Duty): string =>
  `${targetKey(duty)}${duty.place === undefined ? "" : IN_ORDER}${duty.isReleased ? RELEASED : ""}`;
const RELEASED = " released";
const IN_ORDER = " in order";

export const targetOfLease = (key: string): string => key.split(" ")[0] ?? key;
