/** A gate's object when its storage fails it: nothing that is parked is left without somebody who looks after it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Ask, GateConfig } from "../../src/core/gate/index.ts";
import {
  BREAKER_CONSECUTIVE_MAX,
  BREAKER_OPEN_MS_MAX,
  BREAKER_PROBES_MIN,
  GATE_PAUSE_MS_MIN,
  GATE_RELEASE_MS,
  GATE_TICK_MS,
  GATE_WAIT_MS,
  RETRIES_PER_SECOND_MIN,
  TARGET_FAILING_MS_MAX,
} from "../../src/core/gate-limits.ts";
import type { KeptGate } from "../../src/flows/gate-memory.ts";
import { createGateRun, type GatePorts, type GateRun } from "../../src/flows/gate-run.ts";
import type { GateTold } from "../../src/ports/gates.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemoryLog, createSeededRandom } from "../support/memory-system.ts";
import { down } from "./consumer.ts";

const id = { tenant: "acme", target: "pager" };
const config: GateConfig = {
  ...{ concurrency: 6, perSecond: null, perDay: null, isAdaptive: false },
};
const fresh = (lease: string, isReleased = false): Ask => ({
  ...{ lease, want: { fresh: 3, retries: 0 }, priority: "normal", isReleased, ttlMs: 20_000 },
});
type Release = Parameters<typeof createGateRun>[0]["release"];
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

const gate = (
  release: Release = async () => [],
  giveUp: GatePorts["giveUp"] = async () => false,
): GateRun => {
  return createGateRun({
    ...{ clock, log: createMemoryLog(), random: createSeededRandom(1), release, giveUp },
    defer: (work) => void work,
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

describe("a gate that lets go", () => {
  const told = (more: Partial<GateTold>): GateTold => ({
    ...{ config, report: null, parked: null, ask: null },
    ...more,
  });
  const parked = told({ parked: { priority: "normal", count: 3, pauseMs: 0 } });
  const gone = (count: number, isEmpty: boolean, areRetries = false) => [
    { priority: "normal" as const, count, retries: 0, isEmpty, areRetries },
  ];

  it("remembers what was parked while the ledger was asked, whatever that had found", async () => {
    const run = gate(async () => {
      await run.tell(id, parked);
      return gone(3, true);
    });
    await run.tell(id, parked);
    await run.alarm();
    expect(stored.kept?.state.backlog.normal?.count).toBeGreaterThan(0);
    expect(stored.alarmMs).not.toBeNull();
    expect(stored.alarmMs).toBeLessThanOrEqual(clock.nowMs() + GATE_TICK_MS);
  });

  it("waits for none of those that came before it was told how many they are", async () => {
    const run = gate(async () => {
      await run.tell(id, told({ ask: fresh("soon", true) }));
      return gone(3, true);
    });
    await run.tell(id, parked);
    await run.alarm();
    expect(stored.kept?.state.out).toEqual([]);
  });

  it("waits for what is lost ten seconds, and no longer when it lets others go meanwhile", async () => {
    const run = gate(async () => gone(1, false));
    await run.tell(id, parked);
    const fromMs = clock.nowMs();
    for (let second = 0; second < 8; second += 1) {
      await run.alarm();
      await clock.advance(2 * GATE_TICK_MS);
    }
    const [oldest] = stored.kept?.state.out ?? [];
    expect(oldest?.untilMs).toBeGreaterThan(fromMs + GATE_RELEASE_MS);
    expect(stored.kept?.state.out?.length).toBeGreaterThan(2);
  });

  it("promises a token once: who was let go for it is still to come", async () => {
    const retried: number[] = [];
    const run = gate(async (_, { retries }) => {
      retried.push(retries);
      return [
        { priority: "normal", count: retries, ...{ retries, isEmpty: false, areRetries: true } },
      ];
    });
    await run.tell(id, parked);
    await run.alarm();
    await clock.advance(GATE_TICK_MS);
    await run.alarm();
    const [first = 0, second] = retried;
    expect(first).toBeGreaterThan(RETRIES_PER_SECOND_MIN);
    expect(second).toBe(RETRIES_PER_SECOND_MIN);
  });

  it("looks for no retries before there is a token for one, and at once for what is parked anew", async () => {
    const run = gate(async () => gone(0, false));
    await run.tell(id, parked);
    await run.alarm();
    expect(stored.alarmMs).toBe(clock.nowMs() + GATE_TICK_MS);
    await run.tell(id, parked);
    expect(stored.alarmMs).toBe(clock.nowMs() + GATE_PAUSE_MS_MIN);
  });

  it("grants to what is fresh past retries that wait, and not past what was parked meanwhile", async () => {
    let isNews = false;
    const run = gate(async () => {
      if (isNews) await run.tell(id, parked);
      return gone(0, false, true);
    });
    await run.tell(id, parked);
    await run.alarm();
    const passing = await run.tell(id, told({ ask: fresh("passes") }));
    expect(passing?.answer).toMatchObject({ kind: "granted", count: 3 });
    isNews = true;
    await clock.advance(2 * GATE_TICK_MS);
    await run.alarm();
    const behind = await run.tell(id, told({ ask: fresh("behind") }));
    expect(behind?.answer).toMatchObject({ kind: "refused", reason: "backlog" });
  });
});

describe("a gate whose receiver fails for days", () => {
  const present = { ...config, version: 7 };
  let leases = 0;

  /** One delivery that fails, or goes well, once the breaker lets it pass. */
  async function tried(run: GateRun, outcome: "failed" | "ok"): Promise<void> {
    await clock.advance(BREAKER_OPEN_MS_MAX);
    leases += 1;
    const lease = `try-${leases}`;
    const ask = { ...fresh(lease, true), want: { fresh: 1, retries: 0 } };
    await run.tell(id, { config: present, report: null, parked: null, ask });
    const none = { ok: 0, failed: 0, dropped: 0, timedOut: 0, rejected: 0, durationMs: null };
    const said = { lease, sent: ask.want, retryAfterMs: null, allowedPerMinute: null };
    const report = { ...said, outcomes: { ...none, [outcome]: 1 }, isDone: true };
    await run.tell(id, { config: present, report, parked: null, ask: null });
  }

  async function opened(run: GateRun): Promise<number> {
    for (let at = 0; at < BREAKER_CONSECUTIVE_MAX; at += 1) await tried(run, "failed");
    return clock.nowMs();
  }

  it("has its target disabled by the first failure after these, and again until that is written", async () => {
    const asked: unknown[] = [];
    let isWritten = false;
    const run = gate(undefined, async (...what) => {
      asked.push(what);
      return isWritten;
    });
    const sinceMs = await opened(run);
    await tried(run, "failed");
    await clock.advance(TARGET_FAILING_MS_MAX - 2 * BREAKER_OPEN_MS_MAX - 1);
    await tried(run, "failed");
    expect(asked).toEqual([]);
    await tried(run, "failed");
    expect(asked).toEqual([[id, sinceMs, 7]]);
    isWritten = true;
    await tried(run, "failed");
    expect(asked).toHaveLength(2);
    await tried(run, "failed");
    expect(asked).toHaveLength(2);
    await clock.advance(TARGET_FAILING_MS_MAX);
    await tried(run, "failed");
    expect(asked).toHaveLength(3);
  });

  it("counts from the first failure anew when it was well between", async () => {
    const asked: unknown[] = [];
    const run = gate(undefined, async (...what) => asked.push(what) > 0);
    await opened(run);
    await clock.advance(TARGET_FAILING_MS_MAX);
    for (let at = 0; at < BREAKER_PROBES_MIN; at += 1) await tried(run, "ok");
    await opened(run);
    await tried(run, "failed");
    expect(asked).toEqual([]);
  });
});

