/** Builds the Worker for this machine, as a deployment would. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, WRANGLER } from "./paths.ts";

/** What a build is made of, dependencies by what is locked. */
const INPUTS = ["consumers", "durable-objects", "routes", "src"];
const INPUT_FILES = ["package-lock.json", "tsconfig.json", "wrangler.toml"];

/** What a built Worker is bound to: what the engine is told of wrangler.toml. */
export const BOUND = "bound.json";

/** In a second or more, or at once where nothing has changed since. Throws with wrangler's own words. */
export async function buildWorker(directory: string): Promise<void> {
  const stamp = join(directory, "built-of");
  const inputs = digestOf(ROOT);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === inputs) return;
  // A build that is cut off may leave parts of what it made, under a stamp of what was there before.
  rmSync(stamp, { force: true });
  const parameters = [WRANGLER, "deploy", "--dry-run", "--outdir", directory];
  const built = spawnSync(process.execPath, parameters, { cwd: ROOT, encoding: "utf8" });
  if (built.status !== 0)
    throw new Error(`The Worker does not build:\n${built.stdout}${built.stderr}`);
  await keepBound(directory);
  writeFileSync(stamp, inputs);
}

/** Beside a build: wrangler, which reads wrangler.toml, takes longer to load than all else to start. */
export async function keepBound(directory: string): Promise<void> {
  writeFileSync(join(directory, BOUND), JSON.stringify(await readBound()));
}

/** As `keepBound` left it. */
export const boundOf = (directory: string): Bound =>
  JSON.parse(readFileSync(join(directory, BOUND), "utf8")) as Bound;

export interface Bound extends Readonly<Record<string, unknown>> {
  readonly d1Databases?: unknown;
}

async function readBound(): Promise<Bound> {
  // wrangler reads .dev.vars too and says so; the variables of a run come in through its options.
  process.env.WRANGLER_LOG ??= "error";
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, "wrangler.toml"));
  // Rules are for sources, and what runs is built; variables, secrets among them, are each run's own.
  const { modulesRules: _, rootPath: __, bindings: ___, ...bound } = workerOptions;
  return bound;
}

/** Of all that goes into a build of the project at `root`: another one for other names, or other content. */
export function digestOf(root: string): string {
  const digest = createHash("sha256");
  const sources = INPUTS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => join(folder, file)),
  );
  for (const file of [...INPUT_FILES, ...sources.sort()]) {
    const content = readFileSync(join(root, file));
    digest.update(`${file}\n${content.length}\n`).update(content);
  }
  return digest.digest("hex");
}
