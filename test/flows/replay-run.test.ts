/** What drives a replay: it never stands still without an alarm, and an alarm is never now and never throws. */
import { beforeEach, describe, expect, it } from "vitest";
import { REPLAY_RETRY_MS, REPLAY_WATCHDOG_MS } from "../../src/core/archive-limits.ts";
import { createReplayRun, type ReplayMemo, type ReplayRun } from "../../src/flows/replay-run.ts";
import type { ReplayId } from "../../src/ports/replays.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemoryLog, type MemoryLog } from "../support/memory-system.ts";

const AT: ReplayId = { tenant: "acme", id: "rpl_1" };
const NOW = 1_000_000;

let kept: { replay: ReplayId | null; alarmMs: number | null };
let memo: ReplayMemo;
let log: MemoryLog;

beforeEach(() => {
  kept = { replay: null, alarmMs: null };
  log = createMemoryLog();
  memo = {
    read: async () => kept.replay,
    async write(replay) {
      kept.replay = replay;
    },
    alarmMs: async () => kept.alarmMs,
    async setAlarm(atMs) {
      kept.alarmMs = atMs;
    },
    async erase() {
      kept = { replay: null, alarmMs: null };
    },
  };
});

const runOf = (slice: () => Promise<number | null>): ReplayRun =>
  createReplayRun({ clock: createFakeClock(NOW), log, memo, slice });

/** As the platform does it: the alarm that fires is gone. */
async function fire(run: ReplayRun): Promise<void> {
  kept.alarmMs = null;
  await run.alarm();
}

describe("a replay's driver", () => {
  it("is woken soon, never at once, and not when its alarm is set", async () => {
    const run = runOf(async () => 0);
    await run.wake(AT);
    expect(kept.replay).toEqual(AT);
    expect(kept.alarmMs).toBeGreaterThan(NOW);
    kept.alarmMs = NOW + 12_345;
    await run.wake(AT);
    expect(kept.alarmMs).toBe(NOW + 12_345);
  });

  it("has an alarm behind every slice, for when the process dies in it", async () => {
    const run = runOf(async () => {
      expect(kept.alarmMs).toBe(NOW + REPLAY_WATCHDOG_MS);
      return 3_000;
    });
    await run.wake(AT);
    await fire(run);
    expect(kept.alarmMs).toBe(NOW + 3_000);
  });

  it("tries a slice that failed again, and says so", async () => {
    const run = runOf(() => Promise.reject(new Error("no ledger")));
    await run.wake(AT);
    await fire(run);
    expect(kept.alarmMs).toBe(NOW + REPLAY_RETRY_MS);
    expect(log.lines.map(({ event }) => event)).toEqual(["replay-slice-failed"]);
  });

  it("gives up a slice that hangs, and tries again", async () => {
    const clock = createFakeClock(NOW);
    const slice = () => new Promise<null>(() => {});
    const run = createReplayRun({ clock, log, memo, slice });
    await run.wake(AT);
    kept.alarmMs = null;
    await clock.run(run.alarm());
    expect(kept.alarmMs).toBe(clock.nowMs() + REPLAY_RETRY_MS);
    expect(log.lines.map(({ event }) => event)).toEqual(["replay-slice-failed"]);
  });

  it("forgets one that has nothing more to do, and what fires after that does nothing", async () => {
    const run = runOf(async () => null);
    await run.wake(AT);
    await fire(run);
    expect(kept).toEqual({ replay: null, alarmMs: null });
    await fire(run);
    expect(kept).toEqual({ replay: null, alarmMs: null });
  });

  it("loses no wake that comes while a slice finds it paused", async () => {
    let run: ReplayRun | null = null;
    run = runOf(async () => {
      await run?.wake(AT);
      return null;
    });
    await run.wake(AT);
    await fire(run);
    expect(kept.replay).toEqual(AT);
    expect(kept.alarmMs).toBeGreaterThan(NOW);
  });

  it.each(["read", "setAlarm", "erase"] as const)("does not throw when %s does", async (name) => {
    kept.replay = AT;
    memo = { ...memo, [name]: () => Promise.reject(new Error("no storage")) };
    const run = runOf(async () => null);
    await fire(run);
    expect(log.lines.at(-1)?.event).toBe("replay-not-driven");
  });
});