describe("a gate that is set back for another receiver", () => {
  const former = { ...config, version: 7 };
  const present = { ...config, version: 8 };
  const wishOf = (by: GateConfig): GateTold => ({
    ...{ config: by, parked: null, ask: null },
    report: {
      ...{ lease: "a", sent: { fresh: 1, retries: 0 }, isDone: true },
      ...{ retryAfterMs: 3_600_000, allowedPerMinute: 1 },
      outcomes: { ok: 0, failed: 0, dropped: 1, timedOut: 0, rejected: 0, durationMs: null },
    },
  });
  const wishes = async (run: GateRun) => {
    const by = (await run.limits(id, present)).map((limitation) => limitation.by);
    return by.filter((reason) => reason === "retry-after");
  };

  it.each([
    ["knew the former one", () => gate().tell(id, wishOf(former))],
    ["knew none", async () => {}],
  ])("is not asked for anything by that one's late answers: %s", async (_, before) => {
    await before();
    await gate().reset(id, present);
    await gate().tell(id, wishOf(former));
    expect(await wishes(gate())).toEqual([]);
    expect(stored.kept?.state).toMatchObject({ allowed: null, leases: [] });
  });

  it("is asked by the present one's answers, and where nobody says whose they are", async () => {
    for (const by of [present, { ...config, version: 9 }, config]) {
      await gate().reset(id, present);
      expect(await wishes(gate())).toEqual([]);
      await gate().tell(id, wishOf(by));
      expect(await wishes(gate())).toEqual(["retry-after"]);
    }
  });

  it("hears the rest of a late report: what it held is free", async () => {
    const want = { fresh: 4, retries: 0 };
    const ask = { lease: "a", want, priority: "normal", isReleased: false, ttlMs: 9_000 } as const;
    await gate().tell(id, { config: former, report: null, parked: null, ask });
    expect(stored.kept?.state.leases).toHaveLength(1);
    await gate().reset(id, present);
    await gate().tell(id, wishOf(former));
    expect(stored.kept?.state.leases).toEqual([]);
  });
});

