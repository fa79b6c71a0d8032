/** Runs tasks side by side without letting one key take every place. */
import type { Timer } from "../enqueue/group-commit.ts";

export interface Places {
  readonly total: number;
  /** Of one key, while items of other keys wait. */
  readonly perKey: number;
}

/** A key with limits of its own. */
export interface KeyLimit {
  /** Items of it at once, whoever waits. */
  readonly max: number;
  /** Milliseconds until the next may begin; null: none will. */
  waitMs(): number | null;
  /** One begins now. */
  take(): void;
}

export interface KeyLimits {
  readonly of: (key: string) => KeyLimit | undefined;
  readonly timer: (ms: number) => Timer;
}

/** Called by a task that is not to be waited for: it keeps its place, and the work may end without it. */
export type LetGo = () => void;

/**
 * Runs `task` for every item, at most `places.total` at once and at most `places.perKey` of one key while items
 * of other keys wait. Resolves when all have ended or let go, with the items that were not begun: tasks that let go
 * hold every place, or their limit lets no more begin. Items of a key start in order. `task` must not reject.
 */
export function mapWithin<Item>(
  items: readonly Item[],
  places: Places,
  keyOf: (item: Item) => string,
  task: (item: Item, letGo: LetGo) => Promise<void>,
  limits: KeyLimits | null = null,
): Promise<Item[]> {
  const waiting = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const queue = waiting.get(key);
    if (queue === undefined) waiting.set(key, [item]);
    else queue.push(item);
  }
  const running = new Map<string, number>();
  const { promise, resolve } = Promise.withResolvers<Item[]>();
  let underWay = 0;
  let released = 0;
  let isOver = false;
  let alarm: Timer | null = null;

  /** The next item: of the key with the fewest running, so that every key gets its turn. */
  function next(): { key: string; item: Item } | null {
    let best: string | null = null;
    for (const key of waiting.keys()) {
      const count = running.get(key) ?? 0;
      const limit = limits?.of(key);
      if (limit !== undefined && (count >= limit.max || limit.waitMs() !== 0)) continue;
      if (hasItsShare(key)) continue;
      if (best === null || count < (running.get(best) ?? 0)) best = key;
    }
    const queue = best === null ? undefined : waiting.get(best);
    const item = queue?.shift();
    if (best === null || queue === undefined || item === undefined) return null;
    if (queue.length === 0) waiting.delete(best);
    limits?.of(best)?.take();
    return { key: best, item };
  }

  /** It may have no more places while others wait: its next item begins when one of it ends. */
  const hasItsShare = (key: string): boolean =>
    (running.get(key) ?? 0) >= places.perKey && waiting.size > 1;

  /** When a limit that has room lets its next item begin. */
  function nextTurnMs(): number | null {
    let soonestMs: number | null = null;
    for (const key of waiting.keys()) {
      const limit = limits?.of(key);
      if (limit === undefined || (running.get(key) ?? 0) >= limit.max) continue;
      if (hasItsShare(key)) continue;
      const waitMs = limit.waitMs();
      if (waitMs !== null) soonestMs = Math.min(soonestMs ?? waitMs, waitMs);
    }
    return soonestMs;
  }

  function fill(): void {
    while (!isOver && underWay < places.total) {
      const chosen = next();
      if (chosen === null) break;
      void begin(chosen.key, chosen.item);
    }
    alarm?.cancel();
    alarm = null;
    const turnMs = isOver || underWay === places.total ? null : nextTurnMs();
    if (limits !== null && turnMs !== null) {
      alarm = limits.timer(turnMs);
      void alarm.elapsed.then(fill);
    }
    if (underWay > released || turnMs !== null) return;
    isOver = true;
    resolve([...waiting.values()].flat());
  }

  async function begin(key: string, item: Item): Promise<void> {
    underWay += 1;
    running.set(key, (running.get(key) ?? 0) + 1);
    let isReleased = false;
    await task(item, () => {
      if (isReleased) return;
      isReleased = true;
      released += 1;
      fill();
    });
    underWay -= 1;
    if (isReleased) released -= 1;
    running.set(key, (running.get(key) ?? 1) - 1);
    fill();
  }

  fill();
  return promise;
}
