/** Consumers of one target under a virtual clock, which ask its gate, send in their turns, report, and die. */
import { isDeepStrictEqual } from "node:util";
import {
  type Ask,
  type GateConfig,
  type GateReport,
  type GateState,
  type Grant,
  nextTurn,
  type Outcomes,
} from "../../../src/core/gate/index.ts";
import {
  acquire,
  expecting,
  newGate,
  next,
  parked,
  released,
  report,
} from "../../../src/core/gate/keeper.ts";
import type { Priority } from "../../../src/core/priority.ts";

export const NOW_MS = Date.UTC(2026, 10, 27, 12);
export const FIXED: GateConfig = {
  concurrency: 6,
  perSecond: null,
  perDay: null,
  isAdaptive: false,
};

export const NOTHING: Outcomes = {
  ...{ ok: 0, failed: 0, dropped: 0, timedOut: 0, rejected: 0 },
  durationMs: null,
};

/** A gate at a moment, with every state checked: as JSON it is the same, and it stays small. */
export interface Held {
  state: GateState;
  nowMs: number;
  readonly config: GateConfig;
  random: number;
}

export const held = (config: GateConfig, nowMs = NOW_MS): Held => ({
  ...{ state: newGate(nowMs), nowMs, config, random: 0 },
});

function keep(gate: Held, state: GateState): void {
  const text = JSON.stringify(state);
  if (!isDeepStrictEqual(JSON.parse(text), state)) throw new Error("as JSON the gate is another");
  if (text.length > 2_000 + 400 * gate.config.concurrency) throw new Error("the gate has grown");
  gate.state = state;
}

let asked = 0;
export function ask(gate: Held, wanted: Partial<Ask> & { readonly fresh?: number } = {}) {
  asked += 1;
  const { state, answer } = acquire(
    gate.state,
    gate.config,
    {
      ...{ lease: `lease-${asked}`, want: { fresh: wanted.fresh ?? 1, retries: 0 } },
      ...{ priority: "normal", isReleased: false, ttlMs: 20_000, ...wanted },
    },
    gate.nowMs,
  );
  keep(gate, state);
  return { ...answer, lease: wanted.lease ?? `lease-${asked}` };
}

export function granted(answer: ReturnType<typeof ask>): Grant & { readonly lease: string } {
  if (answer.kind === "refused") throw new Error(`refused for ${answer.reason}`);
  return answer;
}

/** Reason and time of a refusal. */
export const refusalOf = (answer: ReturnType<typeof ask>) =>
  answer.kind === "refused" ? [answer.reason, answer.untilMs] : answer.kind;

export function tell(
  gate: Held,
  grant: { readonly lease: string },
  outcomes: Partial<Outcomes>,
  more: Partial<GateReport> = {},
): void {
  const all = { ...NOTHING, ...outcomes };
  const fresh = all.ok + all.failed + all.dropped + all.timedOut + all.rejected;
  const said: GateReport = {
    ...{ lease: grant.lease, outcomes: all },
    ...{ sent: { fresh, retries: 0 }, retryAfterMs: null, allowedPerMinute: null, isDone: true },
    ...more,
  };
  keep(gate, report(gate.state, gate.config, said, gate.nowMs, gate.random));
}

export const spendTokens = (gate: Held): void =>
  keep(gate, { ...gate.state, retryTokens: { count: 0, atMs: gate.nowMs } });

export const park = (gate: Held, priority: Priority, count: number): void =>
  keep(gate, parked(gate.state, { priority, count }, gate.nowMs));

export const release = (
  gate: Held,
  priority: Priority,
  count: number,
  isEmpty: boolean,
  areRetries = false,
): void =>
  keep(
    gate,
    expecting(
      released(gate.state, { priority, count, isEmpty, areRetries }, gate.nowMs),
      { fresh: count, retries: 0 },
      gate.nowMs,
    ),
  );

export const whatNext = (gate: Held) => next(gate.state, gate.config, gate.nowMs);

/** So far apart, ten last longer than a breaker waits at least. */
export const EACH_MS = 1_200;

/** One attempt after the other until the breaker opens or `times` are over. */
export function sendEach(gate: Held, times: number, outcomes: Partial<Outcomes>): number {
  for (let sent = 0; sent < times; sent += 1) {
    const answer = ask(gate);
    if (answer.kind === "refused") return sent;
    tell(gate, answer, outcomes);
    gate.nowMs += EACH_MS;
  }
  return times;
}

/** The moments of a grant's turns when each attempt takes no time. */
export function turnsOf(grant: Grant, fromMs: number): number[] {
  const turns: number[] = [];
  for (let turn = 0; ; turn += 1) {
    const found = nextTurn(grant, turn, fromMs, turns.at(-1) ?? null);
    if (found === null) return turns;
    turns.push(found.atMs);
    turn = found.turn;
  }
}
