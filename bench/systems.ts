/** What is measured: the router and the baseline, each in a runtime process of its own, on the same engine. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Admin, createAdmin } from "../src/local/admin.ts";
import { startEngine } from "../src/local/engine.ts";
import { randomVars } from "../src/local/vars.ts";
import { build, type Running, runWorker } from "./engine.ts";
import { nowMs } from "./load/job.ts";
import { cpuMsOf, workerdPids } from "./measure/workerd.ts";
import { ID_HEADER, prepareTenant, SECRET } from "./workload.ts";

/** Anything that takes the measured webhooks. */
export interface System {
  readonly name: string;
  readonly origin: string;
  /** CPU of its runtime so far; NaN where the system does not tell. */
  cpuMs(): number;
  /** Resolves when all `accepted` events so far are consumed to the end. */
  drained(accepted: number): Promise<void>;
  stop(): Promise<void>;
}

export interface Router extends System {
  readonly admin: Admin;
  /** When each delivery came, by the id of its webhook. */
  readonly receivedAtMs: ReadonlyMap<string, number>;
  /** Resolves when `accepted` events so far have come to the receiver. */
  delivered(accepted: number): Promise<void>;
}

/** What the systems of one run share. */
export interface Ground {
  readonly routerBuild: string;
  readonly baselineBuild: string;
  /** A new directory for one system's state. */
  state(): string;
  remove(): void;
}

/** Builds both Workers; state is kept under `parent`. */
export function prepareGround(parent: string = tmpdir()): Ground {
  const root = mkdtempSync(join(parent, "signalbox-bench-"));
  const ground = { routerBuild: join(root, "router"), baselineBuild: join(root, "baseline") };
  build("wrangler.toml", ground.routerBuild);
  build("bench/baseline/wrangler.toml", ground.baselineBuild);
  return {
    ...ground,
    state: () => mkdtempSync(join(root, "state-")),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

const DRAIN_MS_MAX = 120_000;

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = nowMs() + DRAIN_MS_MAX;
  while (!(await isSo())) {
    if (nowMs() > endMs) throw new Error(`${what} did not drain within ${DRAIN_MS_MAX} ms`);
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
  return {
    name,
    origin: started.origin,
    cpuMs,
    drained: (accepted) => until(async () => (await consumed()) >= accepted, name),
    stop: started.stop,
  };
}

export interface RouterOptions {
  readonly name: string;
  readonly outbox: "on-failure" | "always";
  /** "own" = as shipped: claims, delivers and settles. "acker" = the door alone. */
  readonly consumer: "own" | "acker";
}

/** A router with the tenant that `prepareTenant` makes, and a receiver that answers at once. */
export async function startRouter(options: RouterOptions, ground: Ground): Promise<Router> {
  const { name, outbox, consumer } = options;
  const receiver = await startReceiver();
  const vars: Record<string, string> = { ...randomVars(), OUTBOX: outbox };
  const token = vars["ADMIN_TOKEN"] ?? "";
  const place = { stateDirectory: ground.state(), vars };
  const shipped = () =>
    startEngine({
      ...place,
      port: 0,
      buildDirectory: ground.routerBuild,
      onLine: (line) => console.error(name, line),
    });
  const first = await withCpu(shipped);
  await prepareTenant(createAdmin(first.started.url, token), receiver.url);
  const { started, cpuMs } =
    consumer === "own"
      ? { started: { origin: first.started.url, stop: first.started.stop }, cpuMs: first.cpuMs }
      : await reopened(first.started.stop, () =>
          runWorker({
            ...place,
            name: "signalbox",
            wranglerToml: "wrangler.toml",
            script: join(ground.routerBuild, "index.js"),
            consumer,
          }),
        );
  const admin = createAdmin(started.origin, token);
  const delivered = (accepted: number): Promise<void> =>
    until(async () => receiver.receivedAtMs.size >= accepted, name);
  const isIdle = async (): Promise<boolean> => {
    const { items, outbox } = (await admin.get("queues")).body;
    return outbox.rows === 0 && items.every((queue: { backlog: number }) => queue.backlog === 0);
  };
  return {
    name,
    origin: started.origin,
    admin,
    receivedAtMs: receiver.receivedAtMs,
    cpuMs,
    delivered,
    async drained(accepted) {
      if (consumer === "own") await delivered(accepted);
      await until(isIdle, name);
    },
    async stop() {
      await started.stop();
      receiver.stop();
    },
  };
}

/** The same state with another consumer; what made it ready ends first. */
async function reopened(
  stop: () => Promise<void>,
  start: () => Promise<Running>,
): Promise<{ started: Running; cpuMs(): number }> {
  await stop();
  return withCpu(start);
}

async function startReceiver() {
  const receivedAtMs = new Map<string, number>();
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      receivedAtMs.set(String(request.headers[ID_HEADER]), nowMs());
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    receivedAtMs,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
