/**
 * How a queue that is late is shared among tenants: whoever has had more than an equal share of it gives way, so
 * that what waits behind is reached. Max-min: what the quiet ones leave is for the others.
 */
import { CONNECTIONS_MAX } from "../limits.ts";
import { FAIR_LATE_MS, FAIR_ON_TIME_MS } from "./limits.ts";

export interface Standing {
  /** Deliveries in hand now, not attempted before. */
  readonly wanted: number;
  /** Lately, with those in hand … */
  readonly seen: number;
  /** … and of them begun, without those in hand. */
  readonly taken: number;
}

/** Late from one bound on, until it has fallen below another one. Null: nothing says how long its messages waited. */
export function isLate(before: boolean, waitedMs: number | null): boolean {
  if (waitedMs === null) return before;
  return waitedMs >= (before ? FAIR_ON_TIME_MS : FAIR_LATE_MS);
}

/**
 * How many deliveries of each tenant a late batch works on; the others give way. `tenants` are all that were seen
 * lately, also those of whom nothing is in hand: their share is what the rest gives up.
 *
 * Everyone may have as much as all would have that are alike (so that a tenant that is alone, or quiet, never gives
 * way), and as many as one round of connections takes go whatever was: those who have had least first.
 */
export function allowances(
  tenants: ReadonlyMap<string, Standing>,
  room: number = CONNECTIONS_MAX,
): Map<string, number> {
  const all = [...tenants.values()];
  const equalShare = Math.floor(sum(all, ({ seen }) => seen) / all.length);
  const present = all.filter(({ wanted }) => wanted > 0);
  const level = Math.max(equalShare, levelOf(present, room));
  const allowed = new Map<string, number>();
  for (const [tenant, standing] of tenants) {
    if (standing.wanted > 0) allowed.set(tenant, upTo(level, standing));
  }
  return allowed;
}

/** What of a tenant is begun when each gets as far as `level`. */
const upTo = (level: number, { wanted, taken }: Standing): number =>
  Math.min(wanted, Math.max(0, level - taken));

/** The least level by which `room` deliveries are begun, or all that there are. */
function levelOf(present: readonly Standing[], room: number): number {
  const enough = Math.min(
    room,
    sum(present, ({ wanted }) => wanted),
  );
  let low = 0;
  let high = Math.max(0, ...present.map(({ wanted, taken }) => wanted + taken));
  while (low < high) {
    const level = Math.floor((low + high) / 2);
    if (sum(present, (each) => upTo(level, each)) >= enough) high = level;
    else low = level + 1;
  }
  return low;
}

const sum = (all: readonly Standing[], of: (each: Standing) => number): number =>
  all.reduce((so, each) => so + of(each), 0);
