/**
 * The router on this machine: the Worker as wrangler builds it, run by Miniflare's API with the bindings
 * that wrangler.toml names. `wrangler dev` would do the same through a proxy, at a multiple of the cost.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { RECOVER_CRON } from "../flows/sweep.ts";
import { boundOf, buildWorker } from "./build.ts";
import { guardEngines } from "./guard.ts";
import { migrate } from "./migrate.ts";
import { ROOT } from "./paths.ts";

/** As often as wrangler.toml's cron; the local engine never fires one by itself. */
const SWEEP_EVERY_MS = 60_000;

export interface EngineOptions {
  /** 0 = any free one. */
  readonly port: number;
  /** Where rows, objects and alarms are kept. */
  readonly stateDirectory: string;
  /** Variables and secrets, on top of wrangler.toml's. */
  readonly vars: Readonly<Record<string, string>>;
  /** A directory that `buildWorker` filled; when absent, one in the state's. */
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

/** Starts the router and answers when it takes requests. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const directory = options.buildDirectory ?? join(options.stateDirectory, "build");
  if (options.buildDirectory === undefined) await buildWorker(directory);
  guardEngines();
  const bound = boundOf(directory);
  await migrate(bound.d1Databases, options.stateDirectory);
  const recover = async () => {
    options.onProcesses?.(childProcesses());
    await runScheduled(miniflare, RECOVER_CRON);
  };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...bound,
      bindings: { ...options.vars },
      name: "signalbox",
      modules: true,
      modulesRoot: directory,
      scriptPath: join(directory, "index.js"),
      rootPath: ROOT,
      host: "127.0.0.1",
      port: 0,
      // Past Miniflare's own Worker before this one, which takes longer than a refusal does.
      unsafeDirectSockets: [{ host: "127.0.0.1", port: options.port }],
      cf: false,
      stripCfConnectingIp: false, // there is none, and headers are not copied for it
      log: new Log(LogLevel.NONE),
      resourcePersistencePath: options.stateDirectory,
      unsafeHandleRuntimeRestart: recover,
      unsafeTriggerHandlers: true,
      ...stdio(options.onLine),
      ...(options.inspector === true ? { inspectorPort: 0, inspectorHost: "127.0.0.1" } : {}),
    } as unknown as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  await miniflare.ready;
  const url = await miniflare.unsafeGetDirectURL();
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
