/** Seeds of ordered deliveries, or the bugs that they must catch: `npm run sim -- --orders`. */
import { fileURLToPath } from "node:url";
import { PLANTED_IN_ORDERS } from "./order-planted.ts";
import {
  addedUp,
  huntBugs,
  runOnAllCores,
  runSeeds,
  sayViolations,
  stopwatch,
  type Violation,
} from "./seeds.ts";

const WORKER = fileURLToPath(new URL("order-worker.ts", import.meta.url));
/** Every planted bug is caught within so many. */
export const ORDER_SEEDS_PER_BUG = 300;

export interface OrderSeeds {
  readonly runs: number;
  readonly attempts: number;
  readonly deaths: number;
  readonly waits: number;
  readonly cancelled: number;
  readonly modes: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
}

export const runOrderSeeds = (from: number, count: number, planted?: string): Promise<OrderSeeds> =>
  runSeeds(WORKER, from, count, planted);

/** Prints what came of it; answers whether all is well. */
export async function orderMain(from: number, count: number, isPlanted: boolean): Promise<boolean> {
  if (isPlanted) {
    return huntBugs("orders", PLANTED_IN_ORDERS, (bug) =>
      runOrderSeeds(1, ORDER_SEEDS_PER_BUG, bug),
    );
  }
  const seconds = stopwatch();
  const reports = await runOnAllCores(from, count, runOrderSeeds);
  const violations = reports.flatMap((report) => report.violations);
  sayViolations("orders", violations);
  const sum = (name: "runs" | "attempts" | "deaths" | "waits" | "cancelled"): number =>
    reports.reduce((all, report) => all + report[name], 0);
  const runs = addedUp(reports.map((report) => report.modes));
  const modes = ["fifo", "latest-wins", "drop-older"].map((mode) => `${runs[mode] ?? 0} ${mode}`);
  console.log(
    `${sum("runs")} runs (${modes.join(", ")}), ${sum("attempts")} attempts, ${sum("deaths")} deaths of ` +
      `consumers, ${sum("waits")} waits, ${sum("cancelled")} cancelled; ` +
      `${violations.length} violations, ${seconds()}`,
  );
  return violations.length === 0;
}
