/** Messages that wait in a queue for their time, counted where they are sent. */

export interface DelayedMessages {
  /** Counts `count` more; false when that were too many, and nothing is counted. */
  take(count: number, delaySeconds: number, nowMs: number): boolean;
}

/** At most `max` wait at once, as far as this isolate sent them. */
export function createDelayedMessages(max: number): DelayedMessages {
  const bySecond = new Map<number, number>();
  let waiting = 0;
  return {
    take(count, delaySeconds, nowMs) {
      for (const [second, left] of bySecond) {
        if (second * 1_000 > nowMs) continue;
        waiting -= left;
        bySecond.delete(second);
      }
      if (waiting + count > max) return false;
      waiting += count;
      const until = Math.ceil(nowMs / 1_000) + delaySeconds;
      bySecond.set(until, (bySecond.get(until) ?? 0) + count);
      return true;
    },
  };
}
