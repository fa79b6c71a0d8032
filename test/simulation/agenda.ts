/** What is to happen, in the order of a virtual clock. */

export interface Agenda {
  readonly nowMs: () => number;
  /** At the moment itself, after what was planned for it before. */
  at(ms: number, what: () => void): void;
  /** Until nothing is left, `isOver` says so, or the clock stands at `endMs`. */
  run(endMs: number, isOver?: () => boolean): void;
}

interface Item {
  readonly ms: number;
  readonly order: number;
  readonly what: () => void;
}

export function createAgenda(startMs: number): Agenda {
  const heap: Item[] = [];
  let nowMs = startMs;
  let order = 0;
  const isBefore = (a: Item | undefined, b: Item | undefined): boolean =>
    a !== undefined && b !== undefined && (a.ms < b.ms || (a.ms === b.ms && a.order < b.order));

  function swap(a: number, b: number): void {
    const [first, second] = [heap[a], heap[b]];
    if (first === undefined || second === undefined) return;
    heap[a] = second;
    heap[b] = first;
  }

  function take(): Item | undefined {
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const child = isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!isBefore(heap[child], heap[at])) return first;
      swap(child, at);
      at = child;
    }
  }

  return {
    nowMs: () => nowMs,
    at(ms, what) {
      order += 1;
      heap.push({ ms: Math.max(ms, nowMs), order, what });
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!isBefore(heap[at], heap[parent])) return;
        swap(at, parent);
        at = parent;
      }
    },
    run(endMs, isOver = () => false) {
      while (!isOver()) {
        const next = heap[0];
        if (next === undefined || next.ms > endMs) return;
        take();
        nowMs = next.ms;
        next.what();
      }
    },
  };
}
