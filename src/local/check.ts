/** `npm test` and `npm run check`: formatter and linter, compiler, then every test. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
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

for (const [name, parameters] of checks) {
  const { status } = spawnSync(process.execPath, parameters, { cwd: ROOT, stdio: "inherit" });
  if (status === 0) continue;
  console.error(`${name}: failed`);
  process.exit(status ?? 1);
}
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
