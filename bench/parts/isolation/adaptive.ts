/** A receiver whose capacity changes, with work for more: what adaptive concurrency uses of it beside fixed limits. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Broker, startBroker } from "../../consumers/broker.ts";
import { nowMs } from "../../load/job.ts";
import { figure, table } from "../../measure/table.ts";
import { type Options, progress, type Report } from "../../part.ts";
import { type Router, startRouter } from "../../systems.ts";
import { sendEvents } from "./fill.ts";
import { OPEN_SOURCE } from "./scene.ts";

const CAPACITIES = [50, 10, 80] as const;
const SERVICE_MS = 500;
const GATES = {
  adaptive: { adaptive: true, concurrency: 100 },
  "fixed at 10": { concurrency: 10 },
  "fixed at 50": { concurrency: 50 },
  "fixed at 80": { concurrency: 80 },
} as const;
const USED_MIN = 0.9;
const REFUSED_MAX = 0.02;

export async function measureAdaptive({ quick, ground }: Options): Promise<Report> {
  const phaseMs = quick ? 4_000 : 60_000;
  const { routerConsumers, vars, routerState } = await ground();
  const broker = await startBroker();
  const router = await startRouter(
    { name: "adaptive", outbox: "on-failure", consumer: "own", onLine: () => {} },
    {
      ...(await ground()),
      routerBuild: routerConsumers(),
      vars: { ...vars, BROKER: broker.url },
      routerState,
    },
  );
  broker.serve(router.origin);
  const found: Record<string, Used> = {};
  try {
    for (const [name, gate] of Object.entries(GATES)) {
      progress(`a receiver that can take ${CAPACITIES.join(", then ")}: ${name}`);
      found[name] = await measureOne({ router, broker }, name.replaceAll(" ", "-"), gate, phaseMs);
    }
  } finally {
    await router.stop();
    await broker.stop();
  }
  const { adaptive } = found;
  const rows = Object.entries(found).map(([name, { used, refused, requests }]) => [
    ...[name, ...used.map((share) => percent(share)), percent(mean(used))],
    ...[percent(refused), figure(requests)],
  ]);
  const head = CAPACITIES.map((capacity) => `of ${capacity}`);
  return {
    title: "Adaptive concurrency",
    text: [
      table(["concurrency", ...head, "in all", "refused", "requests"], rows),
      `Each phase ${phaseMs / 1_000} s, ${SERVICE_MS} ms a request, 429 above the capacity; goal: ${percent(USED_MIN)} used, under ${percent(REFUSED_MAX)} refused.`,
    ],
    data: found,
    failures: quick || adaptive === undefined ? [] : failuresOf(adaptive),
  };
}

interface Used {
  /** Of each capacity in its phase. */
  readonly used: readonly number[];
  /** Of all requests. */
  readonly refused: number;
  readonly requests: number;
}

async function measureOne(
  { router, broker }: { readonly router: Router; readonly broker: Broker },
  name: string,
  gate: object,
  phaseMs: number,
): Promise<Used> {
  const receiver = await startReceiver();
  const tenant = `tenants/${name}`;
  await router.admin.put(tenant, {});
  await router.admin.put(`${tenant}/sources/open`, OPEN_SOURCE);
  const target = { kind: "http", url: receiver.url, gate };
  await router.admin.put(`${tenant}/targets/own`, target);
  await router.admin.put(`${tenant}/rules/all`, {
    ...{ pattern: { source: ["open"] }, priority: "normal", targets: ["own"] },
  });
  const mostMs = CAPACITIES.reduce((sum, capacity) => sum + capacity * phaseMs, 0);
  await sendEvents(router, `/in/${name}/open`, Math.ceil((1.2 * mostMs) / SERVICE_MS));
  const { queue_messages: messages } = (await router.admin.get("counters")).body;
  await broker.passed(messages);
  const used = await receiver.measure(phaseMs);
  await router.admin.put(`${tenant}/targets/own`, { ...target, paused: true });
  receiver.stop();
  return { used, ...receiver.counted() };
}

async function startReceiver() {
  let capacity: number = CAPACITIES[0];
  let [inFlight, busyMs, changedAtMs] = [0, 0, nowMs()];
  const counts = { requests: 0, refused: 0 };
  const note = (change: number): void => {
    const atMs = nowMs();
    busyMs += inFlight * (atMs - changedAtMs);
    [inFlight, changedAtMs] = [inFlight + change, atMs];
  };
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      counts.requests += 1;
      if (inFlight >= capacity) {
        counts.refused += 1;
        response.writeHead(429).end();
        return;
      }
      note(1);
      setTimeout(() => {
        note(-1);
        response.end();
      }, SERVICE_MS);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async measure(phaseMs: number): Promise<number[]> {
      const shares: number[] = [];
      for (const next of CAPACITIES) {
        capacity = next;
        note(0);
        const [fromMs, before] = [nowMs(), busyMs];
        await new Promise((resolve) => setTimeout(resolve, phaseMs));
        note(0);
        shares.push((busyMs - before) / (capacity * (nowMs() - fromMs)));
      }
      return shares;
    },
    counted: () => ({ requests: counts.requests, refused: counts.refused / counts.requests }),
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const mean = (shares: readonly number[]): number => {
  const whole = CAPACITIES.reduce((sum, capacity) => sum + capacity, 0);
  return shares.reduce((sum, share, at) => sum + share * (CAPACITIES[at] ?? 0), 0) / whole;
};

const percent = (share: number): string => `${figure(share * 100, 1)} %`;

function failuresOf({ used, refused }: Used): string[] {
  const failures: string[] = [];
  if (mean(used) < USED_MIN) failures.push(`Adaptive used ${percent(mean(used))}.`);
  if (refused >= REFUSED_MAX) failures.push(`Adaptive had ${percent(refused)} refused.`);
  return failures;
}
