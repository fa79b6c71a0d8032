/**
 * `npm run crash`: the router killed again and again under load, with an account of every event. Ends with
 * status 1 when anything was lost, damaged, repeated too often or late.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildWorker } from "../../src/local/engine.ts";
import { crash } from "./crash.ts";
import type { CrashOptions } from "./plan.ts";
import { report } from "./report.ts";

const DEFAULTS: CrashOptions = { seed: 1, events: 20_000, seconds: 720, kills: 100, pauses: 30 };
const LIMITS = { repeatsPerKillMax: 2 };

const names = Object.keys(DEFAULTS) as (keyof CrashOptions)[];
const { values } = parseArgs({
  options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
});
const options = Object.fromEntries(
  names.map((name) => [name, countOf(name, values[name])]),
) as unknown as CrashOptions;

const buildDirectory = mkdtempSync(join(tmpdir(), "signalbox-build-"));
// The router's processes notice by themselves that this one is gone, and end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(1));
}
process.on("exit", () => rmSync(buildDirectory, { recursive: true, force: true }));
buildWorker(buildDirectory);
const outcome = await crash(options, LIMITS, buildDirectory, (line) => console.error(line));
console.log(`\n${report(outcome, new Date())}`);
process.exit(outcome.failures.length === 0 ? 0 : 1);

function countOf(name: keyof CrashOptions, text: string | undefined): number {
  const count = text === undefined ? DEFAULTS[name] : Number(text);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  console.error(`--${name} is a whole number, such as ${DEFAULTS[name]}.`);
  process.exit(2);
}
