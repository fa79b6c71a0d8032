/** Builds the Worker for this machine, as a deployment would. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, WRANGLER } from "./paths.ts";

/** What a build is made of, dependencies by what is locked. */
const INPUTS = ["consumers", "durable-objects", "routes", "src"];
const INPUT_FILES = ["package-lock.json", "tsconfig.json", "wrangler.toml"];

/** In a second or more, or at once where nothing has changed since. Throws with wrangler's own words. */
export function buildWorker(directory: string): void {
  const stamp = join(directory, "built-of");
  const inputs = digestOf(ROOT);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === inputs) return;
  // A build that is cut off may leave parts of what it made, under a stamp of what was there before.
  rmSync(stamp, { force: true });
  const parameters = [WRANGLER, "deploy", "--dry-run", "--outdir", directory];
  const built = spawnSync(process.execPath, parameters, { cwd: ROOT, encoding: "utf8" });
  if (built.status !== 0)
    throw new Error(`The Worker does not build:\n${built.stdout}${built.stderr}`);
  writeFileSync(stamp, inputs);
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
