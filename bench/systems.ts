/** What is measured: the router and the baseline, each in a runtime process of its own, on the same engine. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Admin, createAdmin } from "../src/local/admin.ts";
import { startEngine } from "../src/local/engine.ts";
import { type Running, runWorker } from "./engine.ts";
import type { Ground } from "./ground.ts";
import { nowMs, type Sent } from "./load/job.ts";
import { cpuMsOf, workerdPids } from "./measure/workerd.ts";
import { SECRET } from "./workload.ts";

/** Anything that takes the measured webhooks. */
export interface System {
  readonly name: string;
  readonly origin: string;
  /** CPU of its runtime so far; NaN where the system does not tell. */
  cpuMs(): number;
  /** Resolves when all that was accepted, `accepted` last, is consumed to the end. */
  drained(accepted: readonly Sent[]): Promise<void>;
  stop(): Promise<void>;
}

export interface Router extends System {
  readonly admin: Admin;
  /** Resolves when all of `accepted` have come to the receiver. */
  delivered(accepted: readonly Sent[]): Promise<void>;
}

const DRAIN_MS_MAX = 120_000;

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = nowMs() + DRAIN_MS_MAX;
  while (!(await isSo())) {
    if (nowMs() > endMs) throw new Error(`${what} did not drain within ${DRAIN_MS_MAX} ms.`);
    await sleep(25);
  }
}

/** Starts one runtime and answers what its process has used at any later moment. */
async function withCpu<T>(start: () => Promise<T>): Promise<{ started: T; cpuMs(): number }> {
  const before = workerdPids();
  const started = await start();
  const pid = [...workerdPids()].find((candidate) => !before.has(candidate));
  return { started, cpuMs: () => cpuMsOf(pid) };
}

export async function startBaseline(name: string, ground: Ground): Promise<System> {
  const { started, cpuMs } = await withCpu(() =>
    runWorker({
      name: "baseline",
      wranglerToml: "bench/baseline/wrangler.toml",
      script: join(ground.baselineBuild, "worker.js"),
      vars: { SECRET },
      consumer: "own",
    }),
  );
  const consumed = async (): Promise<number> => {
    const response = await fetch(`${started.origin}/consumed`);
    return ((await response.json()) as { consumed: number }).consumed;
  };
  let owed = 0;
  return {
    name,
    origin: started.origin,
    cpuMs,
    drained(accepted) {
      owed += accepted.length;
      return until(async () => (await consumed()) >= owed, name);
    },
    stop: started.stop,
  };
}

export interface RouterOptions {
  readonly name: string;
  readonly outbox: "on-failure" | "always";
  /** "own" = as shipped: claims, delivers and settles. "acker" = the door alone. */
  readonly consumer: "own" | "acker";
  /** What it logs goes to stderr, where nobody else takes it. */
  readonly onLine?: (line: string) => void;
}

export async function startRouter(options: RouterOptions, ground: Ground): Promise<Router> {
  const { name, consumer } = options;
  const { started, cpuMs } = await withCpu(() => runRouter(options, ground));
  const admin = createAdmin(started.origin, ground.vars.ADMIN_TOKEN ?? "");
  const delivered = (accepted: readonly Sent[]): Promise<void> =>
    until(() => accepted.every(({ id }) => ground.receivedAtMs.has(id)), name);
  const isIdle = async (): Promise<boolean> => {
    const { items, outbox } = (await admin.get("queues")).body;
    return outbox?.rows === 0 && items.every((queue: { backlog: number }) => queue.backlog === 0);
  };
  return {
    name,
    origin: started.origin,
    admin,
    cpuMs,
    delivered,
    async drained(accepted) {
      if (consumer === "own") await delivered(accepted);
      await until(isIdle, name);
    },
    stop: started.stop,
  };
}

/** As `npm start` runs it, unless another Worker is to consume its queues. */
async function runRouter(options: RouterOptions, ground: Ground): Promise<Running> {
  const { name, outbox, consumer } = options;
  const vars = { ...ground.vars, OUTBOX: outbox };
  const stateDirectory = ground.routerState();
  if (consumer === "own") {
    const buildDirectory = ground.routerBuild;
    const onLine = options.onLine ?? ((line: string): void => console.error(name, line));
    const engine = await startEngine({ port: 0, stateDirectory, buildDirectory, vars, onLine });
    return { origin: engine.url, stop: () => engine.stop() };
  }
  return runWorker({
    name: "signalbox",
    wranglerToml: "wrangler.toml",
    script: join(ground.routerBuild, "index.js"),
    vars,
    stateDirectory,
    consumer,
  });
}
