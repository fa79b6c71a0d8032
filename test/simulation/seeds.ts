/** What the simulations of gates and sagas have in common: seeds in a process of its own, and planted bugs. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";

export interface Violation {
  readonly seed: number;
  readonly sentence: string;
}

interface WithViolations {
  readonly violations: readonly Violation[];
}

/** Rejects when the process ends without a report. */
export async function runSeeds<Report>(
  worker: string,
  from: number,
  count: number,
  planted?: string,
): Promise<Report> {
  const parameters = [`${from}`, `${count}`, ...(planted === undefined ? [] : [planted])];
  const child = fork(worker, parameters, { execArgv: ["--no-warnings"] });
  const said = once(child, "message");
  const ended = once(child, "exit").then(([code]): never => {
    throw new Error(`a process of the simulation ended with ${code}`);
  });
  ended.catch(() => {}); // it ends after its report as well
  const [report] = await Promise.race([said, ended]);
  return report as Report;
}

/** Seeds in as many processes as there are cores; answers their reports, those of the first seeds first. */
export async function runOnAllCores<Report>(
  from: number,
  count: number,
  run: (from: number, count: number) => Promise<Report>,
): Promise<Report[]> {
  const parts = Math.min(availableParallelism(), count);
  const startOf = (part: number): number => from + Math.floor((count * part) / parts);
  return Promise.all(
    Array.from({ length: parts }, (_, part) =>
      run(startOf(part), startOf(part + 1) - startOf(part)),
    ),
  );
}

/** How often each name was counted in all of these. */
export function addedUp(
  counts: readonly Readonly<Record<string, number>>[],
): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const [name, times] of counts.flatMap((each) => Object.entries(each))) {
    sums[name] = (sums[name] ?? 0) + times;
  }
  return sums;
}

export function stopwatch(): () => string {
  const startedAtMs = performance.now();
  return () => `${Math.round((performance.now() - startedAtMs) / 1_000)} s`;
}

/** Says of each bug which seed caught it; answers whether all were. */
export async function huntBugs(
  where: string,
  bugs: readonly { readonly name: string }[],
  run: (planted: string) => Promise<WithViolations>,
): Promise<boolean> {
  const seconds = stopwatch();
  let missed = 0;
  for (const { name } of bugs) {
    const [first] = (await run(name)).violations;
    if (first === undefined) missed += 1;
    console.log(
      first === undefined
        ? `NOT CAUGHT          ${name}`
        : `caught by seed ${String(first.seed).padStart(4)} ${name}: ${first.sentence}`,
    );
  }
  console.log(`${bugs.length} bugs planted in ${where}, ${missed} missed, ${seconds()}`);
  return missed === 0;
}

const VIOLATIONS_SHOWN_MAX = 10;

export function sayViolations(where: string, violations: readonly Violation[]): void {
  for (const { seed, sentence } of violations.slice(0, VIOLATIONS_SHOWN_MAX)) {
    console.log(`seed ${seed}: ${sentence}`);
    console.log(`again: npm run sim -- --${where} --seed ${seed} --seeds 1`);
  }
}
