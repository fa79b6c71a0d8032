/** Runs seeds of ordered deliveries, with a planted bug if one is named, and says what came of them. */
import { PLANTED_IN_ORDERS } from "./order-planted.ts";
import { plant } from "./planting.ts";

const [from = "1", count = "1", planted] = process.argv.slice(2);
plant(planted, PLANTED_IN_ORDERS);
// Loaded only now, so that the bug is in it.
const { runOrder } = await import("./order-run.ts");
Error.stackTraceLimit = 0;
const total = { runs: 0, attempts: 0, deaths: 0, waits: 0, cancelled: 0 };
const modes: Record<string, number> = {};
const violations: { seed: number; sentence: string }[] = [];
for (let seed = Number(from); seed < Number(from) + Number(count); seed += 1) {
  total.runs += 1;
  try {
    const outcome = await runOrder(seed);
    for (const name of ["attempts", "deaths", "waits", "cancelled"] as const) {
      total[name] += outcome[name];
    }
    modes[outcome.mode] = (modes[outcome.mode] ?? 0) + 1;
    const { violation } = outcome;
    if (violation !== null) violations.push({ seed, sentence: `${outcome.mode}: ${violation}` });
  } catch (error) {
    violations.push({ seed, sentence: String(error) });
  }
  if (planted !== undefined && violations.length > 0) break;
}
process.send?.({ ...total, modes, violations });
process.disconnect?.();
