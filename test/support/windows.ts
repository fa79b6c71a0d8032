/** The bound on what a limit may admit, checked over every window there is. */

/** Something admitted at a moment that is only known to lie between two times. */
export interface Admission {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
}

export const admittedAt = (ms: number, count = 1): Admission => ({ fromMs: ms, toMs: ms, count });

/**
 * The most by which what was admitted in a window of w seconds exceeds `perSecond` · w, over all
 * windows. Only what surely lies within a window is counted for it, so that no clock can be blamed.
 */
export function mostAboveRate(admissions: readonly Admission[], perSecond: number): number {
  const byEnd = admissions.toSorted((a, b) => a.toMs - b.toMs);
  let most = 0;
  for (const fromMs of new Set(admissions.map((admission) => admission.fromMs))) {
    let sum = 0;
    for (const admission of byEnd) {
      if (admission.fromMs < fromMs) continue;
      sum += admission.count;
      most = Math.max(most, sum - (perSecond * (admission.toMs - fromMs)) / 1_000);
    }
  }
  return most;
}
