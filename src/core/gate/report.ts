/** What became of a lease's deliveries, and what the gate learns from it. */
import { RETRY_TOKENS_MAX } from "../gate-limits.ts";
import { RETRY_AFTER_SECONDS_MAX } from "../limits.ts";
import { adapt, limitOf } from "./adaptive.ts";
import { type Calls, judge } from "./breaker.ts";
import { heldSlots } from "./caps.ts";
import {
  type Counts,
  dayOf,
  type GateConfig,
  type GateLease,
  type GateState,
  totalOf,
} from "./state.ts";
import { atTime } from "./upkeep.ts";

/** Retries are at most this share of fresh deliveries, beside what time gives. */
const RETRY_SHARE = 0.2;
/** The newest report's share in the mean duration. */
const NEWEST_SHARE = 0.2;

export interface Outcomes {
  readonly ok: number;
  /** 408, 425, 5xx other than 503, no connection. */
  readonly failed: number;
  /** 429 and 503: too much for the receiver. */
  readonly dropped: number;
  readonly timedOut: number;
  /** Any other answer: the message is refused, the receiver is well. */
  readonly rejected: number;
  /** Mean duration of those that were ok. */
  readonly durationMs: number | null;
}

export interface GateReport {
  readonly lease: string;
  /** Since the last report. */
  readonly sent: Counts;
  readonly outcomes: Outcomes;
  readonly retryAfterMs: number | null;
  /** WebHook-Allowed-Rate, where it was said; 0 for `*`. */
  readonly allowedPerMinute: number | null;
  /** Nothing of this lease will start any more. */
  readonly isDone: boolean;
}

/**
 * The state after a report; `random` is in [0, 1). A lease that is over is heard for what the receiver asked for.
 * `saidBy` is the config that its holder went by.
 */
export function report(
  before: GateState,
  config: GateConfig,
  said: GateReport,
  nowMs: number,
  random: number,
  saidBy: GateConfig = config,
): GateState {
  const now = atTime(before, nowMs);
  const state = isOfFormerReceiver(now, saidBy) ? now : withWishes(now, said, nowMs);
  const lease = state.leases.find(({ id }) => id === said.lease);
  if (lease === undefined) return state;
  const learned = learn(state, config, lease, said, nowMs, random);
  return said.isDone ? returned(learned, lease, said, nowMs) : continued(learned, lease, said);
}

const isOfFormerReceiver = ({ resetVersion = 0 }: GateState, { version }: GateConfig): boolean =>
  version !== undefined && version < resetVersion;

/** What the receiver asks of everybody. */
function withWishes(
  state: GateState,
  { retryAfterMs, allowedPerMinute }: GateReport,
  nowMs: number,
): GateState {
  const askedMs = Math.min(Math.max(0, retryAfterMs ?? 0), RETRY_AFTER_SECONDS_MAX * 1_000);
  const sinceMs = nowMs < state.block.untilMs ? state.block.sinceMs : nowMs;
  const untilMs = Math.max(state.block.untilMs, Math.ceil(nowMs + askedMs));
  return {
    ...state,
    block: askedMs > 0 ? { sinceMs, untilMs } : state.block,
    allowed: allowedPerMinute === null ? state.allowed : allowedOf(allowedPerMinute, nowMs),
  };
}

const allowedOf = (perMinute: number, toldAtMs: number): GateState["allowed"] =>
  perMinute > 0 ? { perMinute, toldAtMs } : null;

function learn(
  state: GateState,
  config: GateConfig,
  lease: GateLease,
  said: GateReport,
  nowMs: number,
  random: number,
): GateState {
  const { ok, failed, dropped, timedOut, durationMs } = said.outcomes;
  const { retryTokens, adaptive } = state;
  const flight = {
    ...{ generation: lease.generation, slots: lease.slots, ok },
    ...{ dropped: dropped + timedOut, allowed: lease.allowed },
    held: Math.max(lease.held, heldSlots(state)),
  };
  const calls = callsOf(state, config, lease, said);
  const gained = said.sent.fresh * RETRY_SHARE;
  const isTrouble = failed + dropped + timedOut + calls.unknown > 0;
  return {
    ...state,
    adaptive: config.isAdaptive ? adapt(adaptive, flight, config.concurrency) : adaptive,
    breaker: judge(state.breaker, lease, calls, nowMs, random),
    retryTokens: { ...retryTokens, count: Math.min(RETRY_TOKENS_MAX, retryTokens.count + gained) },
    attemptMs:
      ok === 0 || durationMs === null ? state.attemptMs : mean(state.attemptMs, durationMs),
    troubleAtMs: isTrouble ? nowMs : state.troubleAtMs,
  };
}

const mean = (known: number | null, newest: number): number =>
  known === null ? newest : known + (newest - known) * NEWEST_SHARE;

/**
 * The report for the breaker. Drops are sickness only where nothing else answers them: not while the limit can
 * go down, and not where the receiver said when to come again. A probe has to succeed.
 */
function callsOf(
  { adaptive }: GateState,
  config: GateConfig,
  lease: GateLease,
  { outcomes, sent, retryAfterMs }: GateReport,
): Calls {
  const { ok, failed, dropped, timedOut, rejected } = outcomes;
  const limit = limitOf(adaptive, config.isAdaptive, config.concurrency);
  const isAnswered = retryAfterMs !== null || (config.isAdaptive && limit > 1);
  const sick = failed + timedOut + (lease.isProbe || !isAnswered ? dropped : 0);
  const unknown = Math.max(0, totalOf(sent) - ok - failed - dropped - timedOut - rejected);
  return { ok, rejected, sick, unknown };
}

/** Its later requests begin after what was learned from these; after a drop none does, and none is asked for. */
function continued(state: GateState, lease: GateLease, { sent, outcomes }: GateReport): GateState {
  const left = without(lease.left, sent);
  const rest: GateLease =
    outcomes.dropped > 0
      ? { ...lease, left, beside: 0 }
      : { ...lease, left, generation: state.adaptive.generation };
  return { ...state, leases: state.leases.map((each) => (each.id === lease.id ? rest : each)) };
}

/** Slots, tokens, and what is left of today's quota come back; so do turns ahead, if nobody has any behind them. */
function returned(
  state: GateState,
  lease: GateLease,
  { sent }: GateReport,
  nowMs: number,
): GateState {
  const left = without(lease.left, sent);
  const isToday = lease.day === dayOf(nowMs) && lease.day === state.quota.day;
  const leases = state.leases.filter(({ id }) => id !== lease.id);
  const othersMs = Math.max(0, ...leases.map(({ lastTurnMs }) => lastTurnMs));
  const { quota, retryTokens } = state;
  return {
    ...state,
    leases,
    quota: isToday ? { ...quota, sent: Math.max(0, quota.sent - totalOf(left)) } : quota,
    retryTokens: {
      ...retryTokens,
      count: Math.min(RETRY_TOKENS_MAX, retryTokens.count + left.retries),
    },
    lastTurnMs: Math.min(state.lastTurnMs, Math.max(nowMs, othersMs)),
  };
}

/** More retries than were granted count as fresh ones, and the other way round: nothing comes back twice. */
function without(left: Counts, sent: Counts): Counts {
  const rest = Math.max(0, totalOf(left) - totalOf(sent));
  const retries = Math.min(rest, Math.max(0, left.retries - sent.retries));
  return { fresh: rest - retries, retries };
}
