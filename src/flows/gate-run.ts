/** What a gate's object does: it keeps the gate's state, and lets parked deliveries go when there is room for them. */
import { joined, lookingAt, nextBatchMs, type Waiting } from "../core/batch/batch.ts";
import type { Ask, GateAnswer, GateConfig, GateState } from "../core/gate/index.ts";
import {
  acquire,
  attend,
  attendAll,
  CONFIG_DEFAULT,
  forgiven,
  isBefore,
  isForgettable,
  limits,
  newGate,
  next,
  opened,
  parked,
  parkedCount,
  released,
  report,
  stateFor,
} from "../core/gate/keeper.ts";
import {
  GATE_FORGET_MS,
  GATE_PAUSE_MS_MIN,
  GATE_RELEASE_MS,
  GATE_TICK_MS,
} from "../core/limits.ts";
import { PRIORITIES } from "../core/priority.ts";
import { type Clock, type Random, within } from "../ports/clock.ts";
import type { GateAnswered, GateId, Gates, ReleasedParked } from "../ports/gates.ts";
import { errorText, type Log } from "../ports/log.ts";
import { type BatchHands, createBatchRun } from "./batch-run.ts";
import { createGateWaiters } from "./gate-waiters.ts";

export interface KeptGate {
  readonly id: GateId;
  readonly config: GateConfig;
  readonly state: GateState;
}

export interface GatePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly memo: {
    read(): Promise<KeptGate | null>;
    write(kept: KeptGate): Promise<void>;
    erase(): Promise<void>;
    alarmMs(): Promise<number | null>;
    setAlarm(atMs: number): Promise<void>;
  };
  /** Lets up to `count` parked deliveries go, the most urgent and oldest first. */
  release(id: GateId, count: number): Promise<readonly ReleasedParked[]>;
  /** Sends what waits in batches. */
  readonly batches: BatchHands;
  /** Keeps the object alive until the work ends, which nobody waits for. */
  defer(work: Promise<void>): void;
}

export interface GateRun extends Gates {
  alarm(): Promise<void>;
}

