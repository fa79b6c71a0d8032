/** What a crash run of sagas will do: its saga, which steps are refused, and when the engine is killed. */
import { createHash } from "node:crypto";
import { createSeededRandom } from "../../support/memory-system.ts";
import type { Fault } from "../plan.ts";

export interface SagaCrashOptions {
  readonly seed: number;
  readonly instances: number;
  /** By SIGKILL; every fourth hits the whole process group. */
  readonly kills: number;
}

/** Longer than an answer takes while all instances wake at once after a kill, and short enough to be waited for. */
export const TIMEOUT_MS = 3_000;
/** Between kills, from the moment when the router is back. */
const PAUSE_MS = { least: 150, most: 1_350 };
const REFUSED_SHARE = 0.08;

export const STEPS = ["reserve", "authorise", "label", "ship", "mail"] as const;
export type StepName = (typeof STEPS)[number];
/** From here on nothing is undone. */
export const PIVOT: StepName = "ship";
export const OPTIONAL: StepName = "mail";
/** Side by side, in either order. */
export const PARALLEL: readonly StepName[] = ["authorise", "label"];

/** As many attempts as there can be: a saga that is stuck would be a fault of the run, not of the router. */
const RETRY = { maxAttempts: 50, initialSeconds: 0.2, factor: 2, maxSeconds: 5 };

export function sagaOf(url: string): object {
  const http = (path: string) => ({ http: { url: `${url}/${path}`, body: "$.input.data" } });
  const step = (name: StepName) => ({
    ...{ name, action: http(name), retry: RETRY, timeoutSeconds: TIMEOUT_MS / 1_000 },
  });
  const undone = (name: StepName) => ({
    ...step(name),
    compensate: { ...http(`un-${name}`), retry: RETRY },
  });
  return {
    ...{ key: "$.data.order", correlation: "$.data.order" },
    steps: [
      undone("reserve"),
      { parallel: [[undone("authorise")], [undone("label")]] },
      { name: "captured", wait: { event: { type: ["captured"] }, timeoutSeconds: 3_600 } },
      { ...step("ship"), pivot: true },
      { ...step("mail"), optional: true },
    ],
  };
}

/** Whether the participant refuses this step of the `n`th order; the same whenever it is asked. */
export function isRefused(seed: number, n: number, step: StepName): boolean {
  const digest = createHash("sha256").update(`${seed} ${n} ${step}`).digest();
  return digest.readUInt32BE(0) / 2 ** 32 < REFUSED_SHARE;
}

/** Each so long after the last one was over. */
export function killsOf({ seed, kills }: SagaCrashOptions): Fault[] {
  const { unit } = createSeededRandom(seed);
  return Array.from({ length: kills }, (_, at) => ({
    kind: at % 4 === 3 ? ("group" as const) : ("engine" as const),
    atMs: PAUSE_MS.least + unit() * (PAUSE_MS.most - PAUSE_MS.least),
    forMs: unit() * 500,
  }));
}
