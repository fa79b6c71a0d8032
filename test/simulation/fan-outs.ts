/** The objects of fan-outs: their memory and alarms last, the process that runs them may die at any call. */
import { fanOutPage } from "../../src/flows/fan-out-page.ts";
import { createReplayRun, type ReplayMemo, type ReplayRun } from "../../src/flows/replay-run.ts";
import type { FanOutId } from "../../src/ports/fan-outs.ts";
import type { MemoryFanOuts } from "../support/memory-fan-outs.ts";
import type { Isolate } from "./isolates.ts";
import { createLife, type Life } from "./life.ts";
import { wiredFanOuts } from "./ports.ts";
import type { Stores } from "./stores.ts";
import { traceLog } from "./trace.ts";

export interface SimulatedFanOuts {
  /** What is in D1. */
  readonly store: MemoryFanOuts;
  wake(at: FanOutId): Promise<void>;
  /** Where the objects live. */
  runBy(pick: () => Isolate | null): void;
  /** Hears of each that is begun, once. */
  onBegun: (at: FanOutId) => void;
}

interface SimulatedObject {
  readonly memo: ReplayMemo;
  armedMs: number | null;
  running: { readonly life: Life; readonly run: ReplayRun } | null;
}

export function createSimulatedFanOuts(
  stores: () => Stores,
  store: MemoryFanOuts,
): SimulatedFanOuts {
  const objects = new Map<string, SimulatedObject>();
  let pick: () => Isolate | null = () => null;

  function objectOf({ tenant, id }: FanOutId): SimulatedObject {
    const name = `${tenant}/${id}`;
    const known = objects.get(name);
    if (known !== undefined) return known;
    let kept: FanOutId | null = null;
    const memo: ReplayMemo = {
      read: async () => kept,
      async write(at) {
        kept = at;
      },
      alarmMs: async () => object.armedMs,
      async setAlarm(atMs) {
        object.armedMs = atMs;
        arm(object, atMs);
      },
      async erase() {
        kept = null;
        object.armedMs = null;
      },
    };
    const object: SimulatedObject = { memo, armedMs: null, running: null };
    objects.set(name, object);
    return object;
  }

  /** The process that runs it now, or another one; null while all are gone. */
  function runOf(object: SimulatedObject): ReplayRun | null {
    if (object.running?.life.isAlive()) return object.running.run;
    const isolate = pick();
    if (isolate === null) return null;
    const { scheduler, trace } = stores();
    const life = createLife("fan-out", scheduler, isolate.life);
    // An object sets its alarm by the clock that rings it.
    const clock = { ...life.clock, nowMs: scheduler.nowMs };
    const run = createReplayRun({
      ...{ clock, log: traceLog(trace, life.name), memo: object.memo },
      slice: (at) => fanOutPage(at, { ...isolate.accept, fanOuts: wiredFanOuts(stores(), life) }),
    });
    object.running = { life, run };
    return run;
  }

  /** On time, late, twice, or never. */
  function arm(object: SimulatedObject, atMs: number): void {
    const { scheduler, chance, weather, wire } = stores();
    const { twice, late, never } = weather.alarms;
    const isBad = !wire.isCalm();
    if (isBad && chance.happens(never)) {
      // The platform has lost it: nothing is armed.
      object.armedMs = null;
      return;
    }
    const delayMs = atMs - scheduler.nowMs() + (isBad && chance.happens(late) ? 90_000 : 0);
    const times = isBad && chance.happens(twice) ? 2 : 1;
    for (let time = 0; time < times; time += 1) {
      scheduler.after(Math.max(1, delayMs), null, () => ring(object, atMs));
    }
  }

  function ring(object: SimulatedObject, atMs: number): void {
    // Set anew since.
    if (object.armedMs !== null && object.armedMs !== atMs) return;
    const run = runOf(object);
    if (run === null) {
      stores().scheduler.after(500, null, () => ring(object, atMs));
      return;
    }
    object.armedMs = null;
    void run.alarm();
  }

  return {
    store,
    onBegun: () => {},
    runBy(own) {
      pick = own;
    },
    async wake(at) {
      const run = runOf(objectOf(at));
      if (run === null) throw new Error("the engine starts again");
      await run.wake(at);
    },
  };
}
