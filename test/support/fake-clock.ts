/** A clock that stands still until a test moves it, so that hours pass at once, in order. */
import type { Clock } from "../../src/ports/clock.ts";

export interface FakeClock extends Clock {
  /** Timers that are armed and not cancelled. */
  readonly armed: number;
  /** Moves on by `ms`; whatever falls due on the way happens at its own moment. */
  advance(ms: number): Promise<void>;
  /** Moves on as far as `work` needs to settle; rejects if it waits for something no timer ends. */
  run<T>(work: Promise<T>): Promise<T>;
}

interface Armed {
  readonly atMs: number;
  readonly fire: () => void;
}

/** Everything that is waiting for nothing but its turn gets it. */
export const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let now = startMs;
  const timers = new Set<Armed>();

  /** The earliest timer; of several at one moment the one armed first. */
  function earliest(): Armed | undefined {
    let first: Armed | undefined;
    for (const timer of timers) if (first === undefined || timer.atMs < first.atMs) first = timer;
    return first;
  }

  function fire(timer: Armed): Promise<void> {
    timers.delete(timer);
    now = Math.max(now, timer.atMs);
    timer.fire();
    return idle();
  }

  return {
    nowMs: () => now,
    get armed() {
      return timers.size;
    },

    timer(ms) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer: Armed = { atMs: now + ms, fire: resolve };
      timers.add(timer);
      return { elapsed: promise, cancel: () => void timers.delete(timer) };
    },

    async advance(ms) {
      const end = now + ms;
      await idle();
      for (let next = earliest(); next && next.atMs <= end; next = earliest()) await fire(next);
      now = end;
    },

    async run(work) {
      let isSettled = false;
      const settle = (): void => {
        isSettled = true;
      };
      work.then(settle, settle);
      for (await idle(); !isSettled; ) {
        const next = earliest();
        if (next === undefined) throw new Error("it waits for something that no timer ends");
        await fire(next);
      }
      return work;
    },
  };
}
