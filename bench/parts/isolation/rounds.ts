/** The same load, alone and beside what may disturb it, round by round. */
import {
  type Compared,
  compareMeans,
  keepsTo,
  median,
  quantile,
  type Reached,
} from "../../measure/statistics.ts";
import { figure } from "../../measure/table.ts";

export interface Rounds {
  /** Milliseconds from accepted to delivered, of each event of each round. */
  readonly alone: (readonly number[])[];
  readonly beside: (readonly number[])[];
}

export type Round = () => Promise<readonly number[]>;

const noRounds = (): { alone: (readonly number[])[]; beside: (readonly number[])[] } => {
  return { alone: [], beside: [] };
};

/** Two rounds of one kind follow each other; between the kinds what disturbs is begun or ended. */
export interface Sides {
  readonly alone: Round;
  readonly beside: Round;
  begin?(): Promise<void>;
  end?(): Promise<void>;
}

/**
 * Pairs of rounds next to each other, as alone, beside, beside, alone and so on: the machine is a quarter faster in
 * some minutes than in others, and within a pair it is the same.
 */
export async function inPairs(
  count: number,
  { alone, beside, begin, end }: Sides,
): Promise<Rounds> {
  const rounds = noRounds();
  for (let at = 0; at < count; at += 1) {
    if (at % 2 === 0) {
      rounds.alone.push(await alone());
      await begin?.();
      rounds.beside.push(await beside());
    } else {
      rounds.beside.push(await beside());
      await end?.();
      rounds.alone.push(await alone());
    }
  }
  if (count % 2 === 1) await end?.();
  return rounds;
}

/**
 * For what cannot be ended at once: half of the rounds alone come before what disturbs and half after, so that what
 * drifts does so on both sides.
 */
export async function inRounds(
  count: number,
  round: Round,
  disturbed: (measure: () => Promise<void>) => Promise<void>,
): Promise<Rounds> {
  const rounds = noRounds();
  const before = Math.floor(count / 2);
  for (let at = 0; at < before; at += 1) rounds.alone.push(await round());
  await disturbed(async () => {
    for (let at = 0; at < count; at += 1) rounds.beside.push(await round());
  });
  for (let at = before; at < count; at += 1) rounds.alone.push(await round());
  return rounds;
}

/** The same round; while it runs others come as well, and of all its runs the median of how many a second is kept. */
export function amongOthers(
  round: Round,
  othersSoFar: () => number,
): { readonly round: Round; othersPerSecond(): number } {
  const rates: number[] = [];
  return {
    async round() {
      const [before, fromMs] = [othersSoFar(), performance.now()];
      const delays = await round();
      rates.push(((othersSoFar() - before) * 1_000) / (performance.now() - fromMs));
      return delays;
    },
    othersPerSecond: () => median(rates),
  };
}

export interface Goal {
  readonly share: 0.5 | 0.99;
  /** The most that it may be of what it is alone. */
  readonly ratioMax: number;
}

/** Of critical events beside others. */
export const URGENT_GOALS: readonly Goal[] = [
  { share: 0.5, ratioMax: 1.1 },
  { share: 0.99, ratioMax: 1.5 },
];

export interface Verdict extends Compared {
  readonly goal: Goal;
  readonly aloneMs: number;
  readonly besideMs: number;
  readonly reached: Reached;
}

export function judge({ alone, beside }: Rounds, goal: Goal): Verdict {
  const at = (rounds: Rounds["alone"]) => rounds.map((delays) => quantile(delays, goal.share));
  const compared = compareMeans(at(beside), at(alone), "lower");
  return {
    ...compared,
    goal,
    aloneMs: quantile(alone.flat(), goal.share),
    besideMs: quantile(beside.flat(), goal.share),
    reached: keepsTo(goal.ratioMax, compared),
  };
}

export const VERDICT_HEAD = ["alone ms", "beside ms", "ratio", "95 %", "goal", ""];

export const verdictCells = (verdict: Verdict): string[] => [
  figure(verdict.aloneMs, 1),
  figure(verdict.besideMs, 1),
  figure(verdict.ratio, 2),
  `${figure(verdict.interval.low, 2)}–${figure(verdict.interval.high, 2)}`,
  `≤ ${verdict.goal.ratioMax}`,
  verdict.reached,
];
