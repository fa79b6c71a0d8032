/** Runs seeds of sagas, with a planted bug if one is named, and says what came of them. */

import { plant } from "./planting.ts";
import { PLANTED_IN_SAGAS } from "./saga-planted.ts";

const [from = "1", count = "1", planted] = process.argv.slice(2);
plant(planted, PLANTED_IN_SAGAS);
// Loaded only now, so that the bug is in it.
const { runSaga } = await import("./saga-run.ts");
Error.stackTraceLimit = 0;
const total = { runs: 0, requests: 0, deaths: 0, commands: 0, stuck: 0 };
const statuses: Record<string, number> = {};
const violations: { seed: number; sentence: string }[] = [];
for (let seed = Number(from); seed < Number(from) + Number(count); seed += 1) {
  // Each as it comes, and once more with a process that dies with every transaction.
  for (const isForgetful of [false, true]) {
    const outcome = await runSaga(seed, isForgetful).catch((error: unknown) => String(error));
    total.runs += 1;
    const say = (sentence: string): void => {
      const how = isForgetful ? "dying with every transaction: " : "";
      violations.push({ seed, sentence: `${how}${sentence}` });
    };
    if (typeof outcome === "string") say(outcome);
    else {
      total.requests += outcome.requests;
      total.deaths += outcome.deaths;
      total.commands += outcome.commands;
      if (outcome.wasStuck) total.stuck += 1;
      statuses[outcome.status] = (statuses[outcome.status] ?? 0) + 1;
      if (outcome.violation !== null) say(outcome.violation);
    }
  }
  if (planted !== undefined && violations.length > 0) break;
}
process.send?.({ ...total, statuses, violations });
process.disconnect?.();
