/**
 * Lets no engine outlive the process that runs it, however that one ends. The engine does not notice that
 * its owner was killed: it would keep its port, and go on writing to a state that the next start opens.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Waits for the end of its input, which comes when its owner has ended and in no other way, then ends the
 * engines that run under its owner's name for them; twice, since one may just be starting.
 */
const WATCH = `
trap '' HUP INT TERM
while read -r _; do :; done
for _ in 1 2; do
  ps -A -ww -o pid=,args= | while read -r pid args; do
    case "$args" in "$1 "*) kill -9 "$pid" ;; esac
  done
  sleep 1
done
rm -f "$1"
rmdir "\${1%/*}"`;

let isGuarded = false;

/**
 * From now on every engine that this process starts ends with it. They run under a path that no other
 * process has, so that the watcher can tell them from all others even if one begins as its owner dies.
 */
export function guardEngines(): void {
  if (isGuarded || process.platform === "win32") return;
  isGuarded = true;
  const miniflare = createRequire(createRequire(import.meta.url).resolve("miniflare"));
  const program: string = process.env.MINIFLARE_WORKERD_PATH ?? miniflare("workerd").default;
  const path = join(mkdtempSync(join(tmpdir(), "signalbox-engine-")), "workerd");
  symlinkSync(program, path);
  process.env.MINIFLARE_WORKERD_PATH = path;
  // In a group of its own: whoever kills the owner's whole group does not mean the watcher.
  const watcher = spawn("sh", ["-c", WATCH, "signalbox-guard", path], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watcher.on("error", (error) => console.error(`No guard for the engine: ${error.message}`));
  watcher.unref();
  const { stdin } = watcher;
  if (stdin !== null && "unref" in stdin) (stdin as { unref(): void }).unref();
}
