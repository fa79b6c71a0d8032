/**
 * `npm run crash`: the router killed again and again under load, with an account of every event; with `--sagas` of
 * every saga, with `--fan-out` of every element of a list. Ends with status 1 when anything was lost, damaged,
 * repeated too often or late.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments, readCount } from "../../src/local/arguments.ts";
import { buildWorker } from "../../src/local/build.ts";
import { crash } from "./crash.ts";
import { crashFanOut } from "./fan-outs/crash.ts";
import type { FanOutCrashOptions } from "./fan-outs/plan.ts";
import { fanOutReport } from "./fan-outs/report.ts";
import type { CrashOptions } from "./plan.ts";
import { report } from "./report.ts";
import { crashSagas } from "./sagas/crash.ts";
import type { SagaCrashOptions } from "./sagas/plan.ts";
import { sagaReport } from "./sagas/report.ts";

const DEFAULTS: CrashOptions = { seed: 1, events: 20_000, seconds: 720, kills: 100, pauses: 30 };
const SAGA_DEFAULTS: SagaCrashOptions = { seed: 1, instances: 600, kills: 120 };
const FAN_OUT_DEFAULTS: FanOutCrashOptions = { seed: 1, elements: 10_000, kills: 3 };
const USAGE = `npm run crash -- [--seed N] [--events N] [--seconds N] [--kills N] [--pauses N]
npm run crash -- --sagas [--seed N] [--instances N] [--kills N]
npm run crash -- --fan-out [--seed N] [--elements N] [--kills N]`;
const LIMITS = { repeatsPerKillMax: 2 };

const buildDirectory = mkdtempSync(join(tmpdir(), "signalbox-build-"));
// The router's processes notice by themselves that this one is gone, and end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(1));
}
process.on("exit", () => rmSync(buildDirectory, { recursive: true, force: true }));
const say = (line: string): void => console.error(line);
const has = (flag: string): boolean => process.argv.includes(flag);
const failures = await (has("--sagas") ? runSagas() : has("--fan-out") ? runFanOut() : runEvents());
process.exit(failures.length === 0 ? 0 : 1);

async function runEvents(): Promise<readonly string[]> {
  const options = optionsOf(DEFAULTS);
  await buildWorker(buildDirectory);
  const outcome = await crash(options, LIMITS, buildDirectory, say);
  console.log(`\n${report(outcome, new Date())}`);
  return outcome.failures;
}

async function runSagas(): Promise<readonly string[]> {
  const options = optionsOf(SAGA_DEFAULTS);
  await buildWorker(buildDirectory);
  const outcome = await crashSagas(options, buildDirectory, say);
  console.log(`\n${sagaReport(outcome, new Date())}`);
  return outcome.failures;
}

async function runFanOut(): Promise<readonly string[]> {
  const options = optionsOf(FAN_OUT_DEFAULTS);
  await buildWorker(buildDirectory);
  const outcome = await crashFanOut(options, buildDirectory, say);
  console.log(`\n${fanOutReport(outcome, new Date())}`);
  return outcome.failures;
}

function optionsOf<Options extends object>(defaults: Options): Options {
  const entries = Object.entries(defaults) as [string, number][];
  const { values } = readArguments(USAGE, {
    options: {
      ...Object.fromEntries(entries.map(([name]) => [name, { type: "string" as const }])),
      sagas: { type: "boolean" },
      "fan-out": { type: "boolean" },
    },
  });
  const given = new Map(Object.entries(values));
  return Object.fromEntries(
    entries.map(([name, usual]) => [
      name,
      readCount(USAGE, name, given.get(name)?.toString(), { usual, least: 0 }),
    ]),
  ) as Options;
}
