/** A batch's lease on one target: when the next attempt may begin, and what is told of those that ended. */
import type { Answer } from "../core/deliver/outcome.ts";
import type { KeyLimit } from "../core/deliver/schedule.ts";
import {
  type GateConfig,
  type GateReport,
  isTrouble,
  leftMs,
  longer,
  NO_WAIT,
  outcomeKind,
} from "../core/gate/index.ts";
import { GATE_AGAIN_MS, GATE_UNREACHABLE_MS } from "../core/gate-limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { GateAnswered } from "../ports/gates.ts";
import { createGateTurns } from "./gate-turns.ts";

export interface HeldLease {
  readonly limit: KeyLimit;
  /** Whether an attempt of this kind may begin; the limit alone does not know of retries. */
  mayBegin(isRetry: boolean): boolean;
  /** As of its turns; null too where the receiver has had too much. */
  beginsInMs(): number | null;
  leave(): void;
  /** What it returns takes the answer, or null when no attempt could be made. */
  begin(isRetry: boolean): (answer: Answer | null) => void;
  /** Why what is left may not pass, and when it is worth asking again. */
  refusal(isRetry: boolean): Refused;
  /** Its gate is to hear of it at once: it is over and nothing is under way, or the receiver dropped something. */
  readonly isNews: boolean;
  /** All that it grants has begun, and its gate may have more for its slots before they rest. */
  readonly isRunningOut: boolean;
  /** Asks for more by `asking`, which is told what became of what has ended; null: its gate was not reached. */
  askMore(asking: (lease: string, said: GateReport) => Promise<GateAnswered | null>): Promise<void>;
  /** What is to be told since the last time; null when nothing was granted, or all is told. */
  report(): GateReport | null;
  /** Its gate may not have heard what was told last: what the rest gave back might have been used. */
  isUnheard(): void;
  /** Resolves when all that began has ended. */
  ended(): Promise<unknown>;
}

export interface Refused {
  readonly reason: string;
  readonly dueInMs: number;
  /** Its gate is to let nothing go for so long: no time, where it knows by itself when there is room. */
  readonly pauseMs: number;
}

