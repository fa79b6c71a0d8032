/** Seeds of sagas, or the bugs that they must catch: `npm run sim -- --sagas`. */
import { fileURLToPath } from "node:url";
import { PLANTED_IN_SAGAS } from "./saga-planted.ts";
import { huntBugs, runSeeds, sayViolations, stopwatch, type Violation } from "./seeds.ts";

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
  readonly violations: readonly Violation[];
}

export const runSagaSeeds = (from: number, count: number, planted?: string): Promise<SagaReport> =>
  runSeeds(WORKER, from, count, planted);

/** Prints what came of it; answers whether all is well. */
export async function sagaMain(from: number, count: number, isPlanted: boolean): Promise<boolean> {
  if (isPlanted) {
    return huntBugs("sagas", PLANTED_IN_SAGAS, (bug) => runSagaSeeds(1, SAGA_SEEDS_PER_BUG, bug));
  }
  const seconds = stopwatch();
  const report = await runSagaSeeds(from, count);
  sayViolations("sagas", report.violations);
  const { runs, requests, deaths, commands, stuck, statuses, violations } = report;
  const ends = Object.entries(statuses).map(([status, times]) => `${times} ${status}`);
  console.log(
    `${runs} sagas, ${requests} requests, ${deaths} deaths, ${commands} commands, ${stuck} were stuck; ` +
      `${ends.join(", ")}; ${violations.length} violations, ${seconds()}`,
  );
  return violations.length === 0;
}
