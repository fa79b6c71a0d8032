/** Runs tasks side by side without letting one key take every place. */
import type { Timer } from "../enqueue/group-commit.ts";

/** May become fewer or more meanwhile: what is under way goes on, and what ends makes room for as many as there are. */
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
  /** Null, or until it resolves, what begins no more may begin later: limits are asked for. Must not reject. */
  readonly pending: () => Promise<unknown> | null;
}

/** Called by a task that is not to be waited for: it keeps its place, and the work may end without it. */
export type LetGo = () => void;

/** Items of one key that wait, and how many of it run. */
interface Line<Item> {
  readonly key: string;
  readonly group: Group<Item>;
  readonly items: Item[];
  running: number;
}

/** Keys that share a turn. */
interface Group<Item> {
  readonly lines: Map<string, Line<Item>>;
  running: number;
}

/**
 * Runs `task` for every item, at most `places.total` at once and at most `places.perKey` of one key while items
 * of other keys wait. Groups have their turns first, then the keys of each: however many keys one has, it gets
 * no more than another. Resolves when all have ended or let go, with the items that were not begun: tasks that let
 * go hold every place, or their limit lets no more begin. Items of a key start in order. Items of `later` join those
 * that are there. Neither `task` nor `later` may reject.
 */
export function mapWithin<Item>(
  items: readonly Item[],
  places: Places,
  keyOf: (item: Item) => string,
  task: (item: Item, letGo: LetGo) => Promise<void>,
  limits: KeyLimits | null = null,
  groupOf: (item: Item) => string = () => "",
  later: Promise<readonly Item[]> | null = null,
): Promise<Item[]> {
  const groups = new Map<string, Group<Item>>();
  let lines = 0;
  const add = (some: readonly Item[]): void => {
    for (const item of some) {
      const name = groupOf(item);
      let group = groups.get(name);
      if (group === undefined) {
        group = { lines: new Map(), running: 0 };
        groups.set(name, group);
      }
      const key = keyOf(item);
      const line = group.lines.get(key);
      if (line !== undefined) line.items.push(item);
      else {
        group.lines.set(key, { key, group, items: [item], running: 0 });
        lines += 1;
      }
    }
  };
  let isWhole = later === null;
  add(items);
  const { promise, resolve } = Promise.withResolvers<Item[]>();
  let underWay = 0;
  let released = 0;
  let isOver = false;
  let awaited: Promise<unknown> | null = null;
  let alarm: Timer | null = null;
  /** As they are now: asked for once, however many keys wait. */
  let { total, perKey } = places;

  /** Of the group with the fewest running (of several the one that waits longest) the key with the fewest. */
  function next(): { readonly line: Line<Item>; readonly item: Item } | null {
    let best: { readonly name: string; readonly line: Line<Item> } | null = null;
    for (const [name, group] of groups) {
      if (best !== null && group.running >= best.line.group.running) continue;
      const line = nextOf(group);
      if (line !== null) best = { name, line };
    }
    if (best === null) return null;
    const { name, line } = best;
    const { group } = line;
    const item = line.items.shift();
    if (item === undefined) return null;
    if (line.items.length === 0) {
      group.lines.delete(line.key);
      lines -= 1;
    }
    groups.delete(name);
    if (group.lines.size > 0) groups.set(name, group);
    limits?.of(line.key)?.take();
    return { line, item };
  }

  function nextOf(group: Group<Item>): Line<Item> | null {
    let best: Line<Item> | null = null;
    for (const line of group.lines.values()) {
      const limit = limits?.of(line.key);
      if (limit !== undefined && (line.running >= limit.max || limit.waitMs() !== 0)) continue;
      if (hasItsShare(line)) continue;
      if (best === null || line.running < best.running) best = line;
    }
    return best;
  }

  /** It may have no more places while others wait: its next item begins when one of it ends. */
  const hasItsShare = ({ running }: Line<Item>): boolean => running >= perKey && lines > 1;

  /** When a limit that has room lets its next item begin. */
  function nextTurnMs(): number | null {
    if (limits === null) return null;
    let soonestMs: number | null = null;
    for (const group of groups.values()) {
      for (const line of group.lines.values()) {
        const limit = limits.of(line.key);
        if (limit === undefined || line.running >= limit.max || hasItsShare(line)) continue;
        const waitMs = limit.waitMs();
        if (waitMs !== null) soonestMs = Math.min(soonestMs ?? waitMs, waitMs);
      }
    }
    return soonestMs;
  }

  function fill(): void {
    ({ total, perKey } = places);
    while (!isOver && underWay < total) {
      const chosen = next();
      if (chosen === null) break;
      void begin(chosen.line, chosen.item);
    }
    alarm?.cancel();
    alarm = null;
    const turnMs = isOver || underWay >= total ? null : nextTurnMs();
    if (limits !== null && turnMs !== null) {
      alarm = limits.timer(turnMs);
      void alarm.elapsed.then(fill);
    }
    const isPending = !isOver && groups.size > 0 && limits !== null && areAsked(limits);
    if (isPending || underWay > released || turnMs !== null || !isWhole) return;
    isOver = true;
    resolve([...groups.values()].flatMap((group) => unbegun(group)));
  }

  /** Whether limits are asked for; it goes on when they are known. */
  function areAsked({ pending }: KeyLimits): boolean {
    const asked = pending();
    if (asked !== null && asked !== awaited) {
      awaited = asked;
      void asked.then(fill);
    }
    return asked !== null;
  }

  async function begin(line: Line<Item>, item: Item): Promise<void> {
    underWay += 1;
    line.running += 1;
    line.group.running += 1;
    let isReleased = false;
    await task(item, () => {
      if (isReleased) return;
      isReleased = true;
      released += 1;
      fill();
    });
    underWay -= 1;
    if (isReleased) released -= 1;
    line.running -= 1;
    line.group.running -= 1;
    fill();
  }

  fill();
  void later?.then((more) => {
    isWhole = true;
    add(more);
    fill();
  });
  return promise;
}

const unbegun = <Item>({ lines }: Group<Item>): Item[] =>
  [...lines.values()].flatMap(({ items }) => items);
