/**
 * Whether a queue is worked on, as its operators say. What an isolate knows of it came with its last claim, at no
 * cost, or with what a batch at work asked; a queue that it knows to be held is asked about before each batch, and
 * each half second until it is open.
 */
import { QUEUE_ASK_MS, QUEUE_HOLD_MS_MAX } from "../core/operator-limits.ts";
import type { QueueName } from "../core/priority.ts";
import { controlsOf, isHeld, type QueueControl, uncontrolled } from "../core/queue-control.ts";
import type { Clock } from "../ports/clock.ts";
import type { Ledger } from "../ports/ledger.ts";
import { errorText, type Log } from "../ports/log.ts";
import { inTime } from "./in-time.ts";

export interface QueueValves {
  /**
   * Waits while the queue is paused, and for its delay. False when it was paused for too long: the batch goes back
   * and comes again, while all that is behind it rests in the queue. Never rejects.
   */
  opened(queue: QueueName, ports: ValvePorts): Promise<boolean>;
  /** Whether a batch at work may begin one more delivery. */
  mayGoOn(queue: QueueName): boolean;
  /** What the ledger said of the queues. */
  learn(controls: readonly QueueControl[]): void;
  of(queue: QueueName): QueueControl;
}

export interface ValvePorts {
  readonly clock: Clock;
  readonly ledger: Pick<Ledger, "queueControls">;
  readonly log: Log;
}

export function createQueueValves(): QueueValves {
  let known = controlsOf([]);

  const of = (queue: QueueName): QueueControl => known.get(queue) ?? uncontrolled(queue);

  /** A ledger that does not answer changes nothing: it holds up what was held, and only that. */
  async function ask({ clock, ledger, log }: ValvePorts): Promise<void> {
    try {
      known = controlsOf(await inTime(ledger.queueControls(), { clock }));
    } catch (error) {
      log.warn("queue-control-unknown", { error: errorText(error) });
    }
  }

  return {
    of,
    learn(controls) {
      known = controlsOf(controls);
    },
    mayGoOn: (queue) => !of(queue).isPaused,
    async opened(queue, ports) {
      if (!isHeld(of(queue))) return true;
      const { clock } = ports;
      const untilMs = clock.nowMs() + QUEUE_HOLD_MS_MAX;
      await ask(ports);
      while (of(queue).isPaused) {
        if (clock.nowMs() >= untilMs) return false;
        await clock.timer(QUEUE_ASK_MS).elapsed;
        await ask(ports);
      }
      const { delaySeconds } = of(queue);
      if (delaySeconds > 0) await clock.timer(delaySeconds * 1_000).elapsed;
      return true;
    },
  };
}
