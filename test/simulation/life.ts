/**
 * What can die or stand still: an isolate, or one invocation in it. A dead one's promises never
 * settle and nothing it does has an effect; one that stands still goes on later as if nothing were.
 */
import type { Clock } from "../../src/ports/clock.ts";
import type { Scheduler } from "./scheduler.ts";

export interface Life {
  readonly name: string;
  /** The isolate, or this life itself. */
  readonly isolate: Life;
  /** Nothing goes wrong with its calls. */
  readonly isSpared: boolean;
  isAlive(): boolean;
  standsStillUntilMs(): number;
  /** The last moment at which it stood still or its clock jumped. */
  disturbedAtMs(): number;
  kill(): void;
  standStill(untilMs: number): void;
  jump(ms: number): void;
  /** Its own clock, and timers that end with it. */
  readonly clock: Clock;
}

export function createLife(
  name: string,
  scheduler: Scheduler,
  parent: Life | null = null,
  isSpared = false,
): Life {
  let alive = true;
  let stillUntilMs = 0;
  let disturbedAtMs = Number.NEGATIVE_INFINITY;
  let offsetMs = 0;
  const life: Life = {
    name,
    isSpared,
    get isolate() {
      return parent ?? life;
    },
    isAlive: () => alive && (parent?.isAlive() ?? true),
    standsStillUntilMs: () => Math.max(stillUntilMs, parent?.standsStillUntilMs() ?? 0),
    disturbedAtMs: () => Math.max(disturbedAtMs, parent?.disturbedAtMs() ?? disturbedAtMs),
    kill() {
      alive = false;
    },
    standStill(untilMs) {
      stillUntilMs = Math.max(stillUntilMs, untilMs);
      disturbedAtMs = Math.max(disturbedAtMs, stillUntilMs);
    },
    jump(ms) {
      offsetMs += ms;
      disturbedAtMs = Math.max(disturbedAtMs, scheduler.nowMs());
    },
    clock: {
      nowMs: () => (parent === null ? scheduler.nowMs() + offsetMs : parent.clock.nowMs()),
      timer(ms) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const planned = scheduler.after(ms, life, resolve);
        return {
          elapsed: promise,
          cancel() {
            planned.cancelled = true;
          },
        };
      },
    },
  };
  return life;
}
