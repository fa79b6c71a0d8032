/**
 * Less urgent batches give way to more urgent ones of the same isolate: both share one thread, and each stretch of the
 * one is a wait of the other. While urgent batches come, the others begin their attempts between them, one by one.
 */
import { GIVEN_WAY_MS, WAY_LOOK_MS, WAY_PACE_MS, WAY_WAIT_MS_MAX } from "../core/deliver/limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { QueueRole } from "./deliver-batch.ts";

export interface GivingWay {
  /** A batch of `role` is at work, until what this answers is called. */
  begins(role: QueueRole, clock: Clock): () => void;
  /** When the next attempt of `role` may begin: null = now, else soon in any case. Never rejects. */
  turn(role: QueueRole, clock: Clock): Promise<void> | null;
}

/** Most urgent first. */
const ORDER: readonly QueueRole[] = ["critical", "normal", "bulk", "replay", "dead"];

export function createGivingWay(): GivingWay {
  const seen = ORDER.map(() => ({ atWork: 0, atMs: Number.NEGATIVE_INFINITY }));
  /** Of all that give way. */
  let nextMs = Number.NEGATIVE_INFINITY;

  /** An invocation that was cut off never ends: what was not seen lately is not at work. */
  const lately = (role: QueueRole, nowMs: number) =>
    seen
      .slice(0, ORDER.indexOf(role))
      .filter(({ atMs }) => atMs <= nowMs && nowMs < atMs + GIVEN_WAY_MS);

  async function wait(role: QueueRole, clock: Clock): Promise<void> {
    const untilMs = clock.nowMs() + WAY_WAIT_MS_MAX;
    for (;;) {
      const nowMs = clock.nowMs();
      const urgent = lately(role, nowMs);
      if (urgent.length === 0 || nowMs >= untilMs) return;
      const isClear = urgent.every(({ atWork }) => atWork === 0);
      if (isClear && nowMs >= nextMs) {
        nextMs = nowMs + WAY_PACE_MS;
        return;
      }
      const aheadMs = Math.min(nextMs - nowMs, WAY_PACE_MS);
      await clock.timer(Math.max(aheadMs, WAY_LOOK_MS)).elapsed;
    }
  }

  return {
    begins(role, clock) {
      const own = seen[ORDER.indexOf(role)];
      if (own === undefined) return () => {};
      const note = (change: number): void => {
        own.atWork += change;
        own.atMs = clock.nowMs();
      };
      note(1);
      return () => note(-1);
    },
    turn: (role, clock) => (lately(role, clock.nowMs()).length === 0 ? null : wait(role, clock)),
  };
}
