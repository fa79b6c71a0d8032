/** What a saga of four steps takes: how many a second, how long from step to step, what it writes, what it costs. */
import { tmpdir } from "node:os";
import { createScratch } from "../ground.ts";
import { nowMs } from "../load/job.ts";
import { type Counters, readCounters } from "../measure/counters.ts";
import { type Options, progress, type Report } from "../part.ts";
import {
  type ChainSystem,
  MORE_STEPS,
  type Participant,
  type SagaSystem,
  STEPS,
  startChains,
  startParticipant,
  startSagas,
} from "./saga-systems.ts";
import { type SagaUsage, sagasReport } from "./sagas-report.ts";

export interface ChainSample {
  readonly perSecond: number;
  /** From the start's request to the first step's. */
  readonly startMs: readonly number[];
  /** From a step's answer to the next one's request. */
  readonly gapMs: readonly number[];
  readonly cpuMs: number;
}

const CONNECTIONS = 16;

export async function measureSagas(options: Options): Promise<Report> {
  const { quick, rounds } = options;
  const ground = await options.ground();
  const participant = await startParticipant();
  const systems: ChainSystem[] = [];
  try {
    progress("sagas: starting two systems");
    const scratch = createScratch(tmpdir());
    systems.push(await startChains(scratch, participant.url));
    const sagas = await startSagas(ground, participant.url);
    systems.push(sagas);
    const samples = new Map(systems.map((system): [string, ChainSample[]] => [system.name, []]));
    const at = { many: quick ? 20 : 100, alone: quick ? 5 : 25 };
    for (const system of systems) await burst(system, participant, at.many); // warm-up
    for (let pass = 0; pass < rounds; pass += 1) {
      progress(`sagas: pass ${pass + 1} of ${rounds}`);
      for (const system of pass % 2 === 0 ? systems : systems.toReversed()) {
        samples.get(system.name)?.push(await sample(system, participant, at.many, at.alone));
      }
    }
    progress("sagas: what one writes");
    const usage = await usageOf(sagas, participant, at.alone);
    const [chain = [], saga = []] = systems.map(({ name }) => samples.get(name));
    return { title: "Sagas", ...sagasReport(chain, saga, usage), failures: failuresOf(usage) };
  } finally {
    for (const system of systems) await system.stop();
    participant.stop();
  }
}

let keys = 0;
const newKeys = (count: number): string[] =>
  Array.from({ length: count }, () => {
    keys += 1;
    return `k-${keys}`;
  });

/** So many side by side, each connection starting the next when one is answered; answers their ids. */
async function burst(system: ChainSystem, participant: Participant, count: number) {
  const waiting = newKeys(count);
  const ids: string[] = [];
  const connection = async (): Promise<void> => {
    for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
      ids.push(await system.start(key));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  await participant.ended(ids);
  return ids;
}

async function sample(
  system: ChainSystem,
  participant: Participant,
  many: number,
  alone: number,
): Promise<ChainSample> {
  const [fromMs, cpuFromMs] = [nowMs(), system.cpuMs()];
  const ids = await burst(system, participant, many);
  const lastMs = Math.max(...ids.map((id) => participant.trails.get(id)?.answeredMs.at(-1) ?? 0));
  const cpuMs = (system.cpuMs() - cpuFromMs) / many;
  const startMs: number[] = [];
  const gapMs: number[] = [];
  for (const key of newKeys(alone)) {
    const askedMs = nowMs();
    const id = await system.start(key);
    await participant.ended([id]);
    const { cameMs = [], answeredMs = [] } = participant.trails.get(id) ?? {};
    startMs.push((cameMs[0] ?? Number.NaN) - askedMs);
    gapMs.push(...cameMs.slice(1).map((ms, at) => ms - (answeredMs[at] ?? Number.NaN)));
  }
  return { perSecond: (many * 1_000) / (lastMs - fromMs), startMs, gapMs, cpuMs };
}

async function usageOf(
  sagas: SagaSystem,
  participant: Participant,
  count: number,
): Promise<SagaUsage> {
  const four = await countersOf(sagas, participant, newKeys(count), sagas.start, STEPS.length);
  const eight = await countersOf(
    ...[sagas, participant, newKeys(count), sagas.startLonger, MORE_STEPS.length],
  );
  // What a start takes beside the drive, which runs in the object: one of a saga that has been started.
  const cpuBeforeMs = sagas.cpuMs();
  for (const key of four.keys) await sagas.start(key);
  const startCpuMs = (sagas.cpuMs() - cpuBeforeMs) / count;
  const added = MORE_STEPS.length - STEPS.length;
  const byStep: Counters = Object.fromEntries(
    Object.entries(four.counters).map(([name, value]) => [
      name,
      ((eight.counters[name] ?? Number.NaN) - value) / added,
    ]),
  );
  return { counters: four.counters, byStep, startCpuMs };
}

/** By saga, one after the other: one that takes seconds, on a machine that does too much, sets its alarm once more. */
async function countersOf(
  sagas: SagaSystem,
  participant: Participant,
  keys: readonly string[],
  start: (key: string) => Promise<string>,
  steps: number,
) {
  const before = await readCounters(sagas);
  const ids: string[] = [];
  for (const key of keys) {
    const id = await start(key);
    await participant.ended([id], steps);
    ids.push(id);
  }
  const after = await readCounters(sagas);
  for (const id of ids) {
    const { body } = await sagas.admin.get(`tenants/bench/saga-instances/${id}`);
    if (body.status !== "COMPLETED") throw new Error(`${id} is ${body.status}`);
  }
  const byOne = (name: string): number => ((after[name] ?? 0) - (before[name] ?? 0)) / keys.length;
  const counters: Counters = Object.fromEntries(
    Object.keys(after).map((name) => [name, byOne(name)]),
  );
  return { counters, keys };
}

/** Of four steps, alarms included. */
const ROWS_MAX = 6;

function failuresOf({ counters }: SagaUsage): string[] {
  const rows = counters.durable_object_rows_written ?? Number.NaN;
  return rows <= ROWS_MAX
    ? []
    : [`A saga of four steps writes ${rows} rows, of at most ${ROWS_MAX}.`];
}
