/** Inflicts the planned faults, one after the other, each no earlier than planned. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./plan.ts";
import type { RouterProcess } from "./router-process.ts";

export interface Inflicted {
  readonly kind: Fault["kind"];
  readonly atMs: number;
  /** Until the router was back, in milliseconds. */
  readonly backMs: number;
}

/** A fault finds a router that is back at work, even where restarts took longer than the plan thought. */
const WORK_MS_MIN = 1_000;

export async function inflict(
  faults: readonly Fault[],
  router: RouterProcess,
  startMs: number,
  onFault: (inflicted: Inflicted) => void,
): Promise<void> {
  for (const { kind, atMs, forMs } of faults) {
    await sleep(Math.max(WORK_MS_MIN, startMs + atMs - Date.now()));
    const inflictedMs = Date.now();
    const backMs = await {
      engine: () => router.killEngine(),
      group: () => router.killGroup(forMs),
      pause: () => router.pauseEngine(forMs),
    }[kind]();
    onFault({ kind, atMs: inflictedMs, backMs });
  }
}
