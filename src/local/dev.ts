/** `npm run dev`: `wrangler dev` with its own local database migrated, for work on the code. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT, WRANGLER } from "./paths.ts";
import { readOrCreateVars } from "./vars.ts";

readOrCreateVars(join(ROOT, ".dev.vars"));

const migrated = spawnSync(
  process.execPath,
  [WRANGLER, "d1", "migrations", "apply", "DB", "--local"],
  // CI: without a person to ask, it answers its own question with yes.
  { cwd: ROOT, env: { ...process.env, CI: "1" }, stdio: ["ignore", "ignore", "inherit"] },
);
if (migrated.status !== 0) process.exit(migrated.status ?? 1);

const dev = spawn(process.execPath, [WRANGLER, "dev", ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => dev.kill(signal));
dev.on("exit", (code) => process.exit(code ?? 1));
