/** Runs Workers on the local engine as src/local/engine.ts does, with one more that it does not know. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { ROOT, WRANGLER } from "../src/local/paths.ts";

export interface RunOptions {
  readonly name: string;
  /** Its bindings. */
  readonly wranglerToml: string;
  /** The built module. */
  readonly script: string;
  readonly vars: Readonly<Record<string, string>>;
  /** Absent = in memory. */
  readonly stateDirectory?: string;
  /** Who consumes its queues: itself, or a Worker that only acknowledges. */
  readonly consumer: "own" | "acker";
}

export interface Running {
  readonly origin: string;
  stop(): Promise<void>;
}

/** Builds a Worker as a deployment would; answers what wrangler said. */
export function build(wranglerToml: string, directory: string, ...more: string[]): string {
  const parameters = ["deploy", "--dry-run", "--outdir", directory, "--config", wranglerToml];
  const built = spawnSync(process.execPath, [WRANGLER, ...parameters, ...more], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`${wranglerToml} does not build:\n${built.stderr}`);
  return built.stdout;
}

export async function runWorker(options: RunOptions): Promise<Running> {
  process.env.WRANGLER_LOG ??= "error";
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, options.wranglerToml));
  const { modulesRules: _, queueConsumers, ...bindings } = workerOptions;
  const worker = {
    ...bindings,
    ...(options.consumer === "own" ? { queueConsumers } : {}),
    bindings: { ...options.vars },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    name: options.name,
    modules: true,
    modulesRoot: dirname(options.script),
    scriptPath: options.script,
    rootPath: ROOT,
  };
  const acker = {
    name: "acker",
    modules: true,
    script: readFileSync(join(ROOT, "bench/baseline/acker.js"), "utf8"),
    compatibilityDate: bindings.compatibilityDate,
    durableObjects: { OUTBOX_SHARD: { className: "Outbox", scriptName: options.name } },
    queueConsumers,
  };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: options.consumer === "own" ? [worker] : [worker, acker],
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.NONE),
      ...(options.stateDirectory === undefined
        ? {}
        : { resourcePersistencePath: options.stateDirectory }),
      handleStructuredLogs: ({ message }: { message: string }) => console.error(message),
    } as unknown as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  await miniflare.ready;
  const { origin } = await miniflare.unsafeGetDirectURL(options.name);
  return { origin, stop: () => miniflare.dispose() };
}
