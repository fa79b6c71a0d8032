/** What a set of noisy measurements says, and whether it says anything at all. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between the two nearest ranks; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const rank = (sorted.length - 1) * share;
  const low = sorted[Math.floor(rank)] ?? Number.NaN;
  const high = sorted[Math.ceil(rank)] ?? Number.NaN;
  return low + (high - low) * (rank - Math.floor(rank));
}

/** For ratios: of two that undo each other it is 1 (Fleming, Wallace 1986). */
export function geometricMean(values: readonly number[]): number {
  const logarithms = values.map((value) => Math.log(value));
  return Math.exp(logarithms.reduce((sum, each) => sum + each, 0) / logarithms.length);
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;

/** What stands for several values. */
type Middle = (values: readonly number[]) => number;

/** 95 % of the middles of resamples lie in it; the same values give the same interval. */
export function bootstrap(values: readonly number[], middle: Middle = median): Interval {
  const random = seededRandom(values.length);
  const middles = Array.from({ length: RESAMPLES }, () =>
    middle(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN)),
  );
  return { low: quantile(middles, 0.025), high: quantile(middles, 0.975) };
}

/** Mulberry32: small, and good enough to choose samples. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Compared {
  /** The middle of the rounds' ratios. */
  readonly ratio: number;
  readonly interval: Interval;
  /** "noise" when the interval holds 1: then nothing was shown. */
  readonly verdict: "better" | "worse" | "noise";
  readonly rounds: number;
}

/** With fewer rounds chance alone often puts all of them on one side. */
const ROUNDS_MIN = 6;

/**
 * Rounds are paired: what disturbs one round disturbs both sides of its ratio. The median heeds no round that went
 * wrong; where all rounds vary much, the geometric mean tells more by as many.
 */
export function compare(
  measured: readonly number[],
  baseline: readonly number[],
  better: "higher" | "lower",
  middle: Middle = median,
): Compared {
  const ratios = measured.map((value, round) => value / (baseline[round] ?? Number.NaN));
  const interval = bootstrap(ratios, middle);
  const enough = ratios.length >= ROUNDS_MIN;
  const above = enough && interval.low > 1;
  const below = enough && interval.high < 1;
  const verdict = above || below ? (above === (better === "higher") ? "better" : "worse") : "noise";
  return { ratio: middle(ratios), interval, verdict, rounds: ratios.length };
}

export type Reached = "met" | "missed" | "open";

/** Against a goal the interval decides too: only when it excludes the goal is it met or missed for sure. */
export function reaches(goal: number, { interval, rounds }: Compared): Reached {
  if (rounds < ROUNDS_MIN) return "open";
  if (interval.low >= goal) return "met";
  return interval.high < goal ? "missed" : "open";
}

/** The same of a goal that must not be passed. */
export function keepsTo(goal: number, { interval, rounds }: Compared): Reached {
  if (rounds < ROUNDS_MIN) return "open";
  if (interval.high <= goal) return "met";
  return interval.low > goal ? "missed" : "open";
}
