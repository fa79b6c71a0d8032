/**
 * How many webhooks the router takes, beside a Worker that only verifies and queues them. Every pass
 * measures every system once, back and forth, and compares within the pass: what disturbs the machine
 * for longer than a moment disturbs both sides of a ratio.
 */

import type { Ground } from "../ground.ts";
import { type Generator, startGenerator } from "../load/generator.ts";
import { type Options, progress, type Report } from "../part.ts";
import { type System, startBaseline, startRouter } from "../systems.ts";
import { capacityText, dataOf, latencyText } from "./ingest-report.ts";
import { type Burst, LOAD_CPU_MAX, refusals, send } from "./send.ts";

export interface Contestant {
  readonly system: System;
  /** Events a second it shall take, as a share of the baseline's. */
  readonly goal: number | null;
}

export interface Sample {
  readonly perSecond: number;
  /** Until its last event was consumed, not only accepted. */
  readonly cpuUsPerEvent: number;
  readonly latenciesMs: readonly number[];
}

/** What one pass after another measured. */
export type Samples = ReadonlyMap<Contestant, Sample[]>;

export interface Capacity {
  readonly connections: number;
  readonly samples: Samples;
}

const CONNECTIONS = [16, 64];
/** Well below what the slowest system takes, so that nothing but the answer's own time is seen. */
export const OPEN_LOOP_PER_SECOND = 100;

export async function measureIngest(options: Options): Promise<Report> {
  const { quick, rounds } = options;
  const ground = await options.ground();
  const generator = startGenerator();
  const contestants: Contestant[] = [];
  const failures = new Set<string>();
  const passes = (name: string, count: number, burst: Burst): Promise<Samples> =>
    runPasses(name, count, burst, { contestants, generator, failures });
  try {
    progress("ingest: starting six systems");
    await startAll(contestants, ground);
    const warmUp = {
      kind: "normal",
      connections: 64,
      perSecond: null,
      requests: quick ? 200 : 600,
    } as const;
    await passes("warm-up", quick ? 1 : 3, warmUp);
    const capacities: Capacity[] = [];
    for (const connections of CONNECTIONS) {
      const burst = { ...warmUp, connections };
      const samples = await passes(`${connections} connections`, rounds, burst);
      capacities.push({ connections, samples });
    }
    const steady = { ...warmUp, perSecond: OPEN_LOOP_PER_SECOND, requests: quick ? 40 : 120 };
    const latencies = await passes("open loop", Math.max(2, Math.ceil(rounds / 2)), steady);
    return {
      title: "Ingest",
      text: [...capacities.map(capacityText), ...latencyText(latencies)],
      data: dataOf(capacities, latencies),
      failures: [...failures],
    };
  } finally {
    generator.stop();
    for (const { system } of contestants) await system.stop();
  }
}

/** The first is what the others are compared with. */
async function startAll(contestants: Contestant[], ground: Ground): Promise<void> {
  const add = (system: System, goal: number | null): void =>
    void contestants.push({ system, goal });
  add(await startBaseline("baseline", ground), null);
  add(await startBaseline("baseline again (A/A)", ground), null);
  for (const [outbox, words, goal] of [
    ["on-failure", "outbox on failure", 0.9],
    ["always", "outbox always", 0.75],
  ] as const) {
    add(await startRouter({ name: `door, ${words}`, outbox, consumer: "acker" }, ground), goal);
    add(await startRouter({ name: `whole, ${words}`, outbox, consumer: "own" }, ground), null);
  }
}

interface Scene {
  readonly contestants: readonly Contestant[];
  readonly generator: Generator;
  readonly failures: Set<string>;
}

async function runPasses(
  name: string,
  count: number,
  burst: Burst,
  scene: Scene,
): Promise<Samples> {
  const samples = new Map(
    scene.contestants.map((contestant): [Contestant, Sample[]] => [contestant, []]),
  );
  for (let pass = 0; pass < count; pass += 1) {
    progress(`ingest: ${name}, pass ${pass + 1} of ${count}`);
    const order = pass % 2 === 0 ? scene.contestants : scene.contestants.toReversed();
    for (const contestant of order) {
      samples.get(contestant)?.push(await runBurst(contestant, burst, scene));
    }
  }
  return samples;
}

/** Ends when the system is idle again, so that the next one is measured alone. */
async function runBurst({ system }: Contestant, burst: Burst, scene: Scene): Promise<Sample> {
  const cpuBeforeMs = system.cpuMs();
  const outcome = await send(system, burst, scene.generator);
  await system.drained(outcome.accepted);
  const cpuMs = system.cpuMs() - cpuBeforeMs;
  for (const failure of refusals(system.name, outcome)) scene.failures.add(failure);
  if (outcome.cpuShare > LOAD_CPU_MAX) {
    scene.failures.add(`The load took more than ${LOAD_CPU_MAX} of a core: it measured itself.`);
  }
  return {
    perSecond: (outcome.accepted.length * 1_000) / outcome.elapsedMs,
    cpuUsPerEvent: (cpuMs * 1_000) / outcome.accepted.length,
    latenciesMs: outcome.accepted.map(({ latencyMs }) => latencyMs),
  };
}
