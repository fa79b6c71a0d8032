/**
 * `npm run deploy`: has the queues created, deploys, applies the migrations by binding, and sets how long the
 * archive keeps what it has. The database and the bucket are provisioned by the deployment itself, since
 * wrangler.toml names no ids.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { unstable_readConfig } from "wrangler";
import { type RetentionRule, retentionOf } from "../core/retention.ts";
import { ROOT, WRANGLER } from "./paths.ts";

function wrangler(parameters: readonly string[], stdio: "inherit" | "pipe" = "inherit") {
  const options = { cwd: ROOT, stdio, encoding: "utf8" } as const;
  return spawnSync(process.execPath, [WRANGLER, ...parameters], options);
}

const config = unstable_readConfig({ config: join(ROOT, "wrangler.toml") });

/** Creates the queues that are not there; wrangler deploys to none that does not exist. */
function createQueues(): void {
  const { queues } = config;
  for (const { queue } of queues.consumers ?? []) {
    const { status, stderr, stdout } = wrangler(["queues", "create", queue], "pipe");
    if (status === 0) console.log(`Created queue ${queue}.`);
    else if (!/already (exists|taken)/i.test(`${stdout}${stderr}`)) console.error(stderr);
  }
}

/** Replaces our own lifecycle rules of the bucket; those of other names stay as they are. */
function keepFor(rules: readonly RetentionRule[]): boolean {
  const buckets: { binding: string; bucket_name?: string }[] = config.r2_buckets;
  const bucket = buckets.find(({ binding }) => binding === "ARCHIVE")?.bucket_name ?? "";
  const lifecycle = ["r2", "bucket", "lifecycle"];
  return rules.every(({ name, prefix, days }) => {
    wrangler([...lifecycle, "remove", bucket, "--name", name], "pipe"); // there is none the first time
    const add = [
      ...lifecycle,
      "add",
      bucket,
      name,
      prefix,
      "--expire-days",
      String(days),
      "--force",
    ];
    return wrangler(add).status === 0;
  });
}

const retention = retentionOf(config.vars);
if (!retention.ok) {
  console.error(`wrangler.toml: ${retention.fault}`);
  process.exit(1);
}

const migrate = ["d1", "migrations", "apply", "DB", "--remote"];
const deploy = ["deploy", ...process.argv.slice(2)];

if (deploy.includes("--dry-run")) process.exit(wrangler(deploy).status ?? 1);
createQueues();
// Migrations only add, so they go first: new code never meets an old schema. Before the very first
// deployment there is no database yet; that deployment provisions it.
wrangler(migrate);
const deployed = wrangler(deploy).status ?? 1;
if (deployed !== 0) process.exit(deployed);
const migrated = wrangler(migrate).status ?? 1;
if (migrated !== 0) process.exit(migrated);
process.exit(keepFor(retention.rules) ? 0 : 1);
