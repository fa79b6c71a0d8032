/** What a gate's object does: it keeps the gate's state, and lets parked deliveries go when there is room for them. */
import { joined, lookingAt, nextBatchMs, type Waiting } from "../core/batch/batch.ts";
import type { Ask, GateAnswer, GateConfig, GateState } from "../core/gate/index.ts";
import {
  acquire,
  attend,
  attendAll,
  CONFIG_DEFAULT,
  expecting,
  forgiven,
  isBefore,
  isForgettable,
  limits,
  missed,
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
} from "../core/gate-limits.ts";
import { SLOW_TARGET_PAUSE_MS } from "../core/limits.ts";
import { PRIORITIES, type Priority } from "../core/priority.ts";
import { type Clock, type Random, within } from "../ports/clock.ts";
import type { GateAnswered, GateId, Gates, ReleasedParked } from "../ports/gates.ts";
import type { ParkedMost } from "../ports/ledger.ts";
import { errorText, type Log } from "../ports/log.ts";
import { type BatchHands, createBatchRun } from "./batch-run.ts";
import { createGateMemory, type GateMemo, type KeptGate } from "./gate-memory.ts";
import { createGateWaiters } from "./gate-waiters.ts";

export interface GatePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly memo: GateMemo;
  /** Lets so many parked deliveries go, the most urgent and oldest first. */
  release(id: GateId, most: ParkedMost): Promise<readonly ReleasedParked[]>;
  /** Sends what waits in batches. */
  readonly batches: BatchHands;
  /** Keeps the object alive until the work ends, which nobody waits for. */
  defer(work: Promise<void>): void;
}

export interface GateRun extends Gates {
  alarm(): Promise<void>;
}

export function createGateRun(ports: GatePorts): GateRun {
  const { clock, log, random, release } = ports;
  const memory = createGateMemory(ports.memo, clock);
  /** A hint: an object that forgets it finds out again. */
  let pausedUntilMs = 0;
  /** Until then nothing that is parked may go: retries wait for tokens. What is parked anew may be something else. */
  let scarceUntilMs = 0;
  const waiters = createGateWaiters(clock);
  /** By a clock that went back it is over sooner. */
  const pausedUntil = () =>
    Math.max(
      Math.min(pausedUntilMs, clock.nowMs() + SLOW_TARGET_PAUSE_MS),
      Math.min(scarceUntilMs, clock.nowMs() + GATE_TICK_MS),
    );

  /** Nothing may be awaited between this and `keep`: whoever asks meanwhile would be given the same slots. */
  function open(id: GateId, config: GateConfig): KeptGate {
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
      parkedNext.release > 0 ? Math.max(soonMs, pausedUntil()) : parkedNext.wakeAtMs;
    const lookAtMs = state.batch === undefined ? null : Math.max(soonMs, state.batch.lookAtMs);
    const wakeMs = [releaseAtMs, lookAtMs].filter((atMs) => atMs !== null);
    return wakeMs.length === 0 ? nowMs + GATE_FORGET_MS : Math.min(...wakeMs);
  }

  function changed(change: (state: GateState) => GateState): void {
    const { kept } = memory;
    if (kept !== null) memory.put({ ...kept, state: change(kept.state) });
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

  async function letGo({ id, state: before, config }: KeptGate): Promise<void> {
    const { release: count, retries } = next(before, config, clock.nowMs());
    if (count === 0 || clock.nowMs() < pausedUntil()) return;
    const late = () => new Error("the ledger did not answer in time");
    // Their consumers may ask before the ledger has said how many there are.
    const most = { fresh: count, retries };
    changed((known) => expecting(known, most, clock.nowMs()));
    let gone: readonly ReleasedParked[] = [];
    try {
      gone = await within(release(id, { count, retries }), GATE_RELEASE_MS, clock, late);
    } finally {
      const less = {
        fresh: count - sumOf("fresh", gone),
        retries: retries - sumOf("retries", gone),
      };
      changed((known) => missed(known, less, clock.nowMs()));
    }
    for (const said of gone) {
      // What was told of meanwhile the ledger may not have had yet.
      const now = memory.kept?.state ?? before;
      const isNews = countOf(now, said.priority) > countOf(before, said.priority);
      const isEmpty = said.isEmpty && !isNews;
      changed((known) => released(known, { ...said, isEmpty }, clock.nowMs()));
    }
    // Something is left that may not go: retries, most of the time, for which a token has to come.
    const isScarce = sumOf("count", gone) < count && gone.some(({ isEmpty }) => !isEmpty);
    if (isScarce) scarceUntilMs = clock.nowMs() + GATE_TICK_MS;
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
      if (told.parked !== null) {
        state = parked(state, told.parked, nowMs);
        scarceUntilMs = 0;
        pausedUntilMs = Math.max(pausedUntil(), nowMs + told.parked.pauseMs);
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
        await letGo(memory.kept);
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
      put: (batch) => changed((state) => ({ ...state, batch })),
      save: async () => {
        if (memory.kept !== null) await keep(memory.kept);
      },
      tell: run.tell,
    },
  });
  return run;
}

const sumOf = (what: "count" | "fresh" | "retries", gone: readonly ReleasedParked[]): number =>
  gone.reduce((all, said) => all + said[what], 0);

const countOf = ({ backlog }: GateState, priority: Priority): number =>
  backlog[priority]?.count ?? 0;

/** Whatever was known to wait: the ledger is asked now, or when the gate allows it. */
const soon = (known: Waiting | undefined, nowMs: number): Waiting => {
  const waiting = known ?? lookingAt(nowMs);
  return { ...waiting, lookAtMs: Math.max(nowMs, waiting.notBeforeMs) };
};
