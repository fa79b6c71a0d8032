/** What a gate's object remembers, in its storage and while it lives, and the alarm that wakes it. */
import type { GateConfig, GateState } from "../core/gate/index.ts";
import { GATE_TICK_MS } from "../core/gate-limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { GateId } from "../ports/gates.ts";

export interface KeptGate {
  readonly id: GateId;
  readonly config: GateConfig;
  readonly state: GateState;
}

export interface GateMemo {
  read(): Promise<KeptGate | null>;
  write(kept: KeptGate): Promise<void>;
  erase(): Promise<void>;
  alarmMs(): Promise<number | null>;
  setAlarm(atMs: number): Promise<void>;
}

export interface GateMemory {
  /** Null before `load`, and where nobody has asked the gate yet. */
  readonly kept: KeptGate | null;
  /** Once; after a failure whoever comes next tries again. */
  load(): Promise<void>;
  /** What is not written yet: an object that dies now has not heard of it. */
  put(kept: KeptGate): void;
  /** The same of its state, where there is one. */
  change(change: (state: GateState) => GateState): void;
  /** Resolves when it is written, and an alarm is set to `wakeAtMs` or before. */
  write(kept: KeptGate, wakeAtMs: number): Promise<void>;
  arm(atMs: number): Promise<void>;
  /** The alarm has gone off. */
  rang(): void;
  erase(): Promise<void>;
}

export function createGateMemory(memo: GateMemo, clock: Clock): GateMemory {
  let kept: KeptGate | null = null;
  let armedMs: number | null = null;
  let loading: Promise<void> | null = null;

  async function read(): Promise<void> {
    [kept, armedMs] = await Promise.all([memo.read(), memo.alarmMs()]);
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

  return {
    get kept() {
      return kept;
    },
    load() {
      loading ??= read().catch((error: unknown) => {
        loading = null;
        throw error;
      });
      return loading;
    },
    put(changed) {
      kept = changed;
    },
    change(change) {
      if (kept !== null) kept = { ...kept, state: change(kept.state) };
    },
    async write(changed, wakeAtMs) {
      kept = changed;
      await Promise.all([memo.write(changed), arm(wakeAtMs)]);
    },
    arm,
    rang() {
      armedMs = null;
    },
    async erase() {
      await memo.erase();
      kept = null;
    },
  };
}
