/** Seeds of gates, or the bugs that they must catch: `npm run sim -- --gates`. */
import { fileURLToPath } from "node:url";
import { limited, runCapacity, type Used } from "./gate-capacity.ts";
import { PLANTED_IN_GATES } from "./gate-planted.ts";
import {
  addedUp,
  huntBugs,
  runOnAllCores,
  runSeeds,
  sayViolations,
  stopwatch,
  type Violation,
} from "./seeds.ts";

const WORKER = fileURLToPath(new URL("gate-worker.ts", import.meta.url));
/** Every planted bug is caught within so many. */
export const GATE_SEEDS_PER_BUG = 300;

export interface GateSeeds {
  readonly runs: number;
  readonly requests: number;
  readonly deaths: number;
  readonly openings: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly capacities: readonly { readonly used: number; readonly refused: number }[];
  readonly violations: readonly Violation[];
}

export const runGateSeeds = (from: number, count: number, planted?: string): Promise<GateSeeds> =>
  runSeeds(WORKER, from, count, planted);

/** Limits that do not adapt, in the same run: each is wrong for one of the capacities. */
export const runFixed = (seed: number): readonly (Used & { readonly limit: number })[] =>
  [10, 50, 80].map((limit) => ({ limit, ...runCapacity(seed, limited(limit, false)) }));

/** Prints what came of it; answers whether all is well. */
export async function gateMain(from: number, count: number, isPlanted: boolean): Promise<boolean> {
  if (isPlanted) {
    return huntBugs("gates", PLANTED_IN_GATES, (bug) => runGateSeeds(1, GATE_SEEDS_PER_BUG, bug));
  }
  const seconds = stopwatch();
  const reports = await runOnAllCores(from, count, runGateSeeds);
  const violations = reports.flatMap((report) => report.violations);
  sayViolations("gates", violations);
  const sum = (name: "runs" | "requests" | "deaths" | "openings"): number =>
    reports.reduce((all, report) => all + report[name], 0);
  const refusals = Object.entries(addedUp(reports.map((report) => report.refusals))).sort();
  const told = refusals.map(([reason, times]) => `${times} ${reason}`);
  console.log(
    `${sum("runs")} gates, ${sum("requests")} requests, ${sum("deaths")} deaths of consumers, ` +
      `${sum("openings")} openings of the breaker; refused: ${told.join(", ")}; ` +
      `${violations.length} violations, ${seconds()}`,
  );
  sayCapacities(
    from,
    reports.flatMap(({ capacities }) => capacities),
  );
  return violations.length === 0;
}

function sayCapacities(seed: number, adaptive: GateSeeds["capacities"]): void {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  if (adaptive.length > 0) {
    const used = adaptive.map((each) => each.used);
    const refused = adaptive.map((each) => each.refused);
    console.log(
      `capacity 50, 10, 80 for a minute each, ${adaptive.length} times: adaptive uses ` +
        `${percent(Math.min(...used))} to ${percent(Math.max(...used))} of it, ` +
        `at most ${percent(Math.max(...refused))} is refused`,
    );
  }
  for (const { limit, used, refused } of runFixed(seed)) {
    console.log(`a fixed limit of ${limit} uses ${percent(used)}, ${percent(refused)} is refused`);
  }
}
