/** A reader goes to another time: what was received before counts as done, and what was received since is owed. */
import { SEEK_PAGE, SEEK_PAGES_MAX } from "../core/pull/limits.ts";
import type { GateId } from "../ports/gates.ts";
import type { Pulls, SeekPosition } from "../ports/pulls.ts";

export interface Seek {
  readonly toMs: number;
  /** What is received from then on is not looked at. */
  readonly untilMs: number;
  readonly reason: string;
  /** Where a seek goes on that was not finished; null for a new one. */
  readonly after: SeekPosition | null;
}

export interface Sought {
  readonly skipped: number;
  readonly owed: number;
  /** Null when it is finished. */
  readonly next: SeekPosition | null;
}

/** A bounded part. Done twice it is the same, but for what was acknowledged meanwhile. */
export async function seek(id: GateId, to: Seek, pulls: Pulls): Promise<Sought> {
  const { toMs, untilMs, after } = to;
  const reason = ` to ${new Date(toMs).toISOString()}: ${to.reason}`;
  let skipped = 0;
  for (let found = 1; found > 0; skipped += found) {
    found = await pulls.passOver(id, toMs, reason, SEEK_PAGE);
  }
  let owed = 0;
  let next = after;
  for (let page = 0; page < SEEK_PAGES_MAX && toMs < untilMs; page += 1) {
    const part = await pulls.owe(id, { fromMs: toMs, untilMs }, reason, next, SEEK_PAGE);
    owed += part.owed;
    next = part.next;
    if (next === null) break;
  }
  return { skipped, owed, next: toMs < untilMs ? next : null };
}