export function createGateRun(ports: GatePorts): GateRun {
  const { clock, log, memo, random, release } = ports;
  let kept: KeptGate | null = null;
  let armedMs: number | null = null;
  /** A hint: an object that forgets it finds out again. */
  let pausedUntilMs = 0;
  let loading: Promise<void> | null = null;
  const waiters = createGateWaiters(clock);

  function load(): Promise<void> {
    loading ??= Promise.all([memo.read(), memo.alarmMs()]).then(
      ([read, alarmMs]) => {
        kept = read;
        armedMs = alarmMs;
      },
      (error: unknown) => {
        loading = null; // whoever comes next tries again
        throw error;
      },
    );
    return loading;
  }

  /** Nothing may be awaited between this and `keep`: whoever asks meanwhile would be given the same slots. */
  function open(id: GateId, config: GateConfig): KeptGate {
    kept = { id, ...opened(kept, config, clock.nowMs()) };
    return kept;
  }

  /** Written before anybody hears of it: an object that dies has promised no more than it remembers. */
  function keep(changed: KeptGate): Promise<void> {
    const { id, config } = changed;
    const { state, answers } = attendAll(changed.state, config, waiters.asks, clock.nowMs());
    const written = write({ id, config, state });
    waiters.answer(answers, written);
    return written;
  }

  async function write(changed: KeptGate): Promise<void> {
    kept = changed;
    const { state, config } = changed;
    const { release: count, wakeAtMs } = next(state, config, clock.nowMs());
    const soonMs = clock.nowMs() + GATE_PAUSE_MS_MIN;
    const releaseAtMs = count > 0 ? Math.max(soonMs, pausedUntilMs) : wakeAtMs;
    const lookAtMs = state.batch === undefined ? null : Math.max(soonMs, state.batch.lookAtMs);
    const wakeMs = [releaseAtMs, lookAtMs].filter((atMs) => atMs !== null);
    const atMs = wakeMs.length === 0 ? clock.nowMs() + GATE_FORGET_MS : Math.min(...wakeMs);
    await Promise.all([memo.write(changed), arm(atMs)]);
  }

  function putWaiting(batch: Waiting | undefined): void {
    if (kept !== null) kept = { ...kept, state: { ...kept.state, batch } };
  }

  async function arm(atMs: number): Promise<void> {
    // One that is overdue may have been lost.
    if (armedMs !== null && armedMs > clock.nowMs() - GATE_TICK_MS && armedMs <= atMs) return;
    armedMs = atMs;
    try {
      await memo.setAlarm(atMs);
    } catch (error) {
      armedMs = null;
      throw error;
    }
  }

  /** What one that waited hears: what the gate said meanwhile, or now when its time is over. */
  async function answered(
    said: GateAnswer | null,
    ask: Ask,
    { id, config }: Pick<KeptGate, "id" | "config">,
  ): Promise<GateAnswered> {
    let answer = said;
    if (answer === null) {
      const known = open(id, config);
      const late = acquire(known.state, known.config, ask, clock.nowMs());
      answer = late.answer;
      await keep({ ...known, state: late.state });
    }
    return { answer, nowMs: clock.nowMs(), parked: kept === null ? 0 : parkedCount(kept.state) };
  }

  async function letGo({ id, state, config }: KeptGate): Promise<void> {
    const { release: count } = next(state, config, clock.nowMs());
    if (count === 0 || clock.nowMs() < pausedUntilMs) return;
    const late = () => new Error("the ledger did not answer in time");
    const gone = await within(release(id, count), GATE_RELEASE_MS, clock, late);
    for (const said of gone) {
      if (kept !== null) kept = { ...kept, state: released(kept.state, said, clock.nowMs()) };
    }
  }

  const run: GateRun = {
    async tell(id, told) {
      await load();
      const { report: said, parked: held, ask: wanted, waiting } = told;
      const isOfLimits = said === null && held === null && wanted === null && !waiting;
      // It will know its limits when it is asked.
      if (kept === null && isOfLimits) return null;
      const { config, state: known } = open(id, told.config);
      let state = known;
      const nowMs = clock.nowMs();
      if (told.report !== null && !isBefore(told.config, config))
        state = report(state, config, told.report, nowMs, random.unit());
      if (told.parked !== null) {
        state = parked(state, told.parked, nowMs);
        pausedUntilMs = Math.max(pausedUntilMs, nowMs + told.parked.pauseMs);
      }
      if (config.batch === undefined) state = { ...state, batch: undefined };
      // By other limits what waits may be due.
      else if (isOfLimits) state = { ...state, batch: soon(state.batch, nowMs) };
      else if (waiting) {
        const more = { ...waiting, sinceMs: nowMs };
        state = { ...state, batch: joined(state.batch, more, config.batch), troubleAtMs: nowMs };
      }
      const asked = told.ask === null ? null : attend(state, config, told.ask, nowMs);
      state = asked?.state ?? state;
      const waits = asked?.answer === null ? told.ask : null;
      const waited = waits === null ? null : waiters.wait(waits);
      try {
        await keep({ id, config, state });
      } catch (error) {
        if (waits !== null) waiters.leave(waits);
        throw error;
      }
      if (waits !== null) return answered(await waited, waits, { id, config });
      return { answer: asked?.answer ?? null, nowMs, parked: parkedCount(state) };
    },

    async limits(_id, config) {
      await load();
      const nowMs = clock.nowMs();
      return limits(stateFor(kept, config) ?? newGate(nowMs), config, nowMs);
    },

    async nextBatchMs() {
      await load();
      const { config, state } = kept ?? {};
      if (config?.batch === undefined || state?.batch === undefined) return null;
      return state.batch.count === 0 ? null : nextBatchMs(state.batch, config.batch);
    },

    async wake(id, config) {
      await load();
      const known = open(id, config ?? kept?.config ?? CONFIG_DEFAULT);
      const nowMs = clock.nowMs();
      if (known.config.batch !== undefined) {
        const batch = soon(known.state.batch, nowMs);
        await keep({ ...known, state: { ...known.state, batch } });
        return;
      }
      // Of each priority one, at least: what is not there is found out by looking.
      const state = PRIORITIES.reduce(
        (so, priority) => (so.backlog[priority] ? so : parked(so, { priority, count: 1 }, nowMs)),
        known.state,
      );
      await keep({ ...known, state });
    },

    async reset(id, config) {
      await load();
      if (kept === null) return; // it holds nothing against anybody
      const known = open(id, config);
      const nowMs = clock.nowMs();
      const state = forgiven(known.state, nowMs);
      const batch = config.batch === undefined ? undefined : lookingAt(nowMs);
      await keep({ ...known, state: { ...state, batch } });
    },

    async alarm() {
      try {
        await load();
        armedMs = null;
        if (kept === null) return;
        await letGo(kept);
        if ((kept.state.batch?.lookAtMs ?? Number.POSITIVE_INFINITY) <= clock.nowMs())
          batches.goOn();
        if (isForgettable(kept.state, clock.nowMs())) {
          await memo.erase();
          kept = null;
        } else await keep(kept);
      } catch (error) {
        const { tenant = "", target = "" } = kept?.id ?? {};
        log.warn("gate-release-failed", { tenant, target, error: errorText(error) });
        await arm(clock.nowMs() + GATE_TICK_MS).catch(() => {});
      }
    },
  };

  const batches = createBatchRun({
    ...{ clock, log, random, hands: ports.batches, defer: ports.defer },
    gate: {
      kept: () => kept,
      put: putWaiting,
      save: async () => {
        if (kept !== null) await keep(kept);
      },
      tell: run.tell,
    },
  });
  return run;
}

/** Whatever was known to wait: the ledger is asked now, or when the gate allows it. */
const soon = (known: Waiting | undefined, nowMs: number): Waiting => {
  const waiting = known ?? lookingAt(nowMs);
  return { ...waiting, lookAtMs: Math.max(nowMs, waiting.notBeforeMs) };
};
