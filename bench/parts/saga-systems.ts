/** What runs chains of four requests: the router's sagas, and a bare Durable Object; and the participant of both. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { type Admin, createAdmin } from "../../src/local/admin.ts";
import { startEngine } from "../../src/local/engine.ts";
import { ROOT } from "../../src/local/paths.ts";
import type { Ground, Scratch } from "../ground.ts";
import { nowMs } from "../load/job.ts";
import { cpuMsOf, workerdPids } from "../measure/workerd.ts";

export const STEPS = ["a", "b", "c", "d"] as const;
/** The same steps and as many again: what a step more costs is what lies between them. */
export const MORE_STEPS = [...STEPS, "e", "f", "g", "h"] as const;
const DRAIN_MS_MAX = 120_000;

/** When each request of an instance came, and when it was answered. */
export interface Trail {
  readonly cameMs: number[];
  readonly answeredMs: number[];
}

export interface Participant {
  readonly url: string;
  readonly trails: Map<string, Trail>;
  /** Resolves when each of them has had all its requests. */
  ended(ids: readonly string[], steps?: number): Promise<void>;
  stop(): void;
}

/** Answers at once, so that nothing but the engines' own time is seen. */
export async function startParticipant(): Promise<Participant> {
  const trails = new Map<string, Trail>();
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const id = String(request.headers["signalbox-saga"]);
      const trail = trails.get(id) ?? { cameMs: [], answeredMs: [] };
      trails.set(id, trail);
      trail.cameMs.push(nowMs());
      response.setHeader("content-type", "application/json");
      response.end('{"id":1}');
      trail.answeredMs.push(nowMs());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ url: `http://127.0.0.1:${port}`, trails },
    async ended(ids, steps = STEPS.length) {
      const hasEnded = (id: string): boolean => trails.get(id)?.answeredMs.length === steps;
      const endMs = nowMs() + DRAIN_MS_MAX;
      while (!ids.every(hasEnded)) {
        if (nowMs() > endMs) throw new Error(`not ended within ${DRAIN_MS_MAX} ms`);
        await sleep(5);
      }
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export interface ChainSystem {
  readonly name: string;
  /** Starts an instance, under a key that is new unless it says otherwise; answers its id. */
  start(key: string): Promise<string>;
  /** CPU of its runtime so far; NaN where the system does not tell. */
  cpuMs(): number;
  stop(): Promise<void>;
}

export interface SagaSystem extends ChainSystem {
  readonly admin: Admin;
  /** As `start`, of more steps. */
  startLonger(key: string): Promise<string>;
}

export async function startSagas(ground: Ground, url: string): Promise<SagaSystem> {
  const before = workerdPids();
  const engine = await startEngine({
    ...{ port: 0, stateDirectory: ground.routerState(), buildDirectory: ground.routerBuild },
    ...{ vars: ground.vars, onLine: console.error },
  });
  const pid = [...workerdPids()].find((candidate) => !before.has(candidate));
  const admin = createAdmin(engine.url, ground.vars.ADMIN_TOKEN ?? "");
  const http = (path: string) => ({ http: { url: `${url}/${path}`, body: { id: "$.input.id" } } });
  const stepsOf = (names: readonly string[]) =>
    names.map((name) => ({ name, action: http(name), compensate: http(`un-${name}`) }));
  await admin.put("tenants/bench/sagas/chain", { steps: stepsOf(STEPS) });
  await admin.put("tenants/bench/sagas/longer", { steps: stepsOf(MORE_STEPS) });
  async function start(saga: string, key: string): Promise<string> {
    const path = `tenants/bench/sagas/${saga}/instances`;
    const { status, body } = await admin.post(path, { key, input: { id: key } });
    if (status !== 201 && status !== 200) throw new Error(`a saga was not started: ${status}`);
    return body.id;
  }
  return {
    ...{ name: "sagas", admin, cpuMs: () => cpuMsOf(pid), stop: () => engine.stop() },
    start: (key) => start("chain", key),
    startLonger: (key) => start("longer", key),
  };
}

export async function startChains(scratch: Scratch, url: string): Promise<ChainSystem> {
  const before = workerdPids();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...{ name: "chain", modules: true, compatibilityDate: "2026-10-23" },
      script: readFileSync(join(ROOT, "bench/baseline/chain.js"), "utf8"),
      durableObjects: { CHAIN: { className: "Chain", useSQLite: true } },
      ...{ host: "127.0.0.1", port: 0, cf: false, log: new Log(LogLevel.NONE) },
      resourcePersistencePath: scratch(),
    } as unknown as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  const { origin } = await miniflare.ready;
  const pid = [...workerdPids()].find((candidate) => !before.has(candidate));
  return {
    ...{ name: "bare chain", cpuMs: () => cpuMsOf(pid), stop: () => miniflare.dispose() },
    async start(id) {
      const answer = await fetch(origin, { method: "POST", body: JSON.stringify({ id, url }) });
      if (answer.status !== 201) throw new Error(`a chain was not started: ${answer.status}`);
      await answer.arrayBuffer();
      return id;
    },
  };
}
