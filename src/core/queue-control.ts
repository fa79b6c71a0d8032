/**
 * What an operator says of a queue. A delay holds from the next batch on that knows of it when it begins, all else also
 * for batches at work.
 */
import type { Limitation } from "./limitation.ts";
import { CONNECTIONS_MAX } from "./limits.ts";
import { QUEUES, type QueueName } from "./priority.ts";

export interface QueueControl {
  readonly queue: QueueName;
  readonly isPaused: boolean;
  /** Null while it is not paused. */
  readonly pausedAtMs: number | null;
  /** Deliveries of one batch at once; null: as many as an invocation has connections. */
  readonly concurrency: number | null;
  /** So long each batch waits before it is worked on. */
  readonly delaySeconds: number;
  /** The last change, whatever it was; null where there was none. */
  readonly changedAtMs: number | null;
  /** Of the ETag. */
  readonly version: number;
}

export const uncontrolled = (queue: QueueName): QueueControl => ({
  ...{ queue, isPaused: false, pausedAtMs: null, concurrency: null, delaySeconds: 0 },
  ...{ changedAtMs: null, version: 0 },
});

/** The control of each queue; those that nobody has touched are as they come. */
export function controlsOf(said: readonly QueueControl[]): ReadonlyMap<QueueName, QueueControl> {
  const known = new Map(said.map((control) => [control.queue, control]));
  return new Map(QUEUES.map((queue) => [queue, known.get(queue) ?? uncontrolled(queue)]));
}

export const connectionsOf = ({ concurrency }: QueueControl): number =>
  Math.min(CONNECTIONS_MAX, concurrency ?? CONNECTIONS_MAX);

export const isHeld = ({ isPaused, delaySeconds }: QueueControl): boolean =>
  isPaused || delaySeconds > 0;

/** Since when the oldest of its messages waits; null where none does, or nothing is known of them. */
export function waitingSinceMs(
  metrics: { readonly backlog: number; readonly oldestMessageMs: number | null } | null,
  nowMs: number,
): number | null {
  if (metrics === null || metrics.backlog === 0) return null;
  return metrics.oldestMessageMs ?? nowMs;
}

/** What limits a queue right now. `waitingSinceMs`: of the oldest message that waits; null for none. */
export function limitationsOf(
  control: QueueControl,
  consumer: { readonly maxBatchSize: number; readonly maxConcurrency: number },
  waitingSinceMs: number | null,
): Limitation[] {
  const { isPaused, pausedAtMs, concurrency, delaySeconds, changedAtMs } = control;
  const sinceMs = changedAtMs ?? 0;
  const found: Limitation[] = [];
  if (isPaused) {
    const detail = "Paused: its messages are kept until it is resumed.";
    found.push({ by: "operator", sinceMs: pausedAtMs ?? sinceMs, untilMs: null, detail });
  }
  if (delaySeconds > 0) {
    const detail = `Each batch waits ${delaySeconds} s before it is worked on.`;
    found.push({ by: "operator", sinceMs, untilMs: null, detail });
  }
  if (concurrency !== null && concurrency < CONNECTIONS_MAX) {
    const detail = `${concurrency} of the deliveries of a batch at once.`;
    found.push({ by: "operator", sinceMs, untilMs: null, detail });
  }
  if (waitingSinceMs !== null && !isPaused) {
    const { maxBatchSize, maxConcurrency } = consumer;
    const detail = `Messages wait: at most ${maxConcurrency} batches of ${maxBatchSize} messages at once, which only a deployment changes.`;
    found.push({ by: "platform", sinceMs: waitingSinceMs, untilMs: null, detail });
  }
  return found;
}
