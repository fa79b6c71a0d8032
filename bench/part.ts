/** What every part of the benchmark takes and gives. */
import type { Ground } from "./ground.ts";

export interface Options {
  /** Fewer rounds and shorter ones, to see that it works; its verdicts are mostly "noise". */
  readonly quick: boolean;
  readonly rounds: number;
  /** Made for the first part that asks, shared by the rest. */
  ground(): Promise<Ground>;
}

export interface Report {
  readonly title: string;
  /** Tables and sentences, in order. */
  readonly text: readonly string[];
  readonly data: object;
  /** What must not be: each makes the run fail. */
  readonly failures: readonly string[];
}

/** Says on stderr what goes on, so that stdout is the report alone. */
export const progress = (line: string): void => console.error(`  ${line}`);
