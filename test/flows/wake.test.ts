/** Objects that are woken: one that fails or hangs holds up nobody. */
import { describe, expect, it } from "vitest";
import { setOffReplay, wakeEach } from "../../src/flows/wake.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemoryLog } from "../support/memory-system.ts";

const FAULTS = {
  fails: () => Promise.reject(new Error("down")),
  hangs: () => new Promise<void>(() => {}),
} as const;

describe.each(["fails", "hangs"] as const)("an object that %s", (fault) => {
  it("lets all others have their turn, and is told of", async () => {
    const clock = createFakeClock();
    const woken: string[] = [];
    const wake = async (id: string): Promise<void> => {
      if (id === "b") return FAULTS[fault]();
      woken.push(id);
    };
    await expect(clock.run(wakeEach(["a", "b", "c"], wake, clock))).rejects.toThrow();
    expect(woken).toEqual(["a", "c"]);
  });

  it("fails no one who started a replay: it is written down, and the sweeper wakes it", async () => {
    const clock = createFakeClock();
    const log = createMemoryLog();
    const replayers = { overdue: async () => [], wake: FAULTS[fault] };
    const replay = { tenant: "acme", id: "rpl_1" };
    await clock.run(setOffReplay(replay, { clock, log, replayers }));
    expect(log.of("replay-not-woken")).toMatchObject([replay]);
  });
});
