/**
 * `npm start`, `npm test` and the rest begin here, on a fresh clone and whatever Node there is: installs
 * what package-lock.json names, then runs the task with the Node that stands there, since wrangler
 * refuses older ones. Plain JavaScript, because an older Node must be able to read it.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const modules = join(root, "node_modules");
const stamp = join(modules, ".signalbox-installed");
const bin = (name) => join(modules, name);

const tasks = {
  start: () => [join(root, "src/local/start.ts")],
  demo: () => [join(root, "src/local/demo.ts")],
  deploy: () => [join(root, "src/local/deploy.ts")],
  sim: () => [join(root, "test/simulation/main.ts")],
  match: () => [join(root, "test/core/pattern/differential/main.ts")],
  bench: () => [join(root, "bench/run.ts")],
  test: () => [join(root, "src/local/check.ts"), "test"],
  check: () => [join(root, "src/local/check.ts"), "check"],
  dev: () => [join(root, "src/local/dev.ts")],
  crash: () => [join(root, "test/crash/run.ts")],
  wrangler: () => [bin("wrangler/bin/wrangler.js")],
  migrations: () => [
    bin("drizzle-kit/bin.cjs"),
    "generate",
    "--config",
    "src/adapters/d1/drizzle.config.ts",
  ],
};

function install() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.error("Installing what package-lock.json names …");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const options = { cwd: root, stdio: ["ignore", "ignore", "inherit"], shell: npm.endsWith("cmd") };
  const { status } = spawnSync(npm, ["ci"], options);
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(stamp, wanted);
}

/** The Node among the dependencies; the one that runs this if it is new enough and there is none. */
function pinnedNode() {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const macArm = process.platform === "darwin" && process.arch === "arm64";
  const file = process.platform === "win32" ? "node.exe" : "node";
  const name = `${macArm ? "node-bin" : "node"}-${platform}-${process.arch}`;
  const pinned = join(modules, name, "bin", file);
  if (existsSync(pinned)) return pinned;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  console.error(`Node ${process.version} is too old for wrangler, and ${name} is not installed.`);
  console.error("Use Node 22.18 or newer, or install without --omit=optional.");
  process.exit(1);
}

const [task = "", ...rest] = process.argv.slice(2);
const command = tasks[task];
if (command === undefined) {
  console.error(`Tasks: ${Object.keys(tasks).join(", ")}.`);
  process.exit(2);
}
install();
const node = pinnedNode();
const quiet = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};
const path = [dirname(node), join(modules, ".bin"), process.env.PATH].join(delimiter);
const child = spawn(node, [...command(), ...rest], {
  cwd: root,
  stdio: ["inherit", "inherit", "inherit", "ipc"],
  env: { ...quiet, ...process.env, PATH: path },
});

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));

// Whoever kills npm, or the shell that npm runs this in, means all of it.
const ancestors = [process.ppid];
if (process.env.npm_lifecycle_event !== undefined) {
  const { stdout } = spawnSync("ps", ["-o", "ppid=", "-p", String(process.ppid)], {
    encoding: "utf8",
  });
  const npm = Number(stdout);
  if (npm > 1) ancestors.push(npm);
}
setInterval(() => {
  if (!ancestors.every(isAlive)) child.kill("SIGTERM");
}, 250).unref();

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
