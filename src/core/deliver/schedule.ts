/** Runs tasks side by side without letting one key take every place. */

/**
 * Runs `task` for every item, at most `total` at once and at most `perKey` of one key while items of
 * other keys wait; resolves when all have ended. Items of a key start in order. `task` must not reject.
 */
export async function mapWithin<Item>(
  items: readonly Item[],
  places: { readonly total: number; readonly perKey: number },
  keyOf: (item: Item) => string,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = new Map<string, Item[]>();
  for (const item of items) {
    const queue = waiting.get(keyOf(item));
    if (queue === undefined) waiting.set(keyOf(item), [item]);
    else queue.push(item);
  }
  const running = new Map<string, number>();

  /** The next item: of the key with the fewest running, so that every key gets its turn. */
  function next(): { key: string; item: Item } | null {
    let best: string | null = null;
    for (const key of waiting.keys()) {
      const count = running.get(key) ?? 0;
      if (count >= places.perKey && waiting.size > 1) continue;
      if (best === null || count < (running.get(best) ?? 0)) best = key;
    }
    const queue = best === null ? undefined : waiting.get(best);
    const item = queue?.shift();
    if (best === null || queue === undefined || item === undefined) return null;
    if (queue.length === 0) waiting.delete(best);
    return { key: best, item };
  }

  async function worker(): Promise<void> {
    for (let chosen = next(); chosen !== null; chosen = next()) {
      const { key, item } = chosen;
      running.set(key, (running.get(key) ?? 0) + 1);
      await task(item);
      running.set(key, (running.get(key) ?? 1) - 1);
    }
  }

  await Promise.all(Array.from({ length: places.total }, worker));
}
