/** A gate's object when its storage fails it: nothing that is parked is left without somebody who looks after it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { GateConfig } from "../../src/core/gate/index.ts";
import { GATE_PAUSE_MS_MIN, GATE_TICK_MS } from "../../src/core/limits.ts";
import { createGateRun, type GateRun, type KeptGate } from "../../src/flows/gate-run.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemoryLog, createSeededRandom } from "../support/memory-system.ts";
import { down } from "./consumer.ts";

const id = { tenant: "acme", target: "pager" };
const config: GateConfig = {
  ...{ concurrency: 6, perSecond: null, perDay: null, isAdaptive: false },
};
let clock: ReturnType<typeof createFakeClock>;
let memo: Parameters<typeof createGateRun>[0]["memo"];
let stored: { kept: KeptGate | null; alarmMs: number | null };

beforeEach(() => {
  clock = createFakeClock(1_000_000);
  stored = { kept: null, alarmMs: null };
  memo = {
    read: async () => stored.kept,
    write: async (kept) => void Object.assign(stored, { kept }),
    erase: async () => void Object.assign(stored, { kept: null }),
    alarmMs: async () => stored.alarmMs,
    setAlarm: async (alarmMs) => void Object.assign(stored, { alarmMs }),
  };
});

const gate = (release = async (): Promise<never[]> => []): GateRun => {
  return createGateRun({
    ...{ clock, log: createMemoryLog(), random: createSeededRandom(1), release, defer: () => {} },
    batches: { look: down, take: down, send: down },
    // As it is when it is called: a test breaks and mends it.
    memo: {
      read: () => memo.read(),
      write: (gate) => memo.write(gate),
      erase: () => memo.erase(),
      alarmMs: () => memo.alarmMs(),
      setAlarm: (atMs) => memo.setAlarm(atMs),
    },
  });
};

describe("a gate whose storage fails", () => {
  it("sets an alarm again that could not be set", async () => {
    const run = gate();
    const { setAlarm } = memo;
    memo = { ...memo, setAlarm: down };
    await expect(run.wake(id, config)).rejects.toThrow();
    memo = { ...memo, setAlarm };
    await run.wake(id, config);
    expect(stored.alarmMs).toBe(clock.nowMs() + GATE_PAUSE_MS_MIN);
  });

  it("reads again what it could not read, and is not refused for ever", async () => {
    const { read } = memo;
    memo = { ...memo, read: down };
    const run = gate();
    await expect(run.limits(id, config)).rejects.toThrow();
    memo = { ...memo, read };
    expect(await run.limits(id, config)).toEqual([]);
  });

  it("looks again in a while when what is parked cannot be let go", async () => {
    const run = gate(down);
    await run.wake(id, config);
    await run.alarm();
    expect(stored.alarmMs).toBe(clock.nowMs() + GATE_TICK_MS);
  });

  it("lets no alarm fail that finds it unreadable: it is set again", async () => {
    memo = { ...memo, read: down };
    const run = gate();
    await expect(run.alarm()).resolves.toBeUndefined();
    expect(stored.alarmMs).toBe(clock.nowMs() + GATE_TICK_MS);
  });
});

describe("a gate whose alarm did not come", () => {
  it("sets it again", async () => {
    const run = gate();
    await run.wake(id, config);
    await clock.advance(60_000);
    await run.wake(id, config);
    expect(stored.alarmMs).toBe(clock.nowMs() + GATE_PAUSE_MS_MIN);
  });
});
