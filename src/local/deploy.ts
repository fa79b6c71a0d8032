/** `npm run deploy`: deploys, has missing resources provisioned, and applies the migrations by binding. */
import { spawnSync } from "node:child_process";
import { ROOT, WRANGLER } from "./engine.ts";

const migrate = ["d1", "migrations", "apply", "DB", "--remote"];

function wrangler(parameters: readonly string[]): number {
  const options = { cwd: ROOT, stdio: "inherit" } as const;
  return spawnSync(process.execPath, [WRANGLER, ...parameters], options).status ?? 1;
}

const dryRun = process.argv.includes("--dry-run");
// Migrations only add, so they go first: new code never meets an old schema. Before the very first
// deployment there is no database yet; that deployment provisions it.
if (!dryRun) wrangler(migrate);
const deployed = wrangler(["deploy", ...process.argv.slice(2)]);
process.exit(deployed !== 0 || dryRun ? deployed : wrangler(migrate));
