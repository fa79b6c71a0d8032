/**
 * `npm run deploy`: has the queues created, deploys, and applies the migrations by binding. The database and
 * the bucket are provisioned by the deployment itself, since wrangler.toml names no ids.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { unstable_readConfig } from "wrangler";
import { ROOT, WRANGLER } from "./paths.ts";

function wrangler(parameters: readonly string[], stdio: "inherit" | "pipe" = "inherit") {
  const options = { cwd: ROOT, stdio, encoding: "utf8" } as const;
  return spawnSync(process.execPath, [WRANGLER, ...parameters], options);
}

/** Creates the queues that are not there; wrangler deploys to none that does not exist. */
function createQueues(): void {
  const { queues } = unstable_readConfig({ config: join(ROOT, "wrangler.toml") });
  for (const { queue } of queues.consumers ?? []) {
    const { status, stderr, stdout } = wrangler(["queues", "create", queue], "pipe");
    if (status === 0) console.log(`Created queue ${queue}.`);
    else if (!/already (exists|taken)/i.test(`${stdout}${stderr}`)) console.error(stderr);
  }
}

const migrate = ["d1", "migrations", "apply", "DB", "--remote"];
const deploy = ["deploy", ...process.argv.slice(2)];

if (deploy.includes("--dry-run")) process.exit(wrangler(deploy).status ?? 1);
createQueues();
// Migrations only add, so they go first: new code never meets an old schema. Before the very first
// deployment there is no database yet; that deployment provisions it.
wrangler(migrate);
const deployed = wrangler(deploy).status ?? 1;
process.exit(deployed === 0 ? (wrangler(migrate).status ?? 1) : deployed);
