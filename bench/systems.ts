/** What is measured: the router and the baseline, each in a runtime process of its own, on the same engine. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { type Admin, createAdmin } from "../src/local/admin.ts";
import { buildWorker, startEngine } from "../src/local/engine.ts";
import { ROOT, WRANGLER } from "../src/local/paths.ts";
import { randomVars } from "../src/local/vars.ts";
import { nowMs } from "./load/job.ts";
import { cpuMsOf, workerdPids } from "./measure/workerd.ts";
import { ID_HEADER, otherPattern, RULES, RULES_MATCHING, SECRET } from "./workload.ts";

/** Anything that takes the measured webhooks. */
export interface System {
  readonly name: string;
  readonly origin: string;
  /** CPU of its runtime so far; NaN where the system does not tell. */
  cpuMs(): number;
  /** Resolves when all `count` events that it ever accepted are consumed to the end. */
  drained(count: number): Promise<void>;
  stop(): Promise<void>;
}

export interface RouterSystem extends System {
  readonly admin: Admin;
  /** When each delivery came, by the id of its webhook. */
  readonly receivedAtMs: ReadonlyMap<string, number>;
}

const DRAIN_MS_MAX = 120_000;

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = nowMs() + DRAIN_MS_MAX;
  while (!(await isSo())) {
    if (nowMs() > endMs) throw new Error(`${what}: not within ${DRAIN_MS_MAX} ms`);
    await sleep(20);
  }
}

/** Directories of one run, removed when it ends. */
export function scratch(parent: string = tmpdir()): {
  directory(name: string): string;
  remove(): void;
} {
  const root = mkdtempSync(join(parent, "signalbox-bench-"));
  return {
    directory: (name) => join(root, name),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** The runtime process that `start` brings up. */
async function withPid<T>(start: () => Promise<T>): Promise<{ started: T; pid: string | undefined }> {
  const before = workerdPids();
  const started = await start();
  const pid = [...workerdPids()].find((candidate) => !before.has(candidate));
  return { started, pid };
}

export { buildWorker };

export function buildBaseline(directory: string): void {
  const config = join(ROOT, "bench/baseline/wrangler.toml");
  const built = spawnSync(
    process.execPath,
    [WRANGLER, "deploy", "--dry-run", "--outdir", directory, "--config", config],
    { cwd: ROOT, encoding: "utf8" },
  );
  if (built.status !== 0) throw new Error(`The baseline does not build:\n${built.stderr}`);
}

export async function startBaseline(name: string, buildDirectory: string): Promise<System> {
  const config = join(ROOT, "bench/baseline/wrangler.toml");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  const { modulesRules: _, ...bindings } = workerOptions;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...bindings,
      bindings: { SECRET },
      name: "baseline",
      modules: true,
      modulesRoot: buildDirectory,
      scriptPath: join(buildDirectory, "worker.js"),
      rootPath: ROOT,
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new Log(LogLevel.NONE),
      handleStructuredLogs: ({ message }: { message: string }) => console.error(name, message),
    } as unknown as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  const { started: url, pid } = await withPid(() => miniflare.ready);
  const consumed = async (): Promise<number> =>
    ((await (await fetch(`${url.origin}/consumed`)).json()) as { consumed: number }).consumed;
  return {
    name,
    origin: url.origin,
    cpuMs: () => cpuMsOf(pid),
    drained: (count) => until(async () => (await consumed()) >= count, name),
    stop: () => miniflare.dispose(),
  };
}

export interface RouterOptions {
  readonly name: string;
  readonly outbox: "on-failure" | "always";
  readonly buildDirectory: string;
  readonly stateDirectory: string;
}

/** A router with the tenant `bench`: 100 rules, of which those for the three kinds of orders each want one. */
export async function startRouterSystem(options: RouterOptions): Promise<RouterSystem> {
  const { name, outbox, buildDirectory, stateDirectory } = options;
  const receivedAtMs = new Map<string, number>();
  const receiver = createServer((request, response) => {
    request.resume().on("end", () => {
      receivedAtMs.set(String(request.headers[ID_HEADER]), nowMs());
      response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const { port } = receiver.address() as AddressInfo;
  const vars = { ...randomVars(), OUTBOX: outbox };
  const onLine = (line: string) => console.error(name, line);
  const { started: engine, pid } = await withPid(() =>
    startEngine({ port: 0, stateDirectory, buildDirectory, vars, onLine }),
  );
  const admin = createAdmin(engine.url, vars["ADMIN_TOKEN"] ?? "");
  await prepareTenant(admin, `http://127.0.0.1:${port}/`);
  const outboxRows = async (): Promise<number> => (await admin.get("queues")).body.outbox.rows;
  return {
    name,
    origin: engine.url,
    admin,
    receivedAtMs,
    cpuMs: () => cpuMsOf(pid),
    async drained(count) {
      await until(async () => receivedAtMs.size >= count, name);
      await until(async () => (await outboxRows()) === 0, name);
    },
    async stop() {
      await engine.stop();
      receiver.close();
      receiver.closeAllConnections();
    },
  };
}

export async function prepareTenant(admin: Admin, url: string): Promise<void> {
  await admin.put("tenants/bench", {});
  await admin.put("tenants/bench/sources/github", {
    verify: { scheme: "github", secrets: [SECRET] },
  });
  await admin.put("tenants/bench/targets/sink", { kind: "http", url });
  const priorities = ["critical", "normal", "bulk"] as const;
  for (const priority of priorities) {
    await admin.put(`tenants/bench/rules/orders-${priority}`, {
      pattern: { type: ["order"], data: { kind: [priority], order: { amount: [{ exists: true }] } } },
      priority,
      targets: ["sink"],
    });
  }
  for (let number = priorities.length; number < RULES; number += 1) {
    const rule = { pattern: otherPattern(number), priority: "bulk", targets: ["sink"] };
    await admin.put(`tenants/bench/rules/other-${number}`, rule);
  }
}

export const RULES_STATED = `${RULES_MATCHING} of ${RULES} rules matches, one target`;
