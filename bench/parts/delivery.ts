/** How fast what was accepted is delivered, by priority, and what each event costs in stores and messages. */

import type { Ground } from "../ground.ts";
import { type Generator, startGenerator } from "../load/generator.ts";
import type { Outcome } from "../load/job.ts";
import {
  COUNTER_HEAD,
  type Counters,
  counterCells,
  perEvent,
  readCounters,
} from "../measure/counters.ts";
import { quantile } from "../measure/statistics.ts";
import { figure, table } from "../measure/table.ts";
import { type Options, progress, type Report } from "../part.ts";
import { type Router, startRouter } from "../systems.ts";
import { KINDS } from "../workload.ts";
import { refusals, send } from "./send.ts";

const STEADY_PER_SECOND = 50;

interface Measured {
  readonly outbox: string;
  readonly priority: string;
  /** From the first request to the last delivery. */
  readonly deliveredPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly underLoad: Counters;
  readonly steady: Counters;
}

export async function measureDelivery(options: Options): Promise<Report> {
  const { quick } = options;
  const ground = await options.ground();
  const generator = startGenerator();
  const failures: string[] = [];
  const measured: Measured[] = [];
  try {
    for (const outbox of quick ? (["on-failure"] as const) : (["on-failure", "always"] as const)) {
      const router = await startRouter(
        { name: `outbox ${outbox}`, outbox, consumer: "own" },
        ground,
      );
      try {
        const stage: Stage = { router, ground, generator, failures };
        await load(stage, "normal", quick ? 200 : 600); // warm-up
        for (const priority of KINDS) {
          progress(`delivery: outbox ${outbox}, ${priority}`);
          measured.push({ outbox, priority, ...(await measure(stage, priority, quick)) });
        }
      } finally {
        await router.stop();
      }
    }
  } finally {
    generator.stop();
  }
  return { title: "Delivery", text: textOf(measured), data: { measured }, failures };
}

interface Stage {
  readonly router: Router;
  readonly ground: Ground;
  readonly generator: Generator;
  readonly failures: string[];
}

async function measure(stage: Stage, priority: (typeof KINDS)[number], quick: boolean) {
  const before = await readCounters(stage.router);
  const burst = await load(stage, priority, quick ? 200 : 600);
  const between = await readCounters(stage.router);
  const steady = await load(stage, priority, quick ? 40 : 120, STEADY_PER_SECOND);
  const after = await readCounters(stage.router);
  const { receivedAtMs } = stage.ground;
  const received = burst.accepted.map(({ id }) => receivedAtMs.get(id) ?? Number.NaN);
  const starts = burst.accepted.map(({ answeredAtMs, latencyMs }) => answeredAtMs - latencyMs);
  const elapsedMs = received.reduce(larger) - starts.reduce(smaller);
  // A delivery may arrive before the sender has read its answer.
  const delays = steady.accepted.map(({ id, answeredAtMs }) =>
    Math.max(0, (receivedAtMs.get(id) ?? Number.NaN) - answeredAtMs),
  );
  return {
    deliveredPerSecond: (received.length * 1_000) / elapsedMs,
    p50Ms: quantile(delays, 0.5),
    p99Ms: quantile(delays, 0.99),
    underLoad: perEvent(before, between),
    steady: perEvent(between, after),
  };
}

const larger = (left: number, right: number): number => Math.max(left, right);
const smaller = (left: number, right: number): number => Math.min(left, right);

/** Sends and waits until all is delivered. */
async function load(
  stage: Stage,
  kind: (typeof KINDS)[number],
  requests: number,
  perSecond: number | null = null,
): Promise<Outcome> {
  const { router, generator, failures } = stage;
  const outcome = await send(router, { kind, connections: 32, perSecond, requests }, generator);
  failures.push(...refusals(router.name, outcome));
  await router.delivered(outcome.accepted);
  return outcome;
}

function textOf(measured: readonly Measured[]): string[] {
  const name = ({ outbox, priority }: Measured): string => `${priority}, outbox ${outbox}`;
  return [
    table(
      [
        "accepted to delivered",
        "events/s under load",
        `p50 ms at ${STEADY_PER_SECOND}/s`,
        "p99 ms",
      ],
      measured.map((one) => [
        name(one),
        figure(one.deliveredPerSecond),
        figure(one.p50Ms, 1),
        figure(one.p99Ms, 1),
      ]),
    ),
    "Latency is from the sender's 202 to the receiver; bulk waits up to a second for company, by design.",
    table(
      ["per event, one delivery", ...COUNTER_HEAD],
      measured.flatMap((one) => [
        [`${name(one)}, under load`, ...counterCells(one.underLoad)],
        [`${name(one)}, ${STEADY_PER_SECOND}/s`, ...counterCells(one.steady)],
      ]),
    ),
    "From /admin/counters, which count what an outbox hands to a queue by itself, too.",
  ];
}
