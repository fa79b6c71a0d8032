/** `npm run sim`: seeds of the simulation, or the bugs it must catch. README.md beside this says more. */
import { cpus } from "node:os";
import { readArguments, readCount } from "../../src/local/arguments.ts";
import { type Hunt, huntPlanted, runSeeds } from "./pool.ts";
import { type Outcome, run, START_MS } from "./run.ts";

const SEEDS_DEFAULT = 6_000;
const LINES_SHOWN = 30;

const USAGE =
  "npm run sim -- [--sagas | --gates | --orders] [--seed N] [--seeds M] [--trace] [--planted]";

const { values } = readArguments(USAGE, {
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    planted: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    sagas: { type: "boolean", default: false },
    gates: { type: "boolean", default: false },
    orders: { type: "boolean", default: false },
  },
});
const from = readCount(USAGE, "seed", values.seed, { usual: 1, least: 0 });
const usual = values.trace ? 1 : SEEDS_DEFAULT;
const count = readCount(USAGE, "seeds", values.seeds, { usual, least: 1 });

const startedAtMs = performance.now();
const seconds = (): number => (performance.now() - startedAtMs) / 1_000;
if (values.sagas) {
  const { sagaMain } = await import("./saga-main.ts");
  process.exitCode = (await sagaMain(from, count, values.planted)) ? 0 : 1;
} else if (values.gates) {
  const { gateMain } = await import("./gate-main.ts");
  process.exitCode = (await gateMain(from, count, values.planted)) ? 0 : 1;
} else if (values.orders) {
  const { orderMain } = await import("./order-main.ts");
  process.exitCode = (await orderMain(from, count, values.planted)) ? 0 : 1;
} else if (values.planted) await catchPlanted();
else if (values.trace) await show(from, Number.POSITIVE_INFINITY);
else await search();

async function search(): Promise<void> {
  let saidAt = 0;
  const total = await runSeeds(from, count, ({ seeds, violations }) => {
    if (seconds() - saidAt < 5) return;
    saidAt = seconds();
    console.error(`${seeds} of ${count} seeds, ${violations.length} violations`);
  });
  const [first] = total.violations;
  if (first !== undefined) await show(first.seed, LINES_SHOWN);
  for (const { seed, sentence } of total.violations.slice(1, 10)) {
    console.log(`seed ${seed}: ${sentence}`);
  }
  const rate = Math.round(total.seeds / seconds());
  const perCore = Math.round((total.seeds / total.cpuMs) * 1_000);
  console.log(
    `${total.seeds} seeds, ${total.steps} steps, ${total.events} events, ${total.repeats} repeats, ` +
      `${total.violations.length} violations, ${rate} seeds/s (${perCore} per second of a core), ` +
      `${Math.round(seconds())} s, ${machine()}`,
  );
  process.exitCode = first === undefined ? 0 : 1;
}

async function catchPlanted(): Promise<void> {
  const say = ({ name, caught }: Hunt): void =>
    console.log(
      caught === null
        ? `NOT CAUGHT          ${name}`
        : `caught by seed ${String(caught.seed).padStart(4)} ${name}: ${caught.sentence}`,
    );
  const hunts = await huntPlanted(undefined, say);
  const missed = hunts.filter(({ caught }) => caught === null).length;
  console.log(
    `${hunts.length} planted bugs, ${hunts.length - missed} caught, ${missed} missed, ` +
      `${Math.round(seconds())} s, ${machine()}`,
  );
  process.exitCode = missed === 0 ? 0 : 1;
}

/** Runs a seed once more and prints what led to its violation. */
async function show(seed: number, most: number): Promise<void> {
  const outcome = await run(seed, true);
  const { violation, hash, weather } = outcome;
  console.log(`seed ${seed}: ${violation?.sentence ?? "no violation"} (trace ${hash})`);
  console.log(`weather: ${JSON.stringify(weather)}`);
  for (const { atMs, who, what, detail } of relevant(outcome).slice(-most)) {
    const at = ((atMs - START_MS) / 1_000).toFixed(3).padStart(9);
    console.log(`${at} s  ${who.padEnd(11)} ${what} ${detail}`);
  }
  console.log(`again: npm run sim -- --seed ${seed} --trace`);
}

/** Lines about the violation's event or the batches it was in, and everything that dies or stands still. */
function relevant({ lines, violation }: Outcome): Outcome["lines"] {
  const event = violation?.event?.slice(-6);
  if (event === undefined || values.trace) return lines;
  const batches = new Set(
    lines.flatMap(({ who, detail }) => (detail.includes(event) ? [who] : [])),
  );
  return lines.filter(
    ({ who, what, detail }) =>
      detail.includes(event) ||
      (batches.has(who) && who.startsWith("batch")) ||
      /dies|stands|restarts|jumps/.test(what),
  );
}

function machine(): string {
  const all = cpus();
  return `${all.length} cores ${all[0]?.model ?? ""}, Node ${process.versions.node}`;
}
