/**
 * The router on this machine: the Worker as wrangler builds it, run by Miniflare's API with the bindings
 * that wrangler.toml names. `wrangler dev` would do the same through a proxy, at a multiple of the cost.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { RECOVER_CRON } from "../flows/sweep.ts";
import { guardEngines } from "./guard.ts";
import { ROOT, WRANGLER } from "./paths.ts";

/** As often as wrangler.toml's cron; the local engine never fires one by itself. */
const SWEEP_EVERY_MS = 60_000;

export interface EngineOptions {
  /** 0 = any free one. */
  readonly port: number;
  /** Where rows, objects and alarms are kept. */
  readonly stateDirectory: string;
  /** Variables and secrets, on top of wrangler.toml's. */
  readonly vars: Readonly<Record<string, string>>;
  /** A directory that `buildWorker` filled; built anew when absent. */
  readonly buildDirectory?: string;
  /** Called with the ids of the engine's processes, at the start and when the engine restarts itself. */
  readonly onProcesses?: (pids: readonly number[]) => void;
  /** Called with each line the Worker logs. */
  readonly onLine?: (line: string) => void;
  /** Opens the runtime's inspector at a free port, for those who measure. */
  readonly inspector?: boolean;
}

export interface Engine {
  readonly url: string;
  /** Lets the sweeper do one pass now, as the cron would. */
  sweep(): Promise<void>;
  /** Puts a message into a queue, as it is: what only the router does otherwise. */
  enqueue(binding: string, body: Uint8Array): Promise<void>;
  /** Where debuggers connect, with `inspector` only. */
  inspectorUrl(): Promise<URL>;
  stop(): Promise<void>;
}

/** Builds the Worker as a deployment would, in about a second. Throws with wrangler's own words. */
export function buildWorker(directory: string): void {
  const parameters = [WRANGLER, "deploy", "--dry-run", "--outdir", directory];
  const built = spawnSync(process.execPath, parameters, { cwd: ROOT, encoding: "utf8" });
  if (built.status !== 0)
    throw new Error(`The Worker does not build:\n${built.stdout}${built.stderr}`);
}

/** Starts the router and answers when it takes requests. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const directory = options.buildDirectory ?? join(options.stateDirectory, "build");
  if (options.buildDirectory === undefined) buildWorker(directory);
  // wrangler reads .dev.vars too and says so; the variables of a run come in through its options.
  process.env.WRANGLER_LOG ??= "error";
  guardEngines();
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, "wrangler.toml"));
  const { modulesRules: _, ...bindings } = workerOptions; // for sources; what runs here is built
  await migrate(bindings.d1Databases, options.stateDirectory);
  const recover = async () => {
    options.onProcesses?.(childProcesses());
    await runScheduled(miniflare, RECOVER_CRON);
  };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...bindings,
      // wrangler.toml is the only source of bindings; what .dev.vars adds comes in through `vars`.
      bindings: { ...options.vars },
      name: "signalbox",
      modules: true,
      modulesRoot: directory,
      scriptPath: join(directory, "index.js"),
      rootPath: ROOT,
      host: "127.0.0.1",
      port: options.port,
      cf: false,
      log: new Log(LogLevel.NONE),
      resourcePersistencePath: options.stateDirectory,
      unsafeHandleRuntimeRestart: recover,
      unsafeTriggerHandlers: true,
      ...stdio(options.onLine),
      ...(options.inspector === true ? { inspectorPort: 0, inspectorHost: "127.0.0.1" } : {}),
    } as unknown as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  const url = await miniflare.ready;
  await recover();
  const sweep = () => runScheduled(miniflare, "* * * * *");
  const timer = setInterval(() => void sweep().catch(() => {}), SWEEP_EVERY_MS);
  timer.unref();
  return {
    url: url.origin,
    sweep,
    async enqueue(binding, body) {
      const queue = await miniflare.getQueueProducer(binding);
      await queue.send(body, { contentType: "bytes" });
    },
    inspectorUrl: () => miniflare.getInspectorURL(),
    async stop() {
      clearInterval(timer);
      await miniflare.dispose();
    },
  };
}

/** Ids of the processes this one started. */
function childProcesses(): number[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" });
  return (stdout ?? "").split("\n").flatMap((line) => {
    const [pid, parent, name] = line.trim().split(/\s+/);
    return Number(parent) === process.pid && name?.includes("workerd") ? [Number(pid)] : [];
  });
}

function stdio(onLine: EngineOptions["onLine"]) {
  if (onLine === undefined) return {};
  return {
    handleStructuredLogs: ({ message }: { message: string }) => onLine(message),
  };
}

/**
 * By a request, not through Miniflare's stand-in for the Worker: that one blocks this process until the
 * engine answers, and an engine whose log nobody reads meanwhile stops writing it, and answering.
 */
async function runScheduled(miniflare: Miniflare, cron: string): Promise<void> {
  const url = `http://127.0.0.1/cdn-cgi/local/scheduled?cron=${encodeURIComponent(cron)}`;
  const response = await miniflare.dispatchFetch(url);
  const said = await response.text();
  if (!response.ok) throw new Error(`${cron}: ${response.status} ${said}`);
}

/**
 * Applies the migrations that this state has not seen, in the table wrangler uses for them, before the router
 * takes its port: whoever hears of it finds it ready. A file beside the database says when there is nothing to do.
 */
async function migrate(d1Databases: unknown, stateDirectory: string): Promise<void> {
  const directory = join(ROOT, "migrations");
  const names = readdirSync(directory)
    .filter((file) => file.endsWith(".sql"))
    .sort();
  const stamp = join(stateDirectory, "d1", "migrations-applied");
  const all = `${names.join("\n")}\n`;
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === all) return;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...{ name: "migrations", modules: true, script: "export default {}", d1Databases },
      ...{ host: "127.0.0.1", port: 0, cf: false, log: new Log(LogLevel.NONE) },
      resourcePersistencePath: stateDirectory,
    } as unknown as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  try {
    await applyMigrations(await miniflare.getD1Database("DB"), directory, names);
  } finally {
    await miniflare.dispose();
  }
  writeFileSync(stamp, all);
}

async function applyMigrations(
  db: Awaited<ReturnType<Miniflare["getD1Database"]>>,
  directory: string,
  names: readonly string[],
): Promise<void> {
  await db
    .prepare(
      `CREATE TABLE IF NOT EXISTS d1_migrations (
         id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
         applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`,
    )
    .run();
  const { results } = await db.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map(({ name }) => name));
  for (const name of names) {
    if (applied.has(name)) continue;
    const statements = readFileSync(join(directory, name), "utf8").split(
      "--> statement-breakpoint",
    );
    await db.batch([
      ...statements.filter((sql) => sql.trim() !== "").map((sql) => db.prepare(sql)),
      db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
    ]);
  }
}
