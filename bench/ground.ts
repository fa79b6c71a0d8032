/** What the systems of one run share: builds, a router's state with its tenant ready, and a receiver. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createAdmin } from "../src/local/admin.ts";
import { BOUND, keepBound } from "../src/local/build.ts";
import { startEngine } from "../src/local/engine.ts";
import { randomVars } from "../src/local/vars.ts";
import { build } from "./engine.ts";
import { nowMs } from "./load/job.ts";
import { ID_HEADER, prepareTenant } from "./workload.ts";

/** Makes directories of this run's own, each time a new one; they go when the process does. */
export type Scratch = () => string;

export function createScratch(parent: string): Scratch {
  const root = mkdtempSync(join(parent, "signalbox-bench-"));
  // The engines end in an exit handler too, and may still write while they do.
  process.once("exit", () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));
  return () => mkdtempSync(join(root, "d-"));
}

export interface Ground {
  readonly routerBuild: string;
  readonly baselineBuild: string;
  /** The router whose consumers a broker hands batches to. */
  routerConsumers(): string;
  readonly vars: Readonly<Record<string, string>>;
  /** When each delivery came, by the id of its webhook. */
  readonly receivedAtMs: ReadonlyMap<string, number>;
  /** A router's state of its own, with the tenant in it. */
  routerState(): string;
}

export async function createGround(parent: string): Promise<Ground> {
  const scratch = createScratch(parent);
  const receiver = await startReceiver();
  const [routerBuild, baselineBuild] = [scratch(), scratch()];
  build("wrangler.toml", routerBuild);
  await keepBound(routerBuild);
  build("bench/baseline/wrangler.toml", baselineBuild);
  const vars = randomVars();
  const template = scratch();
  const engine = await startEngine({
    port: 0,
    stateDirectory: template,
    buildDirectory: routerBuild,
    vars,
    onLine: console.error,
  });
  await prepareTenant(createAdmin(engine.url, vars.ADMIN_TOKEN ?? ""), receiver.url);
  await engine.stop();
  return {
    routerBuild,
    baselineBuild,
    routerConsumers() {
      const directory = scratch();
      build("wrangler.toml", directory, "bench/consumers/index.ts");
      cpSync(join(routerBuild, BOUND), join(directory, BOUND));
      return directory;
    },
    vars,
    receivedAtMs: receiver.receivedAtMs,
    routerState() {
      const copy = scratch();
      cpSync(template, copy, { recursive: true });
      return copy;
    },
  };
}

/** Answers at once and notes the time, until the process ends. */
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
  return { url: `http://127.0.0.1:${port}/`, receivedAtMs };
}
