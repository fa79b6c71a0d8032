/** Priorities, most urgent first, and which one an event enters by. */

export const PRIORITIES = ["critical", "normal", "bulk"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** One for each priority, and one below them all for what is sent once more because a person asked for it. */
export const QUEUES = [...PRIORITIES, "replay"] as const;
export type QueueName = (typeof QUEUES)[number];

/** One rule bound to one target: what an event is owed to. */
export interface Subscription {
  readonly rule: string;
  /** Empty where the rule is fanned out: then its targets get the elements of the event's list. */
  readonly target: string;
  readonly priority: Priority;
  /** The target gets what the rule's transformer makes of the event, never the bytes themselves. */
  readonly transformed?: true;
}

/** The target of what is fanned out, which is none. */
export const FAN_OUT = "";

/** The most urgent of `priorities`; an event nobody asked for travels as bulk, only to be recorded. */
export function mostUrgent(priorities: Iterable<Priority>): Priority {
  const present = new Set(priorities);
  return PRIORITIES.find((priority) => present.has(priority)) ?? "bulk";
}

/** The distinct priorities of `subscriptions`, most urgent first. */
export function prioritiesOf(subscriptions: readonly Subscription[]): Priority[] {
  const present = new Set(subscriptions.map((subscription) => subscription.priority));
  return PRIORITIES.filter((priority) => present.has(priority));
}

/**
 * One subscription per rule and target; where two rules bind the same target both stay, because
 * each is a subscription of its own. A demoted event goes to every subscription as bulk.
 */
export function demote(subscriptions: readonly Subscription[]): Subscription[] {
  return subscriptions.map((subscription) => ({ ...subscription, priority: "bulk" }));
}

/** What an event is owed to by a rule, target by target. */
export const subscriptionsTo = (
  rule: {
    readonly id: string;
    readonly targets: readonly string[];
    readonly transformers: ReadonlyMap<string, unknown>;
  },
  priority: Priority,
): Subscription[] =>
  rule.targets.map((target) =>
    rule.transformers.has(target)
      ? { rule: rule.id, target, priority, transformed: true }
      : { rule: rule.id, target, priority },
  );
