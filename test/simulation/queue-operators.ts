/** Operators who pause, delay and narrow queues, and let them go on again. */
import { QUEUES, type QueueName } from "../../src/core/priority.ts";
import { type QueueControl, uncontrolled } from "../../src/core/queue-control.ts";
import type { Stores } from "./stores.ts";

/** What is said of a queue holds with one write. A paused one is resumed in the end, soon or after a batch was held. */
export function createQueueOperators(stores: Stores): {
  pause(queue?: QueueName): void;
  tune(): void;
} {
  const { scheduler, chance, ledger, queueWatch, trace } = stores;
  const { aside } = chance;

  function say(queue: QueueName, said: Partial<QueueControl>): void {
    const before = ledger.controls.get(queue) ?? uncontrolled(queue);
    const isPaused = said.isPaused ?? before.isPaused;
    const pausedAtMs = isPaused ? (before.pausedAtMs ?? scheduler.nowMs()) : null;
    const changedAtMs = scheduler.nowMs();
    ledger.controls.set(queue, { ...before, ...said, pausedAtMs, changedAtMs });
    if (said.isPaused === false) queueWatch.resumed(queue);
    trace.note("operator", `says of ${queue}`, () => JSON.stringify(said));
  }

  return {
    pause(queue = aside.pick(QUEUES)) {
      if (ledger.controls.get(queue)?.isPaused === true) return;
      say(queue, { isPaused: true });
      const pauseMs = aside.pick([3_000, 60_000, 200_000, 700_000]);
      scheduler.after(aside.between(1, pauseMs), null, () => say(queue, { isPaused: false }));
    },
    tune() {
      const delaySeconds = aside.pick([0, 0, 5, 60]);
      say(aside.pick(QUEUES), { concurrency: aside.pick([null, 1, 2]), delaySeconds });
    },
  };
}
