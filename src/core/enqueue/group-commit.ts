/**
 * A self-clocking group commit: the first item is committed at once, and what arrives while a commit
 * is in flight goes together with the next. No timer is added to a lone item.
 *
 * Each caller runs in a request of its own, and on Workers a request may end before its promises do.
 * So nobody depends on another's request being alive: the lead passes from one caller to the next,
 * and one that was neither committed nor called for `stallMs` takes the lead itself.
 */

export interface Timer {
  readonly elapsed: Promise<void>;
  cancel(): void;
}

export interface GroupCommitOptions<Item> {
  /** Makes all items durable, or throws. Runs in the request of the caller who leads. */
  readonly commit: (items: readonly Item[]) => Promise<void>;
  readonly sizeOf: (item: Item) => number;
  /** Items above this sum wait for the next commit. */
  readonly bytesMax: number;
  readonly inFlightMax: number;
  /** A commit in flight for longer no longer holds up those behind it. */
  readonly stallMs: number;
  /** A commit led by another that has not answered by then is given up: the item is committed alone. */
  readonly abandonMs: number;
  /**
   * How long one who is called to lead waits for those just behind it. Only ever after another commit, so
   * a lone item never pays it.
   */
  readonly gatherMs?: number;
  readonly nowMs: () => number;
  readonly timer: (ms: number) => Timer;
}

export interface GroupCommit<Item> {
  /** Resolves once `item` is durable; rejects with what its commit threw. */
  add(item: Item): Promise<void>;
}

interface Waiter<Item> {
  readonly item: Item;
  readonly done: PromiseWithResolvers<void>;
  call: PromiseWithResolvers<void>;
  called: boolean;
  taken: boolean;
  ended: boolean;
}

export function createGroupCommit<Item>(options: GroupCommitOptions<Item>): GroupCommit<Item> {
  let waiting: Waiter<Item>[] = [];
  const inFlight = new Set<{ readonly startedAtMs: number }>();
  /** Until then somebody gathers: who comes meanwhile is taken along. */
  let gatheringUntilMs = 0;

  /** Whether a commit may start beside those in flight: there is none, or all of them are stalled. */
  function mayLead(): boolean {
    const now = options.nowMs();
    const gathersForMs = gatheringUntilMs - now;
    if (gathersForMs > 0 && gathersForMs <= (options.gatherMs ?? 0)) return false;
    for (const commit of inFlight) {
      // Its request has ended, or the commit would have: it must not hold its place for ever.
      if (now - commit.startedAtMs >= options.abandonMs) inFlight.delete(commit);
    }
    if (inFlight.size >= options.inFlightMax) return false;
    return [...inFlight].every((commit) => now - commit.startedAtMs >= options.stallMs);
  }

  function takeGroup(): Waiter<Item>[] {
    let bytes = 0;
    let count = 0;
    for (const waiter of waiting) {
      bytes += options.sizeOf(waiter.item);
      if (count > 0 && bytes > options.bytesMax) break;
      count += 1;
    }
    const group = waiting.slice(0, count);
    waiting = waiting.slice(count);
    for (const waiter of group) waiter.taken = true;
    return group;
  }

  /** Commits the oldest group, then calls the next caller to lead in its own request. */
  async function lead(): Promise<void> {
    const group = takeGroup();
    if (group.length === 0) return;
    const commit = { startedAtMs: options.nowMs() };
    inFlight.add(commit);
    try {
      await options.commit(group.map((waiter) => waiter.item));
      for (const waiter of group) waiter.done.resolve();
    } catch (reason) {
      for (const waiter of group) waiter.done.reject(reason);
    } finally {
      for (const waiter of group) waiter.ended = true;
      inFlight.delete(commit);
      const next = waiting[0];
      if (next !== undefined) {
        gatheringUntilMs = options.nowMs() + (options.gatherMs ?? 0);
        next.called = true;
        next.call.resolve();
      }
    }
  }

  /** Waits until `waiter` was taken into a commit; leads one itself when called, or when all stall. */
  async function waitForTurn(waiter: Waiter<Item>): Promise<void> {
    while (!waiter.taken) {
      const stall = options.timer(options.stallMs);
      await Promise.race([waiter.done.promise, waiter.call.promise, stall.elapsed]);
      stall.cancel();
      if (waiter.taken) return;
      const called = waiter.called;
      if (called) {
        waiter.called = false;
        waiter.call = Promise.withResolvers();
        if (options.gatherMs !== undefined) await options.timer(options.gatherMs).elapsed;
        if (waiter.taken) return;
      }
      if (called || mayLead()) await lead();
    }
  }

  async function add(item: Item): Promise<void> {
    const done = Promise.withResolvers<void>();
    const call = Promise.withResolvers<void>();
    const waiter: Waiter<Item> = { item, done, call, called: false, taken: false, ended: false };
    done.promise.catch(() => {}); // an abandoned commit may still fail later
    waiting.push(waiter);
    if (mayLead()) await lead();
    await waitForTurn(waiter);
    if (waiter.ended) return done.promise;
    const abandon = options.timer(options.abandonMs);
    const gaveUp = await Promise.race([
      done.promise.then(() => false),
      abandon.elapsed.then(() => true),
    ]).finally(() => abandon.cancel());
    if (gaveUp) await options.commit([item]);
  }

  return { add };
}
