/** `npm run bench`: measures the router on this machine; bench/README.md says how. */
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments, readCount, refuse } from "../src/local/arguments.ts";
import { ROOT } from "../src/local/paths.ts";
import { createGround, type Ground } from "./ground.ts";
import { machine, type Strain, watchStrain } from "./measure/machine.ts";
import type { Options, Report } from "./part.ts";
import { measureCost } from "./parts/cost.ts";
import { measureDelivery } from "./parts/delivery.ts";
import { measureIngest } from "./parts/ingest.ts";
import { measureAdaptive } from "./parts/isolation/adaptive.ts";
import { measureBadTargets } from "./parts/isolation/bad-targets.ts";
import { measureNoisyTenant } from "./parts/isolation/noisy-tenant.ts";
import { measureOneTarget } from "./parts/isolation/one-target.ts";
import { measurePriority } from "./parts/isolation/priority.ts";
import { measureMatch } from "./parts/match.ts";
import { measureSagas } from "./parts/sagas.ts";
import { measureSize } from "./parts/size.ts";
import { measureStages } from "./parts/stages.ts";

const PARTS: Readonly<Record<string, (options: Options) => Promise<Report>>> = {
  size: measureSize,
  match: measureMatch,
  stages: measureStages,
  ingest: measureIngest,
  delivery: measureDelivery,
  priority: measurePriority,
  "one-target": measureOneTarget,
  "bad-targets": measureBadTargets,
  "noisy-tenant": measureNoisyTenant,
  adaptive: measureAdaptive,
  cost: measureCost,
  sagas: measureSagas,
};
const USAGE = `npm run bench -- [${Object.keys(PARTS).join(" | ")}] … [--quick] [--rounds N] [--state DIRECTORY]`;
const RESULTS = join(ROOT, "bench/results/latest.json");

const { options, chosen } = readOptions();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const strain = watchStrain();
const startedAt = new Date();
const reports: Record<string, Report> = {};
for (const name of chosen) {
  const report = await PARTS[name]?.(options);
  if (report !== undefined) reports[name] = report;
}
const run = {
  at: startedAt.toISOString(),
  seconds: Math.round((Date.now() - startedAt.getTime()) / 1_000),
  quick: options.quick,
  rounds: options.rounds,
  machine: machine(),
  strain: strain(),
  failures: Object.values(reports).flatMap(({ failures }) => failures),
};
print();
save();
process.exit(run.failures.length === 0 ? 0 : 1);

function readOptions(): { options: Options; chosen: readonly string[] } {
  const { values, positionals } = readArguments(USAGE, {
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      state: { type: "string", default: tmpdir() },
    },
  });
  const { quick, state } = values;
  const rounds = readCount(USAGE, "rounds", values.rounds, { usual: quick ? 2 : 6, least: 2 });
  const unknown = positionals.find((name) => PARTS[name] === undefined);
  if (unknown !== undefined) refuse(USAGE, `There is no part "${unknown}".`);
  let made: Promise<Ground> | null = null;
  const ground = (): Promise<Ground> => {
    made ??= createGround(state);
    return made;
  };
  return {
    options: { quick, rounds, ground },
    chosen: positionals.length === 0 ? Object.keys(PARTS) : positionals,
  };
}

function print(): void {
  const { cpu, cores, memoryGb, system, versions } = run.machine;
  const lines = [
    `Signalbox bench, ${run.at}, took ${run.seconds} s${run.quick ? " (quick)" : ""}`,
    `${cpu}, ${cores} cores, ${memoryGb} GB, ${system}; ${strainText(run.strain)}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  ];
  console.log(lines.join("\n"));
  for (const { title, text } of Object.values(reports)) {
    console.log(`\n## ${title}\n\n${text.join("\n\n")}`);
  }
  for (const failure of run.failures) console.log(`\nFAILED: ${failure}`);
}

function strainText({ loadAverage, stolen }: Strain): string {
  const share = stolen === null ? "" : `, ${(stolen * 100).toFixed(1)} % taken by the host`;
  return `load average ${loadAverage}${share}`;
}

/** A part that was not run keeps no older result: one file, one run. */
function save(): void {
  const data = Object.fromEntries(Object.entries(reports).map(([name, one]) => [name, one.data]));
  mkdirSync(join(RESULTS, ".."), { recursive: true });
  writeFileSync(RESULTS, `${JSON.stringify({ ...run, ...data }, null, 2)}\n`);
}