/** `told` is null when the gate could not be asked. Clocks differ: what counts is how long from now. */
export function holdLease(
  lease: string,
  told: GateAnswered | null,
  { isAdaptive }: Pick<GateConfig, "isAdaptive">,
  clock: Clock,
): HeldLease {
  const answer = told?.answer ?? null;
  const aheadMs = clock.nowMs() - (told?.nowMs ?? 0);
  let grant = answer?.kind === "granted" ? answer : null;
  let refused = answer?.kind === "refused" ? answer : (grant?.refused ?? null);
  let isAsking = false;
  let isReached = answer !== null;
  /** By the gate's clock. */
  const gateNowMs = () => clock.nowMs() - aheadMs;
  let untold = nothing();
  let retriesBegun = 0;
  const underWay = new Set<Promise<void>>();
  const turns = createGateTurns(() => grant, gateNowMs);
  let blocked = NO_WAIT;
  let isOver = false;
  let [isTold, isHeard] = [false, true];
  let isDropTold = false;

  function note(heard: Answer, durationMs: number): void {
    const kind = outcomeKind(heard);
    untold.outcomes[kind] += 1;
    if (kind === "ok") untold.okMs += durationMs;
    // Too much already: what is left waits for what the gate learns from this.
    if (kind === "dropped") isOver = true;
    if (heard.kind === "response" && isTrouble(kind) && heard.retryAfterMs !== null) {
      blocked = longer(blocked, heard.retryAfterMs, clock.nowMs());
    }
  }

  const mayBegin = (isRetry: boolean): boolean => !isRetry || retriesBegun < (grant?.retries ?? 0);

  function isSpent(): boolean {
    // Who has taken a turn begins in a moment.
    const isIdle = underWay.size === 0 && turns.areUsed && !isAsking;
    return grant !== null && isIdle && (isOver || turns.areOver);
  }

  function report(): GateReport | null {
    if (grant === null || isTold) return null;
    if (!isHeard) {
      // Its slots come back with their time; what the receiver asked of everybody is said.
      isTold = underWay.size === 0;
      return blocked === NO_WAIT ? null : wishOf(leftMs(blocked, clock.nowMs()));
    }
    const { sent, outcomes, okMs } = untold;
    untold = nothing();
    isTold = underWay.size === 0;
    isDropTold = isOver;
    return {
      ...{ lease, sent, isDone: isTold, allowedPerMinute: null },
      outcomes: { ...outcomes, durationMs: outcomes.ok === 0 ? null : okMs / outcomes.ok },
      // Counted from the answer, not from when it is told.
      retryAfterMs: blocked === NO_WAIT ? null : leftMs(blocked, clock.nowMs()),
    };
  }

  return {
    limit: {
      get max() {
        return grant?.slots ?? 0;
      },
      waitMs: () => (isOver ? null : turns.waitMs()),
      take: turns.take,
    },
    mayBegin,
    beginsInMs: () => (isOver ? null : turns.beginsInMs()),
    leave: turns.leave,
    begin(isRetry) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const startedAtMs = clock.nowMs();
      turns.begin();
      if (isRetry) retriesBegun += 1;
      underWay.add(promise);
      return (heard) => {
        if (heard !== null) {
          untold.sent[isRetry ? "retries" : "fresh"] += 1;
          note(heard, clock.nowMs() - startedAtMs);
        }
        underWay.delete(promise);
        resolve();
      };
    },
    refusal(isRetry) {
      const nowMs = clock.nowMs();
      if (!isReached) {
        const [dueInMs, pauseMs] = [GATE_UNREACHABLE_MS, GATE_UNREACHABLE_MS];
        return { reason: "its gate did not answer", dueInMs, pauseMs };
      }
      // A limit that does not go down learns nothing from what was too much.
      const pauseMs = isOver && !isAdaptive ? GATE_AGAIN_MS : 0;
      const blockedMs = leftMs(blocked, nowMs);
      if (blockedMs > 0) return { reason: "gate: retry-after", dueInMs: blockedMs, pauseMs };
      // It may be over before all that it grants has begun: by its time, or by what was dropped.
      const pace = grant?.intervalMs === 0 ? "concurrency" : "rate";
      const isOfRetries = refused?.reason === "retry-budget" && grant !== null;
      const reason = isOfRetries && mayBegin(isRetry) ? pace : (refused?.reason ?? pace);
      const untilMs = refused?.untilMs ?? null;
      const dueInMs = untilMs === null ? GATE_AGAIN_MS : Math.max(0, untilMs - gateNowMs());
      return { reason: `gate: ${reason}`, dueInMs, pauseMs };
    },
    get isNews() {
      return isSpent() || (isOver && !isDropTold);
    },
    get isRunningOut() {
      if (grant === null || isOver || isAsking || !turns.areTaken) return false;
      return grant.intervalMs === 0 && refused?.reason === "concurrency";
    },
    async askMore(asking) {
      const said = report();
      if (grant === null || said === null) return;
      isAsking = true;
      const more = await asking(lease, said);
      isAsking = false;
      if (more === null) [isHeard, isReached] = [false, false];
      refused = more?.answer?.kind === "granted" ? more.answer.refused : (more?.answer ?? null);
      if (more?.answer?.kind !== "granted") return;
      const [count, retries] = [
        grant.count + more.answer.count,
        grant.retries + more.answer.retries,
      ];
      grant = { ...more.answer, count, retries };
    },
    isUnheard() {
      isHeard = false;
    },
    ended: () => Promise.all(underWay),
    report,
  };
}

/** Of no lease: what the receiver asked of everybody. */
export const wishOf = (retryAfterMs: number): GateReport => ({
  ...{ lease: "", sent: { fresh: 0, retries: 0 }, isDone: true, allowedPerMinute: null },
  outcomes: { ok: 0, failed: 0, dropped: 0, timedOut: 0, rejected: 0, durationMs: null },
  retryAfterMs,
});

/** Waits for as long as `inMs` says, and asks it again; false where it says never. */
export async function waitOut(inMs: () => number | null, clock: Clock): Promise<boolean> {
  for (let waitMs = inMs(); waitMs !== 0; waitMs = inMs()) {
    if (waitMs === null) return false;
    await clock.timer(waitMs).elapsed;
  }
  return true;
}

const nothing = () => ({
  sent: { fresh: 0, retries: 0 },
  outcomes: { ok: 0, failed: 0, dropped: 0, timedOut: 0, rejected: 0 },
  okMs: 0,
});
