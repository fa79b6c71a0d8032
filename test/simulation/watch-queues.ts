/**
 * Checks of paused and narrowed queues: what is claimed while its queue is paused is sent nowhere, nobody makes copies
 * for a queue that was paused before, it goes on when it is resumed, and no batch sends more at once than it may.
 */
import { ATTEMPT_AWAITED_MS } from "../../src/core/limits.ts";
import { QUEUES, type QueueName } from "../../src/core/priority.ts";
import { connectionsOf, type QueueControl, uncontrolled } from "../../src/core/queue-control.ts";
import { type Invocation, wasDisturbed } from "./invocation.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Violations } from "./violations.ts";
import type { WatchedAttempt } from "./watch-attempts.ts";
import type { Wire } from "./wire.ts";

export interface QueueWatch {
  /** A consumer has a batch in its hands. */
  begun(invocation: Invocation): void;
  ended(invocation: Invocation): void;
  /** Whoever holds a batch of it hears so soon. */
  resumed(queue: QueueName): void;
  /** A batch has claimed: by what holds for its queue at that moment it is worked on. */
  claimed(invocation: Invocation): void;
  sending(attempt: WatchedAttempt, address: string): void;
  /** Messages are on their way into a queue. */
  offered(invocation: Invocation, queue: QueueName): void;
}

/** A consumer asks each half second, then waits for the longest delay there is; calls may be slow. */
const HEARD_MS = 110_000;

export function createQueueWatch(
  scheduler: Scheduler,
  wire: Wire,
  controls: ReadonlyMap<QueueName, QueueControl>,
  violations: Violations,
): QueueWatch {
  const { nowMs } = scheduler;
  const controlOf = ({ role }: Invocation): QueueControl | null => {
    const queue = QUEUES.find((name) => name === role);
    return queue === undefined ? null : (controls.get(queue) ?? uncontrolled(queue));
  };
  const held = new Set<Invocation>();
  const claims = new Map<Invocation, QueueControl>();
  const underWay = new Map<Invocation, { attempt: WatchedAttempt; address: string }[]>();
  /** Nobody waits for their answers: a batch goes on while they are under way. */
  const slow = new Set<string>();

  /** Whether it may not have been able to hear of it. */
  const isExcused = (invocation: Invocation, sinceMs: number): boolean =>
    wasDisturbed(invocation, invocation.startedAtMs) ||
    wire.troubledAtMs(invocation.life, ["ledger", "archive"]) >= invocation.startedAtMs ||
    controls.get(invocation.role as QueueName)?.isPaused === true ||
    (controls.get(invocation.role as QueueName)?.changedAtMs ?? 0) > sinceMs;

  return {
    begun: (invocation) => void held.add(invocation),
    ended: (invocation) => void held.delete(invocation),

    resumed(queue) {
      const sinceMs = nowMs();
      const waiting = [...held].filter(({ role }) => role === queue);
      scheduler.after(HEARD_MS, null, () => {
        if (!waiting.some((each) => held.has(each) && !isExcused(each, sinceMs))) return;
        violations.add(`a batch of ${queue} is held although that was resumed`);
      });
    },

    claimed(invocation) {
      held.delete(invocation);
      const control = controlOf(invocation);
      if (control !== null) claims.set(invocation, control);
    },

    sending(attempt, address) {
      const { invocation, event, sentAtMs } = attempt;
      const control = claims.get(invocation);
      if (control?.isPaused === true) {
        violations.add(`${event} is sent although its queue is paused`, event);
      }
      const before = (underWay.get(invocation) ?? []).filter((each) => {
        const { answeredAtMs } = each.attempt;
        const lastedMs = (answeredAtMs === 0 ? sentAtMs : answeredAtMs) - each.attempt.sentAtMs;
        if (lastedMs >= ATTEMPT_AWAITED_MS) slow.add(each.address);
        return answeredAtMs === 0 && !each.attempt.isVoid;
      });
      underWay.set(invocation, [...before, { attempt, address }]);
      const counted = before.filter((each) => !slow.has(each.address));
      if (control !== undefined && counted.length >= connectionsOf(control)) {
        violations.add(`${counted.length + 1} deliveries of a batch are under way at once`, event);
      }
    },

    offered({ role, startedAtMs }, queue) {
      const { isPaused, pausedAtMs } = controls.get(queue) ?? uncontrolled(queue);
      if (role !== "sweep" || !isPaused || startedAtMs <= (pausedAtMs ?? nowMs())) return;
      violations.add(`copies are made for ${queue}, which is paused`);
    },
  };
}
