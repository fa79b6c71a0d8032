/** `npm test` and `npm run check`: formatter and linter, compiler, then every test. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "./paths.ts";

const module = (path: string): string => join(ROOT, "node_modules", path);
const [task = "test", ...rest] = process.argv.slice(2);

const checks: readonly (readonly [string, readonly string[]])[] = [
  [
    "format and lint",
    [module("@biomejs/biome/bin/biome"), "check", "--config-path=.biome.json", "."],
  ],
  ...[
    "tsconfig.json",
    "src/core/tsconfig.json",
    "src/local/tsconfig.json",
    "test/tsconfig.json",
    "test/adapters/tsconfig.json",
  ].map(
    (project) => [`compile ${project}`, [module("typescript/bin/tsc"), "-p", project]] as const,
  ),
];

/** Answers how it ended, and what it said: they run at once, and their lines would mix. */
async function run(parameters: readonly string[]): Promise<{ status: number; said: string }> {
  const child = spawn(process.execPath, parameters, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[status], ...said] = await Promise.all([
    once(child, "exit"),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { status: status ?? 1, said: said.join("") };
}

const ended = checks.map(([name, parameters]) => ({ name, end: run(parameters) }));
let failed = 0;
for (const { name, end } of ended) {
  const { status, said } = await end;
  process.stdout.write(said);
  if (status === 0) continue;
  console.error(`${name}: failed`);
  failed ||= status;
}
if (failed !== 0) process.exit(failed);
console.log("format, lint and compile: ok");

if (task === "test") {
  const parameters = [
    module("vitest/vitest.mjs"),
    "run",
    "--config",
    "test/vitest.config.ts",
    ...rest,
  ];
  const { status } = spawnSync(process.execPath, parameters, { cwd: ROOT, stdio: "inherit" });
  process.exit(status ?? 1);
}
