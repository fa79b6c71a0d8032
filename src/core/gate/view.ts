/** What limits a target right now, for those who operate it. */
import { GATE_FORGET_MS, GATE_LEASE_MS_MAX, GATE_QUIET_MS } from "../gate-limits.ts";
import type { Limitation } from "../limitation.ts";
import { PRIORITIES } from "../priority.ts";
import { limitOf } from "./adaptive.ts";
import { parkedCount } from "./backlog.ts";
import { capsOf, hardCaps, heldSlots, sentToday, strictest } from "./caps.ts";
import { intervalMs } from "./pace.ts";
import { limitedSinceMs } from "./refusals.ts";
import type { GateConfig, GateReason, GateState } from "./state.ts";
import { atTime } from "./upkeep.ts";
import { keptFree } from "./urgent.ts";

const SOFT = ["backlog", "concurrency", "rate", "retry-budget", "tenant"] as const;

/** Every reason that keeps deliveries from this target now, or has refused some within the last seconds. */
export function limits(before: GateState, config: GateConfig, nowMs: number): Limitation[] {
  const state = atTime(before, nowMs);
  const hard = hardCaps(state, config, nowMs)
    .filter(({ reason, count }) => count === 0 || reason === "breaker")
    .map(({ reason, untilMs }) => ({
      by: reason,
      sinceMs: hardSinceMs(state, reason, nowMs),
      untilMs,
    }));
  const held = holding(state, config, nowMs);
  const soft = SOFT.flatMap((by) => {
    const sinceMs = limitedSinceMs(state, by, nowMs) ?? (by === held?.by ? held.sinceMs : null);
    // What stood behind others was refused a moment ago, and they are gone.
    const isOver = sinceMs === null || (by === "backlog" && parkedCount(state) === 0);
    return isOver ? [] : [{ by, sinceMs, untilMs: null }];
  });
  return [...hard, ...soft].map((found) => ({
    ...found,
    sinceMs: found.sinceMs ?? nowMs,
    detail: detailOf(state, config, found.by, nowMs),
  }));
}

/** Healthy for ten minutes, nobody waits and nothing is parked: without settings of its own it needs no gate. */
export function isQuiet(before: GateState, config: GateConfig, nowMs: number): boolean {
  const state = atTime(before, nowMs);
  return (
    nowMs >= state.troubleAtMs + GATE_QUIET_MS &&
    state.breaker.phase === "closed" &&
    nowMs >= state.block.untilMs &&
    intervalMs(state, { ...config, perSecond: null }, nowMs) === 0 &&
    parkedCount(state) === 0
  );
}

/** Nobody has asked for a day, nobody holds anything, and nothing waits: a new gate would decide the same. */
export function isForgettable(before: GateState, nowMs: number): boolean {
  const state = atTime(before, nowMs);
  return (
    nowMs >= before.retryTokens.atMs + GATE_FORGET_MS &&
    state.leases.length === 0 &&
    nowMs >= state.block.untilMs &&
    state.batch === undefined &&
    parkedCount(state) === 0
  );
}

function hardSinceMs(state: GateState, reason: GateReason, nowMs: number): number | null {
  const { breaker, block } = state;
  if (reason === "breaker") return breaker.firstOpenedAtMs ?? breaker.sinceMs;
  if (reason === "retry-after") return block.sinceMs;
  return limitedSinceMs(state, reason, nowMs);
}

/** What keeps those that are parked from going all at once: it holds also while nobody asks and is refused. */
function holding(state: GateState, config: GateConfig, nowMs: number) {
  const priority = PRIORITIES.find((name) => state.backlog[name] !== undefined);
  const first = priority === undefined ? undefined : state.backlog[priority];
  if (priority === undefined || first === undefined || first.areRetries === true) return null;
  const want = { fresh: parkedCount(state), retries: 0 };
  const ask = { lease: "", want, priority, isReleased: true, ttlMs: GATE_LEASE_MS_MAX };
  const cap = strictest(capsOf(state, config, ask, nowMs), want);
  return cap === null ? null : { by: cap.reason, sinceMs: first.sinceMs };
}

function detailOf(state: GateState, config: GateConfig, by: GateReason, nowMs: number): string {
  const { breaker, backlog } = state;
  switch (by) {
    case "quota":
      return `${sentToday(state, nowMs)} of ${config.perDay} sent today (UTC)`;
    case "retry-after":
      return "the receiver asked to wait";
    case "breaker":
      return breaker.phase === "open"
        ? `open for the ${breaker.inRow}. time in a row`
        : `${breaker.successes} probes succeeded in a row`;
    case "concurrency": {
      const limit = limitOf(state.adaptive, config.isAdaptive, config.concurrency);
      const kept = keptFree(state, limit, "normal", nowMs);
      const taken = `${heldSlots(state)} of ${limit} slots taken`;
      return kept === 0 ? taken : `${taken}, ${kept} kept free for critical deliveries`;
    }
    case "rate":
      return `a start every ${Math.round(intervalMs(state, config, nowMs))} ms`;
    case "retry-budget":
      return `${Math.floor(state.retryTokens.count)} retries may go`;
    case "tenant":
      return "its tenant has had its share of a queue that is late";
    case "backlog":
      return PRIORITIES.filter((name) => backlog[name] !== undefined)
        .map((name) => `${backlog[name]?.count} ${name}`)
        .join(", ")
        .concat(" parked");
  }
}
