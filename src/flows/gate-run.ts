/** What a gate's object does: it keeps the gate's state, and lets parked deliveries go when there is room for them. */
import { joined, lookingAt, nextBatchMs, type Waiting } from "../core/batch/batch.ts";
import type { Ask, GateAnswer, GateConfig, GateState } from "../core/gate/index.ts";
import {
  acquire,
  attend,
  attendAll,
  CONFIG_DEFAULT,
  failedSinceMs,
  forgiven,
  isBefore,
  isForgettable,
  limits,
  newGate,
  next,
  opened,
  parked,
  parkedCount,
  report,
  stateFor,
} from "../core/gate/keeper.ts";
import { GATE_FORGET_MS, GATE_PAUSE_MS_MIN, GATE_TICK_MS } from "../core/gate-limits.ts";
import { PRIORITIES } from "../core/priority.ts";
import type { Random } from "../ports/clock.ts";
import type { GateAnswered, GateId, Gates } from "../ports/gates.ts";
import { errorText, type Log } from "../ports/log.ts";
import { type BatchHands, createBatchRun } from "./batch-run.ts";
import { createGateMemory, type GateMemo, type KeptGate } from "./gate-memory.ts";
import { createGateRelease, type ReleasePorts } from "./gate-release.ts";
import { createGateWaiters } from "./gate-waiters.ts";

export interface GatePorts extends ReleasePorts {
  readonly log: Log;
  readonly random: Random;
  readonly memo: GateMemo;
  /** Disables the target, which has failed since; false where it is another by now, or that was not written. */
  giveUp(id: GateId, sinceMs: number, version: number | undefined): Promise<boolean>;
  /** Sends what waits in batches. */
  readonly batches: BatchHands;
  /** Keeps the object alive until the work ends, which nobody waits for. */
  defer(work: Promise<void>): void;
}

export interface GateRun extends Gates {
  alarm(): Promise<void>;
}

export function createGateRun(ports: GatePorts): GateRun {
  const { clock, log, random } = ports;
  const memory = createGateMemory(ports.memo, clock);
  const release = createGateRelease(ports, memory);
  const waiters = createGateWaiters(clock);

  /** Nothing may be awaited between this and `keep`: whoever asks meanwhile would be given the same slots. */
  function open(id: KeptGate["id"], config: GateConfig): KeptGate {
    const known = { id, ...opened(memory.kept, config, clock.nowMs()) };
    memory.put(known);
    return known;
  }

  /** Written before anybody hears of it: an object that dies has promised no more than it remembers. */
  function keep(changed: KeptGate): Promise<void> {
    const { id, config } = changed;
    const { state, answers } = attendAll(changed.state, config, waiters.asks, clock.nowMs());
    const known = { id, config, state };
    const written = memory.write(known, wakeAtMs(known));
    waiters.answer(answers, written);
    return written;
  }

  /** When it is to look again: for what is parked, for what waits to go together, or whether it is needed still. */
  function wakeAtMs({ state, config }: KeptGate): number {
    const nowMs = clock.nowMs();
    const parkedNext = next(state, config, nowMs);
    const soonMs = nowMs + GATE_PAUSE_MS_MIN;
    const releaseAtMs =
      parkedNext.release > 0 ? Math.max(soonMs, release.pausedUntilMs()) : parkedNext.wakeAtMs;
    const lookAtMs = state.batch === undefined ? null : Math.max(soonMs, state.batch.lookAtMs);
    const wakeMs = [releaseAtMs, lookAtMs].filter((atMs) => atMs !== null);
    return wakeMs.length === 0 ? nowMs + GATE_FORGET_MS : Math.min(...wakeMs);
  }

  /** Whoever resumes it has it tried as long again. Where it was not disabled, the next failure asks for it anew. */
  async function giveUp({ id, config }: Pick<KeptGate, "id" | "config">, sinceMs: number) {
    if (!(await ports.giveUp(id, sinceMs, config.version))) return;
    const firstOpenedAtMs = clock.nowMs();
    memory.change((state) => ({ ...state, breaker: { ...state.breaker, firstOpenedAtMs } }));
  }

  const parkedNow = () => (memory.kept === null ? 0 : parkedCount(memory.kept.state));

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
    return { answer, nowMs: clock.nowMs(), parked: parkedNow() };
  }

  const run: GateRun = {
    async tell(id, told) {
      await memory.load();
      const { report: said, parked: held, ask: wanted, waiting } = told;
      const isOfLimits = said === null && held === null && wanted === null && !waiting;
      // It will know its limits when it is asked.
      if (memory.kept === null && isOfLimits) return null;
      const { config, state: known } = open(id, told.config);
      let state = known;
      const nowMs = clock.nowMs();
      if (told.report !== null && !isBefore(told.config, config))
        state = report(state, config, told.report, nowMs, random.unit(), told.config);
      const failingMs = failedSinceMs(known.breaker, state.breaker, nowMs);
      if (told.parked !== null) {
        state = parked(state, told.parked, nowMs);
        release.pause(told.parked.pauseMs);
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
      if (failingMs !== null) ports.defer(giveUp({ id, config }, failingMs));
      if (waits !== null) return answered(await waited, waits, { id, config });
      return { answer: asked?.answer ?? null, nowMs, parked: parkedCount(state) };
    },

    async limits(_id, config) {
      await memory.load();
      const nowMs = clock.nowMs();
      return limits(stateFor(memory.kept, config) ?? newGate(nowMs), config, nowMs);
    },

    async nextBatchMs() {
      await memory.load();
      const { config, state } = memory.kept ?? {};
      if (config?.batch === undefined || state?.batch === undefined) return null;
      return state.batch.count === 0 ? null : nextBatchMs(state.batch, config.batch);
    },

    async wake(id, config) {
      await memory.load();
      const known = open(id, config ?? memory.kept?.config ?? CONFIG_DEFAULT);
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
      await memory.load();
      // It holds nothing against anybody; but what is under way to a former receiver may still ask for something.
      if (memory.kept === null && config.version === undefined) return;
      const known = open(id, config);
      const nowMs = clock.nowMs();
      const state = forgiven(known.state, nowMs, config.version);
      const batch = config.batch === undefined ? undefined : lookingAt(nowMs);
      await keep({ ...known, state: { ...state, batch } });
    },

    async alarm() {
      try {
        await memory.load();
        memory.rang();
        if (memory.kept === null) return;
        await release.letGo(memory.kept);
        const lookAtMs = memory.kept.state.batch?.lookAtMs ?? Number.POSITIVE_INFINITY;
        if (lookAtMs <= clock.nowMs()) batches.goOn();
        const { kept } = memory;
        if (isForgettable(kept.state, clock.nowMs())) await memory.erase();
        else await keep(kept);
      } catch (error) {
        const { tenant = "", target = "" } = memory.kept?.id ?? {};
        log.warn("gate-release-failed", { tenant, target, error: errorText(error) });
        await memory.arm(clock.nowMs() + GATE_TICK_MS).catch(() => {});
      }
    },
  };

  const batches = createBatchRun({
    ...{ clock, log, random, hands: ports.batches, defer: ports.defer },
    gate: {
      kept: () => memory.kept,
      put: (batch) => memory.change((state) => ({ ...state, batch })),
      save: async () => {
        if (memory.kept !== null) await keep(memory.kept);
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
