/** Gates in memory: the real ones over a memo that a test can read, and alarms by its clock. */
import {
  createGateRun,
  type GatePorts,
  type GateRun,
  type KeptGate,
} from "../../src/flows/gate-run.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { GateId, Gates } from "../../src/ports/gates.ts";
import type { Log } from "../../src/ports/log.ts";
import { createSeededRandom } from "./memory-system.ts";

export interface MemoryGates extends Gates {
  /** What each remembers, by tenant and target. */
  readonly kept: ReadonlyMap<string, KeptGate>;
  /** By whom parked deliveries are let go: an isolate, as the objects have one. */
  releaseBy(release: GatePorts["release"]): void;
  /** Calls so far. */
  readonly calls: number;
}

export function createMemoryGates(clock: Clock, log: Log): MemoryGates {
  const runs = new Map<string, GateRun>();
  const kept = new Map<string, KeptGate>();
  let release: GatePorts["release"] = async () => [];
  let calls = 0;

  function runOf({ tenant, target }: GateId): GateRun {
    calls += 1;
    const name = `${tenant}/${target}`;
    const known = runs.get(name);
    if (known !== undefined) return known;
    let alarm: { readonly atMs: number; cancel(): void } | null = null;
    const run: GateRun = createGateRun({
      ...{ clock, log, random: createSeededRandom(1) },
      memo: {
        read: async () => kept.get(name) ?? null,
        write: async (gate) => void kept.set(name, JSON.parse(JSON.stringify(gate))),
        erase: async () => void kept.delete(name),
        alarmMs: async () => alarm?.atMs ?? null,
        async setAlarm(atMs) {
          alarm?.cancel();
          const timer = clock.timer(Math.max(0, atMs - clock.nowMs()));
          const own = { atMs, cancel: timer.cancel };
          alarm = own;
          void timer.elapsed.then(() => {
            if (alarm !== own) return;
            alarm = null;
            void run.alarm();
          });
        },
      },
      release: (id, count) => release(id, count),
    });
    runs.set(name, run);
    return run;
  }

  return {
    kept,
    get calls() {
      return calls;
    },
    releaseBy(by) {
      release = by;
    },
    tell: (id, told) => runOf(id).tell(id, told),
    limits: (id, config) => runOf(id).limits(id, config),
    reset: (id, config) => runOf(id).reset(id, config),
    wake: (id, config) => runOf(id).wake(id, config),
  };
}
