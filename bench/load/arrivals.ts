/** When the requests of a schedule begin. */

/**
 * Evenly apart, or each at a time of its own, as senders that know nothing of each other do (a Poisson process). Two
 * even schedules beside each other keep one distance for as long as they last: each request of the one meets one of
 * the other, or none does.
 */
export type Arrivals = "even" | "random";

/**
 * Milliseconds from the beginning of a span, in order. Of a Poisson process the times of so many arrivals in a span
 * are independent and uniform in it (Ross, Introduction to Probability Models, 5.3).
 */
export function startsOf(
  arrivals: Arrivals,
  count: number,
  spanMs: number,
  random: () => number,
): readonly number[] {
  const shareOf = arrivals === "even" ? (at: number) => at / count : random;
  const starts = Array.from({ length: count }, (_, at) => shareOf(at) * spanMs);
  return starts.sort((one, other) => one - other);
}
