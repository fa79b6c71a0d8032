/** Gates in memory: the real ones over a memo that a test can read, and alarms by its clock. */
import type { KeptGate } from "../../src/flows/gate-memory.ts";
import { createGateRun, type GatePorts, type GateRun } from "../../src/flows/gate-run.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { GateId, Gates } from "../../src/ports/gates.ts";
import type { Log } from "../../src/ports/log.ts";
import { createSeededRandom } from "./memory-system.ts";

export interface MemoryGates extends Gates {
  /** What each remembers, by tenant and target. */
  readonly kept: ReadonlyMap<string, KeptGate>;
  /** By whom parked deliveries are let go: an isolate, as the objects have one. */
  releaseBy(release: GatePorts["release"]): void;
  /** By whom targets are closed that have failed for too long. */
  giveUpBy(giveUp: GatePorts["giveUp"]): void;
  /** By whom batches are sent. */
  sendBy(hands: GatePorts["batches"]): void;
  /** What objects keep is reached by this, for failures. */
  memoBy(wrap: (memo: GatePorts["memo"]) => GatePorts["memo"]): void;
  /** An object, or each, loses its memory, and what it was about to do; what it keeps, and its alarm, are there. */
  restart(id?: GateId): void;
  /** Calls so far. */
  readonly calls: number;
}

const nameOf = ({ tenant, target }: GateId): string => `${tenant}/${target}`;

export function createMemoryGates(clock: Clock, log: Log): MemoryGates {
  const runs = new Map<string, GateRun>();
  const kept = new Map<string, KeptGate>();
  let release: GatePorts["release"] = async () => [];
  let giveUp: GatePorts["giveUp"] = async () => false;
  let hands: GatePorts["batches"] = {
    look: async () => ({ kind: "closed" }),
    take: async () => null,
    send: async () => null,
  };
  let memoBy = (memo: GatePorts["memo"]) => memo;
  let calls = 0;
  const alarms = new Map<string, { readonly atMs: number; cancel(): void }>();

  function called(id: GateId): GateRun {
    calls += 1;
    return runOf(id);
  }

  function runOf({ tenant, target }: GateId): GateRun {
    const name = nameOf({ tenant, target });
    /** What has no memory any more gets nothing done. */
    const ifThere = <T>(work: () => Promise<T>): Promise<T> =>
      runs.get(name) === run ? work() : new Promise(() => {});
    const known = runs.get(name);
    if (known !== undefined) return known;
    const run: GateRun = createGateRun({
      ...{ clock, log, random: createSeededRandom(1), defer: () => {} },
      memo: memoBy({
        read: async () => kept.get(name) ?? null,
        async write(gate) {
          if (runs.get(name) === run) kept.set(name, JSON.parse(JSON.stringify(gate)));
        },
        erase: async () => void kept.delete(name),
        alarmMs: async () => alarms.get(name)?.atMs ?? null,
        async setAlarm(atMs) {
          if (runs.get(name) !== run) return; // its process is gone
          alarms.get(name)?.cancel();
          const timer = clock.timer(Math.max(0, atMs - clock.nowMs()));
          const own = { atMs, cancel: timer.cancel };
          alarms.set(name, own);
          void timer.elapsed.then(() => {
            if (alarms.get(name) !== own) return;
            alarms.delete(name);
            void runOf({ tenant, target }).alarm();
          });
        },
      }),
      release: (id, count) => release(id, count),
      giveUp: (...asked) => giveUp(...asked),
      batches: {
        look: (id, limits) => ifThere(() => hands.look(id, limits)),
        take: (due) => ifThere(() => hands.take(due)),
        send: (held) => ifThere(() => hands.send(held)),
      },
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
    giveUpBy(by) {
      giveUp = by;
    },
    sendBy(by) {
      hands = by;
    },
    memoBy(wrap) {
      memoBy = wrap;
    },
    restart(id) {
      if (id === undefined) runs.clear();
      else runs.delete(nameOf(id));
    },
    tell: (id, told) => called(id).tell(id, told),
    limits: (id, config) => called(id).limits(id, config),
    nextBatchMs: (id) => called(id).nextBatchMs(id),
    reset: (id, config) => called(id).reset(id, config),
    wake: (id, config) => called(id).wake(id, config),
  };
}
