/** Seeds of sagas, or the bugs that they must catch: `npm run sim -- --sagas`. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PLANTED_IN_SAGAS } from "./saga-planted.ts";

const WORKER = fileURLToPath(new URL("saga-worker.ts", import.meta.url));
/** Every planted bug is caught within so many. */
export const SAGA_SEEDS_PER_BUG = 1_000;

export interface SagaReport {
  readonly runs: number;
  readonly requests: number;
  readonly deaths: number;
  readonly commands: number;
  readonly stuck: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly violations: readonly { readonly seed: number; readonly sentence: string }[];
}

/** In a process of its own; rejects when that ends without a report. */
export async function runSagaSeeds(
  from: number,
  count: number,
  planted?: string,
): Promise<SagaReport> {
  const parameters = [`${from}`, `${count}`, ...(planted === undefined ? [] : [planted])];
  const child = fork(WORKER, parameters, { execArgv: ["--no-warnings"] });
  const said = once(child, "message");
  const ended = once(child, "exit").then(([code]): never => {
    throw new Error(`a process of the simulation ended with ${code}`);
  });
  ended.catch(() => {}); // it ends after its report as well
  const [report] = await Promise.race([said, ended]);
  return report as SagaReport;
}

/** Prints what came of it; answers whether all is well. */
export async function sagaMain(from: number, count: number, isPlanted: boolean): Promise<boolean> {
  const startedAtMs = performance.now();
  const seconds = (): string => `${Math.round((performance.now() - startedAtMs) / 1_000)} s`;
  if (isPlanted) {
    let missed = 0;
    for (const { name } of PLANTED_IN_SAGAS) {
      const { violations } = await runSagaSeeds(1, SAGA_SEEDS_PER_BUG, name);
      const [first] = violations;
      if (first === undefined) missed += 1;
      console.log(
        first === undefined
          ? `NOT CAUGHT          ${name}`
          : `caught by seed ${String(first.seed).padStart(4)} ${name}: ${first.sentence}`,
      );
    }
    console.log(`${PLANTED_IN_SAGAS.length} bugs planted in sagas, ${missed} missed, ${seconds()}`);
    return missed === 0;
  }
  const report = await runSagaSeeds(from, count);
  for (const { seed, sentence } of report.violations.slice(0, 10)) {
    console.log(`seed ${seed}: ${sentence}`);
    console.log(`again: npm run sim -- --sagas --seed ${seed} --seeds 1`);
  }
  const { runs, requests, deaths, commands, stuck, statuses, violations } = report;
  const ends = Object.entries(statuses).map(([status, times]) => `${times} ${status}`);
  console.log(
    `${runs} sagas, ${requests} requests, ${deaths} deaths, ${commands} commands, ${stuck} were stuck; ` +
      `${ends.join(", ")}; ${violations.length} violations, ${seconds()}`,
  );
  return violations.length === 0;
}
