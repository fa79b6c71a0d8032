/** What a set of noisy measurements says, and whether it says anything at all. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

/** Linear between the two nearest ranks; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const rank = (sorted.length - 1) * share;
  const low = sorted[Math.floor(rank)] ?? Number.NaN;
  const high = sorted[Math.ceil(rank)] ?? Number.NaN;
  return low + (high - low) * (rank - Math.floor(rank));
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;

/** 95 % of the medians of resamples lie in it; the same values give the same interval. */
export function bootstrap(values: readonly number[]): Interval {
  const random = seededRandom(values.length);
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN)),
  );
  return { low: quantile(medians, 0.025), high: quantile(medians, 0.975) };
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

/** By the median of the rounds' ratios, which heeds no single round that went wrong. */
export function compare(
  measured: readonly number[],
  baseline: readonly number[],
  better: "higher" | "lower",
): Compared {
  const ratios = ratiosOf(measured, baseline);
  return compared(median(ratios), bootstrap(ratios), ratios.length, better);
}

/**
 * By the geometric mean of the rounds' ratios (Fleming, Wallace 1986), with Student's interval of their logarithms:
 * where all rounds vary much it tells more than the median does, from the same number of rounds.
 */
export function compareMeans(
  measured: readonly number[],
  baseline: readonly number[],
  better: "higher" | "lower",
): Compared {
  const logarithms = ratiosOf(measured, baseline).map(Math.log);
  const count = logarithms.length;
  const mean = sum(logarithms) / count;
  const variance = sum(logarithms.map((each) => (each - mean) ** 2)) / (count - 1);
  const half = studentQuantile(count - 1) * Math.sqrt(variance / count);
  const interval = { low: Math.exp(mean - half), high: Math.exp(mean + half) };
  return compared(Math.exp(mean), interval, count, better);
}

/** 97.5 % of Student's distribution lie below it, by the Cornish-Fisher expansion: to 0.2 % from five degrees on. */
function studentQuantile(degrees: number): number {
  const z = 1.959964;
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  );
}

/** Rounds are paired: what disturbs one round disturbs both sides of its ratio. */
const ratiosOf = (measured: readonly number[], baseline: readonly number[]): number[] =>
  measured.map((value, round) => value / (baseline[round] ?? Number.NaN));

function compared(
  ratio: number,
  interval: Interval,
  rounds: number,
  better: "higher" | "lower",
): Compared {
  const enough = rounds >= ROUNDS_MIN;
  const above = enough && interval.low > 1;
  const below = enough && interval.high < 1;
  const verdict = above || below ? (above === (better === "higher") ? "better" : "worse") : "noise";
  return { ratio, interval, verdict, rounds };
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
