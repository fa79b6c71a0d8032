/** Who is woken where not all can be: half of them the most urgent and oldest, half of them in turn. */
export interface ParkedTarget {
  readonly tenant: string;
  readonly target: string;
  /** Of the most urgent of what is parked for it: 0 for critical. */
  readonly rank: number;
  /** When that was received. */
  readonly oldestAtMs: number;
}

/** `turn` counts on from pass to pass: those that are never among the most urgent have theirs. */
export function inTurn(
  found: readonly ParkedTarget[],
  count: number,
  turn: number,
): readonly ParkedTarget[] {
  const sorted = found.toSorted((a, b) => a.rank - b.rank || a.oldestAtMs - b.oldestAtMs);
  return halfInTurn(sorted, count, turn, ({ tenant, target }) => `${tenant}/${target}`);
}

/** Of anything, the most urgent first. */
export function halfInTurn<Each>(
  sorted: readonly Each[],
  count: number,
  turn: number,
  nameOf: (each: Each) => string,
): readonly Each[] {
  if (sorted.length <= count) return sorted;
  const urgent = Math.ceil(count / 2);
  // By name, so that a pass goes on where the last one stopped, whatever is more urgent by now.
  const rest = sorted.slice(urgent).toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const size = count - urgent;
  const from = (turn * size) % rest.length;
  return [...sorted.slice(0, urgent), ...[...rest, ...rest].slice(from, from + size)];
}
