/** What drives a replay: an alarm for each slice, and one behind it that takes up what a dead process left. */
import {
  REPLAY_PAUSE_MS_MIN,
  REPLAY_RETRY_MS,
  REPLAY_SLICE_TIMEOUT_MS,
  REPLAY_WATCHDOG_MS,
} from "../core/archive-limits.ts";
import { type Clock, within } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";
import type { ReplayId } from "../ports/replays.ts";

/** What outlives the process. */
export interface ReplayMemo {
  read(): Promise<ReplayId | null>;
  write(replay: ReplayId): Promise<void>;
  alarmMs(): Promise<number | null>;
  setAlarm(atMs: number): Promise<void>;
  erase(): Promise<void>;
}

export interface ReplayRunParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly memo: ReplayMemo;
  /** In how many milliseconds the next slice is due; null when none is. */
  slice(replay: ReplayId): Promise<number | null>;
}

export interface ReplayRun {
  /** Has it go on soon, unless its alarm is set. */
  wake(replay: ReplayId): Promise<void>;
  /** Makes one slice. Never rejects: an alarm that throws is given up after some tries. */
  alarm(): Promise<void>;
}

const late = () => new Error("a slice did not end in time");

export function createReplayRun({ clock, log, memo, slice }: ReplayRunParts): ReplayRun {
  let wakes = 0;
  const inMs = (ms: number) => memo.setAlarm(clock.nowMs() + Math.max(REPLAY_PAUSE_MS_MIN, ms));

  async function drive(): Promise<void> {
    const replay = await memo.read();
    if (replay === null) return;
    await inMs(REPLAY_WATCHDOG_MS);
    const before = wakes;
    // A slice that hangs may still end: what it writes then is refused, for its replay has moved.
    const sliced = within(slice(replay), REPLAY_SLICE_TIMEOUT_MS, clock, late);
    const next = await sliced.catch((error: unknown) => {
      const { tenant, id } = replay;
      log.warn("replay-slice-failed", { tenant, replay: id, error: errorText(error) });
      return REPLAY_RETRY_MS;
    });
    // Woken meanwhile: it was paused when this slice looked, and may not be any more.
    if (next === null && wakes === before) await memo.erase();
    else await inMs(next ?? 0);
  }

  return {
    async wake(replay) {
      wakes += 1;
      await memo.write(replay);
      if ((await memo.alarmMs()) === null) await inMs(0);
    },
    alarm: () =>
      drive().catch((error: unknown) => {
        log.error("replay-not-driven", { error: errorText(error) });
      }),
  };
}
