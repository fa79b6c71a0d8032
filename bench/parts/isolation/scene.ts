/** A router with receivers of every kind, and what was sent to it and came. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Ground } from "../../ground.ts";
import { type Generator, startGenerator } from "../../load/generator.ts";
import { nowMs, type Outcome, type Sent } from "../../load/job.ts";
import { type Router, startRouter } from "../../systems.ts";
import { ID_HEADER } from "../../workload.ts";

/** How a receiver answers, by the first segment of the path it is asked at. */
export type Manner = "well" | "slow" | "hangs" | "busy" | "broken" | "drips";

/** What a busy one asks for. */
export const BUSY_SECONDS = 60;
const SLOW_MS = 50;
const DRIP_EVERY_MS = 500;

export interface Came {
  readonly id: string;
  readonly atMs: number;
}

export interface Receivers {
  url(manner: Manner, name: string): string;
  /** When each event first came. */
  readonly firstAtMs: ReadonlyMap<string, number>;
  /** Every attempt, by the name of its receiver. */
  readonly attempts: ReadonlyMap<string, readonly Came[]>;
  /** From now on, of each event whose id begins so, when it first comes; of no others. */
  watch(idPrefix: string, onFirst: () => void): void;
  stop(): void;
}

export async function startReceivers(): Promise<Receivers> {
  const firstAtMs = new Map<string, number>();
  const attempts = new Map<string, Came[]>();
  let watched: { readonly idPrefix: string; readonly onFirst: () => void } | undefined;
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const [, manner = "", name = ""] = (request.url ?? "").split("/");
      const came = { id: String(request.headers[ID_HEADER]), atMs: nowMs() };
      if (!firstAtMs.has(came.id)) {
        firstAtMs.set(came.id, came.atMs);
        if (watched !== undefined && came.id.startsWith(watched.idPrefix)) watched.onFirst();
      }
      const known = attempts.get(name) ?? [];
      known.push(came);
      attempts.set(name, known);
      answer(manner as Manner, response);
    });
  });
  await listening(server);
  const { port } = server.address() as AddressInfo;
  return {
    url: (manner, name) => `http://127.0.0.1:${port}/${manner}/${name}`,
    firstAtMs,
    attempts,
    watch(idPrefix, onFirst) {
      watched = { idPrefix, onFirst };
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const listening = (server: Server): Promise<void> =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

function answer(manner: Manner, response: ServerResponse): void {
  switch (manner) {
    case "well":
      response.end();
      return;
    case "slow":
      setTimeout(() => response.end(), SLOW_MS);
      return;
    case "hangs":
      return;
    case "busy":
      response.writeHead(429, { "retry-after": String(BUSY_SECONDS) }).end();
      return;
    case "broken":
      response.writeHead(500).end();
      return;
    case "drips": {
      const timer = setInterval(() => response.write("."), DRIP_EVERY_MS);
      response.on("close", () => clearInterval(timer));
    }
  }
}

export interface Scene {
  readonly router: Router;
  readonly receivers: Receivers;
  /** Each is a process of its own, so that loads run beside each other. */
  readonly generators: readonly [Generator, Generator];
  stop(): Promise<void>;
}

export async function startScene(name: string, ground: Ground): Promise<Scene> {
  const receivers = await startReceivers();
  const router = await startRouter(
    // Of bad targets it has much to say.
    { name, outbox: "on-failure", consumer: "own", onLine: () => {} },
    ground,
  );
  const generators = [startGenerator(), startGenerator()] as const;
  return {
    router,
    receivers,
    generators,
    async stop() {
      for (const generator of generators) generator.stop();
      await router.stop();
      receivers.stop();
    },
  };
}

/** A tenant with open sources that tell events apart by the load's own header. */
export const OPEN_SOURCE = {
  verify: { scheme: "none" },
  idempotencyKey: { from: "header", name: ID_HEADER },
};

const BODY = JSON.stringify({ order: "ord_7f3a91", amount: 129.9, note: "x".repeat(200) });

interface Paced {
  readonly perSecond: number;
}

/** So many are under way at any time: the next is sent when one has come. */
interface Kept {
  readonly underWay: number;
}

export type Load = (Paced | Kept) & {
  readonly paths: readonly string[];
  readonly seconds: number;
};

let loads = 0;

export function load(scene: Scene, from: Generator, pace: Load): Promise<Outcome> {
  loads += 1;
  const idPrefix = `${process.pid}-${loads}-`;
  const msMax = pace.seconds * 1_000;
  const job = {
    ...{ origin: scene.router.origin, paths: pace.paths, body: BODY },
    ...{ headers: { "content-type": "application/json" }, idHeader: ID_HEADER, idPrefix },
  };
  if ("underWay" in pace) {
    scene.receivers.watch(idPrefix, from.delivered);
    const kept = { connections: pace.underWay, perSecond: null, waitsForDelivery: true };
    return from.run({ ...job, ...kept, requestsMax: Number.POSITIVE_INFINITY, msMax });
  }
  const requestsMax = pace.perSecond * pace.seconds;
  return from.run({
    ...job,
    ...{ connections: 64, perSecond: pace.perSecond, arrivals: "random" },
    ...{ requestsMax, msMax: msMax * 2 },
  });
}

/** Milliseconds from the sender's 202 to the receiver, of each that came; NaN of those that did not. */
export function delays(scene: Scene, accepted: readonly Sent[]): number[] {
  return accepted.map(({ id, answeredAtMs }) =>
    Math.max(0, (scene.receivers.firstAtMs.get(id) ?? Number.NaN) - answeredAtMs),
  );
}

/** Resolves when all of them have come. */
export async function arrived(scene: Scene, accepted: readonly Sent[]): Promise<void> {
  const endMs = nowMs() + ARRIVAL_MS_MAX;
  while (!accepted.every(({ id }) => scene.receivers.firstAtMs.has(id))) {
    if (nowMs() > endMs) {
      const missing = accepted.filter(({ id }) => !scene.receivers.firstAtMs.has(id)).length;
      throw new Error(`${missing} of ${accepted.length} did not come in ${ARRIVAL_MS_MAX} ms.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const ARRIVAL_MS_MAX = 120_000;
