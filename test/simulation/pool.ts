/** Processes that run seeds, one for each core. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { PLANTED } from "./planted.ts";
import type { Order, Report } from "./worker.ts";

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
/** Promises die young: with more room for them the collector has little to do. */
const NODE_OPTIONS = ["--max-semi-space-size=32", "--no-warnings"];

export interface Total extends Omit<Report, "violations"> {
  readonly violations: Report["violations"][number][];
}

const SEEDS_A_TIME = 200;
/** Every planted bug is caught within so many. */
export const SEEDS_PER_BUG = 2_000;

async function startWorker(planted: readonly string[] = []): Promise<ChildProcess> {
  const child = fork(WORKER, planted, { execArgv: NODE_OPTIONS, execPath: process.execPath });
  await nextMessage(child);
  return child;
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => {
      reject(new Error(`a process of the simulation ended with ${code}`));
    };
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message);
    });
  });
}

async function obey(child: ChildProcess, order: Order): Promise<Report> {
  child.send(order);
  return (await nextMessage(child)) as Report;
}

/** Runs `count` seeds from `fromSeed` on; `onProgress` hears after every part. */
export async function runSeeds(
  fromSeed: number,
  count: number,
  onProgress: (total: Total) => void = () => {},
): Promise<Total> {
  const total = { seeds: 0, steps: 0, events: 0, repeats: 0, cpuMs: 0, violations: [] } as {
    -readonly [Name in keyof Total]: Total[Name];
  };
  let next = fromSeed;
  const end = fromSeed + count;
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      const child = await startWorker();
      try {
        while (next < end) {
          const order = { fromSeed: next, count: Math.min(SEEDS_A_TIME, end - next) };
          next += order.count;
          const report = await obey(child, { ...order, untilFirst: false });
          for (const name of ["seeds", "steps", "events", "repeats", "cpuMs"] as const) {
            total[name] += report[name];
          }
          total.violations.push(...report.violations);
          onProgress(total);
        }
      } finally {
        child.kill();
      }
    }),
  );
  total.violations.sort((a, b) => a.seed - b.seed);
  return total;
}

export interface Hunt {
  readonly name: string;
  /** Null: no seed caught it. */
  readonly caught: Report["violations"][number] | null;
  readonly seeds: number;
}

/** Runs seeds with each planted bug until one catches it. */
export async function huntPlanted(
  names: readonly string[] = PLANTED.map(({ name }) => name),
  onHunted: (hunt: Hunt) => void = () => {},
): Promise<Hunt[]> {
  const waiting = [...names];
  const hunts: Hunt[] = [];
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const child = await startWorker([name]);
        try {
          const order = { fromSeed: 1, count: SEEDS_PER_BUG, untilFirst: true };
          const { violations, seeds } = await obey(child, order);
          const hunt = { name, caught: violations[0] ?? null, seeds };
          hunts.push(hunt);
          onHunted(hunt);
        } finally {
          child.kill();
        }
      }
    }),
  );
  return hunts;
}
