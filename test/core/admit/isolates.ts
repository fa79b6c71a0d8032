/** A tenant's limiter and the isolates that lease from it, on a clock of their own. */
import type { Rate } from "../../../src/core/admit/gcra.ts";
import {
  grantLease,
  type Lease,
  leaseTokensMax,
  NO_LEASE,
  spend,
  tokensToAsk,
} from "../../../src/core/admit/lease.ts";
import { type Admission, admittedAt } from "../../support/windows.ts";

export interface World {
  readonly rate: Rate;
  readonly ttlMs: number;
  /** The longest way from the limiter back to an isolate; the way there takes as long. */
  readonly delayMs: number;
}

export interface Arrival {
  readonly atMs: number;
  readonly isolate: number;
  /** Events that come together: all of them are admitted, or none. */
  readonly count: number;
}

export interface Outcome {
  readonly admitted: Admission[];
  readonly refused: { readonly atMs: number; readonly retryAfterMs: number }[];
  readonly calls: number;
}

interface Isolate {
  lease: Lease;
  used: number;
  waiting: Arrival[];
  asking: boolean;
}

/** Plays the arrivals to their end. An isolate asks once at a time; who comes meanwhile waits. */
export function play(world: World, arrivals: readonly Arrival[]): Outcome {
  const { rate, ttlMs, delayMs } = world;
  const agenda: { atMs: number; run: () => void }[] = [];
  const isolates = new Map<number, Isolate>();
  const outcome = {
    admitted: [] as Admission[],
    refused: [] as Outcome["refused"][number][],
    calls: 0,
  };
  let bucket = 0;
  let nowMs = 0;

  function after(ms: number, run: () => void): void {
    const entry = { atMs: nowMs + ms, run };
    const later = agenda.findIndex(({ atMs }) => atMs > entry.atMs);
    agenda.splice(later === -1 ? agenda.length : later, 0, entry);
  }

  function isolateOf(index: number): Isolate {
    const known = isolates.get(index);
    if (known !== undefined) return known;
    const fresh: Isolate = { lease: { ...NO_LEASE }, used: 0, waiting: [], asking: false };
    isolates.set(index, fresh);
    return fresh;
  }

  /** Whether the arrival could be decided: admitted or refused. */
  function decide(isolate: Isolate, { count }: Arrival): boolean {
    const result = spend(isolate.lease, nowMs, count);
    if (result.kind === "ask") return false;
    isolate.used += count;
    if (result.kind === "spent") {
      outcome.admitted.push(admittedAt(nowMs, count));
    } else outcome.refused.push({ atMs: nowMs, retryAfterMs: result.retryAfterMs });
    return true;
  }

  function serve(isolate: Isolate): void {
    while (isolate.waiting[0] !== undefined && decide(isolate, isolate.waiting[0])) {
      isolate.waiting.shift();
    }
    const first = isolate.waiting[0];
    if (first !== undefined && !isolate.asking) ask(isolate, first.count);
  }

  function ask(isolate: Isolate, needed: number): void {
    isolate.asking = true;
    outcome.calls += 1;
    const waiting = isolate.waiting.reduce((sum, { count }) => sum + count, 0);
    const demand = { needed, waiting, used: isolate.used };
    const wanted = tokensToAsk(demand, leaseTokensMax(rate, ttlMs));
    after(delayMs, () => {
      const grant = grantLease({ rate, needed, wanted }, bucket, nowMs, ttlMs);
      bucket = grant.arrivalMs;
      after(delayMs, () => {
        isolate.lease = {
          tokens: grant.granted,
          expiresAtMs: nowMs + ttlMs,
          deniedUntilMs: grant.granted === 0 ? nowMs + grant.retryAfterMs : 0,
        };
        isolate.used = 0;
        isolate.asking = false;
        serve(isolate);
      });
    });
  }

  for (const arrival of arrivals) {
    const isolate = isolateOf(arrival.isolate);
    after(arrival.atMs, () => {
      isolate.waiting.push(arrival);
      serve(isolate);
    });
  }
  for (let next = agenda.shift(); next !== undefined; next = agenda.shift()) {
    nowMs = next.atMs;
    next.run();
  }
  return outcome;
}
