/**
 * Virtual time: what is to happen, in order. Something that belongs to a life happens only while that
 * lives, and after it if it stands still.
 */
import type { Life } from "./life.ts";

export interface Planned {
  cancelled: boolean;
}

export interface Scheduler {
  /** The true time, by which stores live; Workers see it through clocks of their own. */
  nowMs(): number;
  readonly steps: number;
  /** Lets `happen` happen after `delayMs`. Without an owner it belongs to the world. */
  after(delayMs: number, owner: Life | null, happen: () => void): Planned;
  /** Ends the run after this step. */
  stop(): void;
  /** One step after another until nothing is left or somebody stops it. */
  run(): Promise<void>;
}

interface Entry extends Planned {
  readonly atMs: number;
  readonly order: number;
  readonly owner: Life | null;
  readonly happen: () => void;
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** Everything that waits for nothing but its turn gets it. */
const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createScheduler(startMs: number): Scheduler {
  const heap: Entry[] = [];
  let now = startMs;
  let order = 0;
  let steps = 0;
  let isStopped = false;

  function push(entry: Entry): void {
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  function pop(): Entry | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || first === last) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      const [left, right] = [heap[below], heap[below + 1]];
      if (left === undefined) break;
      let least = left;
      if (right !== undefined && isBefore(right, left)) {
        least = right;
        below += 1;
      }
      if (!isBefore(least, last)) break;
      heap[at] = least;
      at = below;
    }
    heap[at] = last;
    return first;
  }

  function plan(atMs: number, owner: Life | null, happen: () => void): Entry {
    order += 1;
    const entry: Entry = { atMs, order, owner, happen, cancelled: false };
    push(entry);
    return entry;
  }

  return {
    nowMs: () => now,
    get steps() {
      return steps;
    },
    // In whole milliseconds, as every clock of the platform has them.
    after: (delayMs, owner, happen) => plan(now + Math.max(0, Math.ceil(delayMs)), owner, happen),
    stop() {
      isStopped = true;
    },
    async run() {
      for (let next = pop(); next !== undefined && !isStopped; next = pop()) {
        if (next.cancelled || next.owner?.isAlive() === false) continue;
        const stoodStillUntil = next.owner?.standsStillUntilMs() ?? 0;
        if (stoodStillUntil > next.atMs) {
          const entry = next;
          plan(stoodStillUntil, next.owner, () => {
            if (!entry.cancelled) entry.happen();
          });
          continue;
        }
        now = next.atMs;
        steps += 1;
        next.happen();
        await idle();
      }
    },
  };
}