describe("an ask that waits for a slot", () => {
  const ask = (lease: string, more: Partial<Ask> = {}): GateTold => ({
    ...{ config, report: null, parked: null },
    ask: {
      ...{ lease, want: { fresh: 24, retries: 0 }, priority: "normal", isReleased: true },
      ...{ mayWait: true, ttlMs: 20_000, ...more },
    },
  });
  const done = (lease: string): GateTold => ({
    ...{ config, parked: null, ask: null },
    report: {
      ...{ lease, sent: { fresh: 24, retries: 0 }, retryAfterMs: null, allowedPerMinute: null },
      outcomes: { ok: 24, failed: 0, dropped: 0, timedOut: 0, rejected: 0, durationMs: 100 },
      isDone: true,
    },
  });

  /** All slots are leased to "first", whose attempts take as long as those before: it is about to end. */
  async function busy(): Promise<GateRun> {
    const run = gate();
    await run.tell(id, ask("before"));
    await run.tell(id, done("before"));
    await run.tell(id, ask("first"));
    await clock.advance(200);
    return run;
  }

  it("has it as soon as a lease ends, by the gate's clock at that moment", async () => {
    const run = await busy();
    const waiting = run.tell(id, ask("second"));
    await clock.advance(300);
    await run.tell(id, done("first"));
    const answered = await waiting;
    expect(answered).toMatchObject({ answer: { kind: "granted" }, nowMs: clock.nowMs() });
    expect(stored.kept?.state.leases.map((lease) => lease.id)).toEqual(["second"]);
  });

  it("is turned away when it has waited its time", async () => {
    const run = await busy();
    const fromMs = clock.nowMs();
    const answered = await clock.run(run.tell(id, ask("second")));
    expect(answered?.answer).toMatchObject({ kind: "refused", reason: "concurrency" });
    expect(clock.nowMs() - fromMs).toBe(GATE_WAIT_MS);
    await run.tell(id, done("first"));
    expect(stored.kept?.state.leases).toEqual([]);
  });

  it("hears at once that its target takes nothing more today", async () => {
    const run = await busy();
    const waiting = run.tell(id, ask("second"));
    await clock.advance(10);
    await run.tell(id, { ...done("other"), config: { ...config, perDay: 1 } });
    expect((await waiting)?.answer).toMatchObject({ kind: "refused", reason: "quota" });
  });

  it("gets no slot that could not be written down, and fails with it", async () => {
    const run = await busy();
    const waiting = run.tell(id, ask("second"));
    await clock.advance(10);
    const { write } = memo;
    memo = { ...memo, write: down };
    const telling = run.tell(id, done("first"));
    await expect(Promise.all([telling, waiting])).rejects.toThrow();
    await expect(waiting).rejects.toThrow();
    memo = { ...memo, write };
  });

  it("does not wait where it could not be written down that it does", async () => {
    const run = await busy();
    memo = { ...memo, write: down };
    await expect(run.tell(id, ask("second"))).rejects.toThrow();
    expect(clock.armed).toBe(0);
  });
});
