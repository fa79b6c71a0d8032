/** What a gate's object does: it keeps the gate's state, and lets parked deliveries go when there is room for them. */
import {
  acquire,
  forgiven,
  type GateConfig,
  type GateState,
  isForgettable,
  limits,
  newGate,
  next,
  parked,
  parkedCount,
  released,
  report,
} from "../core/gate/index.ts";
import {
  GATE_CONCURRENCY_DEFAULT,
  GATE_FORGET_MS,
  GATE_PAUSE_MS_MIN,
  GATE_RELEASE_MS,
  GATE_TICK_MS,
} from "../core/limits.ts";
import { PRIORITIES } from "../core/priority.ts";
import { type Clock, type Random, within } from "../ports/clock.ts";
import type { GateId, Gates, ReleasedParked } from "../ports/gates.ts";
import { errorText, type Log } from "../ports/log.ts";

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
}

export interface GateRun extends Gates {
  alarm(): Promise<void>;
}

/** Whether `one` was known of a target that was there before the one `other` is of; not where nobody said when. */
const isBefore = (one: GateConfig, other: GateConfig): boolean =>
  one.bornAtMs !== undefined && other.bornAtMs !== undefined && one.bornAtMs < other.bornAtMs;

const CONFIG_DEFAULT: GateConfig = {
  ...{ concurrency: GATE_CONCURRENCY_DEFAULT, perSecond: null, perDay: null, isAdaptive: false },
};

export function createGateRun({ clock, log, memo, random, release }: GatePorts): GateRun {
  let kept: KeptGate | null = null;
  let armedMs: number | null = null;
  /** A hint: an object that forgets it finds out again. */
  let pausedUntilMs = 0;
  let loading: Promise<void> | null = null;

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
    const known = kept?.config ?? CONFIG_DEFAULT;
    const isKnown = kept !== null && !isBefore(known, config);
    const state = isKnown && kept !== null ? kept.state : newGate(clock.nowMs());
    // Who still knows a target that was made anew since is told by the limits of the new one.
    kept = { id, config: isBefore(config, known) ? known : config, state };
    return kept;
  }

  /** Written before anybody hears of it: an object that dies has promised no more than it remembers. */
  async function keep(changed: KeptGate): Promise<void> {
    kept = changed;
    const { release: count, wakeAtMs } = next(changed.state, changed.config, clock.nowMs());
    const soonMs = Math.max(clock.nowMs() + GATE_PAUSE_MS_MIN, pausedUntilMs);
    await Promise.all([
      memo.write(changed),
      arm(count > 0 ? soonMs : (wakeAtMs ?? clock.nowMs() + GATE_FORGET_MS)),
    ]);
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

  async function letGo({ id, state, config }: KeptGate): Promise<void> {
    const { release: count } = next(state, config, clock.nowMs());
    if (count === 0 || clock.nowMs() < pausedUntilMs) return;
    const late = () => new Error("the ledger did not answer in time");
    const gone = await within(release(id, count), GATE_RELEASE_MS, clock, late);
    for (const said of gone) {
      if (kept !== null) kept = { ...kept, state: released(kept.state, said, clock.nowMs()) };
    }
  }

  return {
    async tell(id, told) {
      await load();
      if (kept === null && told.report === null && told.parked === null && told.ask === null) {
        return null; // it will know its limits when it is asked
      }
      const { config, state: known } = open(id, told.config);
      let state = known;
      const nowMs = clock.nowMs();
      if (told.report !== null && !isBefore(told.config, config))
        state = report(state, config, told.report, nowMs, random.unit());
      if (told.parked !== null) {
        state = parked(state, told.parked, nowMs);
        pausedUntilMs = Math.max(pausedUntilMs, nowMs + told.parked.pauseMs);
      }
      const asked = told.ask === null ? null : acquire(state, config, told.ask, nowMs);
      state = asked?.state ?? state;
      await keep({ id, config, state });
      return { answer: asked?.answer ?? null, nowMs, parked: parkedCount(state) };
    },

    async limits(_id, config) {
      await load();
      const nowMs = clock.nowMs();
      const isKnown = kept !== null && !isBefore(kept.config, config);
      return limits(isKnown && kept !== null ? kept.state : newGate(nowMs), config, nowMs);
    },

    async wake(id, config) {
      await load();
      const known = open(id, config ?? kept?.config ?? CONFIG_DEFAULT);
      const nowMs = clock.nowMs();
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
      await keep({ ...known, state: forgiven(known.state, clock.nowMs()) });
    },

    async alarm() {
      try {
        await load();
        armedMs = null;
        if (kept === null) return;
        await letGo(kept);
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
}
