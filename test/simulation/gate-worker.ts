/** Runs seeds of gates, with a planted bug if one is named, and says what came of them. */
import { PLANTED_IN_GATES } from "./gate-planted.ts";
import { plant } from "./planting.ts";

/** Every so many seeds the receiver has steps of capacity instead of troubles. */
const CAPACITY_EVERY = 200;
/** The goals are nine tenths and two hundredths; it does better, and less tells of a defect. */
const USED_MIN = 0.945;
const REFUSED_MAX = 0.006;

const [from = "1", count = "1", planted] = process.argv.slice(2);
plant(planted, PLANTED_IN_GATES);
// Loaded only now, so that the bug is in it.
const { runGate } = await import("./gate-run.ts");
const { limited, runCapacity } = await import("./gate-capacity.ts");
Error.stackTraceLimit = 0;
const total = { runs: 0, requests: 0, deaths: 0, openings: 0 };
const refusals: Record<string, number> = {};
const violations: { seed: number; sentence: string }[] = [];
const capacities: { seed: number; used: number; refused: number }[] = [];

function runCapacitySeed(seed: number): void {
  const { used, refused } = runCapacity(seed, limited(100, true));
  capacities.push({ seed, used, refused });
  if (used >= USED_MIN && refused < REFUSED_MAX) return;
  const shares = [used, refused].map((share) => `${(100 * share).toFixed(1)} %`);
  violations.push({ seed, sentence: `${shares[0]} of the capacity used, ${shares[1]} refused` });
}

for (let seed = Number(from); seed < Number(from) + Number(count); seed += 1) {
  total.runs += 1;
  try {
    if (seed % CAPACITY_EVERY === 1) runCapacitySeed(seed);
    const outcome = runGate(seed);
    for (const name of ["requests", "deaths", "openings"] as const) total[name] += outcome[name];
    for (const [reason, times] of Object.entries(outcome.refusals)) {
      refusals[reason] = (refusals[reason] ?? 0) + times;
    }
    if (outcome.violation !== null) violations.push({ seed, sentence: outcome.violation });
  } catch (error) {
    violations.push({ seed, sentence: String(error) });
  }
  if (planted !== undefined && violations.length > 0) break;
}
process.send?.({ ...total, refusals, capacities, violations });
process.disconnect?.();
