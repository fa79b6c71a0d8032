/**
 * Less urgent batches give way to more urgent ones of the same isolate: both share one thread, and each stretch of the
 * one is a wait of the other. While urgent batches come, the others begin their attempts between them, one by one.
 */
import {
  GIVEN_WAY_MS,
  WAY_LOOK_MS,
  WAY_LOOK_MS_MAX,
  WAY_PACE_MS,
  WAY_WAIT_MS_MAX,
} from "../core/deliver/limits.ts";
import { QUEUES } from "../core/priority.ts";
import type { Clock } from "../ports/clock.ts";
import type { QueueRole } from "./deliver-batch.ts";

export interface GivingWay {
  /** A batch of `role` is at work, until what this answers is called. */
  begins(role: QueueRole, clock: Clock): () => void;
  /** When the next attempt of `role` may begin: null = now, else soon in any case. Never rejects. */
  turn(role: QueueRole, clock: Clock): Promise<void> | null;
}

interface Begun {
  readonly atMs: number;
}

/** Most urgent first. */
const ORDER: readonly QueueRole[] = [...QUEUES, "dead"];

export function createGivingWay(): GivingWay {
  const seen = ORDER.map(() => ({ begun: new Set<Begun>(), atMs: Number.NEGATIVE_INFINITY }));
  /** Of all that give way. */
  let nextMs = Number.NEGATIVE_INFINITY;

  const isLate = (atMs: number, nowMs: number): boolean =>
    atMs > nowMs || nowMs >= atMs + GIVEN_WAY_MS;
  const lately = (role: QueueRole, nowMs: number) =>
    seen.slice(0, ORDER.indexOf(role)).filter(({ atMs }) => !isLate(atMs, nowMs));

  /** An invocation that was cut off never ends: what began long ago is not at work, or waits for its receivers. */
  function isAtWork(begun: Set<Begun>, nowMs: number): boolean {
    for (const each of begun) if (isLate(each.atMs, nowMs)) begun.delete(each);
    return begun.size > 0;
  }

  async function wait(role: QueueRole, clock: Clock): Promise<void> {
    const untilMs = clock.nowMs() + WAY_WAIT_MS_MAX;
    for (let lookMs = WAY_LOOK_MS; ; lookMs = Math.min(2 * lookMs, WAY_LOOK_MS_MAX)) {
      const nowMs = clock.nowMs();
      const urgent = lately(role, nowMs);
      if (urgent.length === 0 || nowMs >= untilMs) return;
      const isClear = !urgent.some(({ begun }) => isAtWork(begun, nowMs));
      if (isClear && nowMs >= nextMs) {
        nextMs = nowMs + WAY_PACE_MS;
        return;
      }
      const aheadMs = Math.max(Math.min(nextMs - nowMs, WAY_PACE_MS), lookMs);
      await clock.timer(Math.min(aheadMs, untilMs - nowMs)).elapsed;
    }
  }

  return {
    begins(role, clock) {
      const own = seen[ORDER.indexOf(role)];
      if (own === undefined) return () => {};
      const batch = { atMs: clock.nowMs() };
      own.begun.add(batch);
      own.atMs = batch.atMs;
      return () => {
        own.begun.delete(batch);
        own.atMs = clock.nowMs();
      };
    },
    turn: (role, clock) => (lately(role, clock.nowMs()).length === 0 ? null : wait(role, clock)),
  };
}
