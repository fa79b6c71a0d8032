/** One gate as its Durable Object holds it, and consumers that send through it in their turns. */
import { isDeepStrictEqual } from "node:util";
import {
  type Ask,
  type GateAnswer,
  type GateConfig,
  type GateReport,
  type GateState,
  type Grant,
  nextTurn,
} from "../../src/core/gate/index.ts";
import { acquire, attend, attendAll, newGate, report } from "../../src/core/gate/keeper.ts";
import { GATE_WAIT_MS } from "../../src/core/gate-limits.ts";
import type { Agenda } from "./agenda.ts";

/** A report takes some time as well, and must come before its lease ends. */
const REPORT_MS = 100;

export type AnswerKind = "ok" | "failed" | "dropped" | "timedOut" | "rejected";

export interface Reply {
  readonly kind: AnswerKind;
  readonly durationMs: number;
  readonly retryAfterMs?: number;
}

/** The gate's state, replaced at each call. */
export interface HeldGate {
  readonly config: GateConfig;
  readonly state: () => GateState;
  change(next: GateState): void;
  acquire(ask: Ask): GateAnswer;
  /** Answers now, or when a slot is free or the ask has waited its time: in the middle of another's call then. */
  attend(ask: Ask, answered: (answer: GateAnswer) => void): void;
  report(said: GateReport): void;
}

const LOOKED_AT_EVERY = 8;

/** `isWatched`: every few states are looked at, whether they survive their storage and stay small. */
export function holdGate(
  config: GateConfig,
  agenda: Agenda,
  unit: () => number,
  isWatched: boolean,
): HeldGate {
  let state = newGate(agenda.nowMs());
  let changes = 0;
  const waiting = new Map<Ask, (answer: GateAnswer) => void>();
  function change(next: GateState): void {
    const { state: after, answers } = attendAll(next, config, [...waiting.keys()], agenda.nowMs());
    state = after;
    for (const [ask, answer] of answers) {
      const answered = waiting.get(ask);
      waiting.delete(ask);
      answered?.(answer);
    }
    changes += 1;
    if (!isWatched || changes % LOOKED_AT_EVERY !== 0) return;
    const text = JSON.stringify(after);
    if (!isDeepStrictEqual(JSON.parse(text), after)) throw new Error("as JSON the gate is another");
    if (text.length > 2_000 + 400 * config.concurrency) throw new Error("the gate has grown");
  }
  function acquired(ask: Ask): GateAnswer {
    const { state: next, answer } = acquire(state, config, ask, agenda.nowMs());
    change(next);
    return answer;
  }
  return {
    ...{ config, state: () => state, change, acquire: acquired },
    attend(ask, answered) {
      const { state: next, answer } = attend(state, config, ask, agenda.nowMs());
      change(next);
      if (answer !== null) return answered(answer);
      waiting.set(ask, answered);
      agenda.at(agenda.nowMs() + GATE_WAIT_MS, () => {
        if (waiting.delete(ask)) answered(acquired(ask));
      });
    },
    report: (said) => change(report(state, config, said, agenda.nowMs(), unit())),
  };
}

export interface Work<Item> {
  readonly grant: Grant;
  readonly ask: Ask;
  readonly items: readonly Item[];
  /** What it has beside, for which it asks before its slots rest. */
  readonly beside: readonly Item[];
  readonly timeoutMs: number;
  readonly isRetry: (item: Item) => boolean;
  /** The request reaches the receiver now, by this grant. */
  readonly send: (item: Item, grant: Grant) => Reply;
  /** More was asked for. */
  readonly asked?: (ask: Ask, answer: GateAnswer) => void;
  readonly settle: (item: Item, reply: Reply) => void;
  /** Nothing is under way any more; what was not sent is left. */
  readonly done: (left: readonly Item[]) => void;
}

export interface Running<Item> {
  /** From now on it does nothing; answers what it had not settled. */
  die(): readonly Item[];
}

/**
 * Sends what a lease allows, as a consumer does: at its turns, never so that an attempt may outlive the lease,
 * and not after a drop, which ends the lease early so that others can go by what it taught.
 */
export function work<Item>(given: Work<Item>, gate: HeldGate, agenda: Agenda): Running<Item> {
  const { timeoutMs } = given;
  const { lease } = given.ask;
  const waiting = [...given.items];
  const beside = [...given.beside];
  /** Since which turn its turns are this grant's. */
  let [grant, fromTurn, isAsking] = [given.grant, 0, false];
  const underWay = new Set<Item>();
  let [turn, isStopped, isDead] = [0, false, false];
  let sent = { fresh: 0, retries: 0 };
  let outcomes = { ok: 0, failed: 0, dropped: 0, timedOut: 0, rejected: 0 };
  let totalMs = 0;
  let lastStartMs: number | null = null;
  let retryAfterMs: number | null = null;

  function tell(isDone: boolean): void {
    const durationMs = outcomes.ok === 0 ? null : totalMs / outcomes.ok;
    gate.report({
      ...{ lease, sent, retryAfterMs, isDone },
      ...{ outcomes: { ...outcomes, durationMs }, allowedPerMinute: null },
    });
    sent = { fresh: 0, retries: 0 };
    outcomes = { ok: 0, failed: 0, dropped: 0, timedOut: 0, rejected: 0 };
    [totalMs, retryAfterMs] = [0, null];
  }

  function pump(): void {
    while (!isStopped && underWay.size < grant.slots) {
      const found = nextTurn(grant, turn - fromTurn, agenda.nowMs(), lastStartMs);
      const [item] = waiting;
      if (
        found === null ||
        item === undefined ||
        found.atMs + timeoutMs + REPORT_MS > grant.expiresAtMs
      )
        break;
      turn = fromTurn + found.turn + 1;
      lastStartMs = found.atMs;
      waiting.shift();
      underWay.add(item);
      const by = grant;
      agenda.at(found.atMs, () => begin(item, by));
    }
    if (underWay.size > 0 || isAsking) return;
    tell(true);
    given.done([...waiting, ...beside]);
  }

  /** As a consumer does: when all that was granted has begun, what has ended is told, and more is asked for. */
  function askMore(): void {
    const isRunningOut = waiting.length === 0 && beside.length > 0 && grant.intervalMs === 0;
    if (!isRunningOut || isAsking || isStopped || !given.ask.isReleased) return;
    isAsking = true;
    const again = beside.filter((item) => given.isRetry(item));
    const want = { fresh: beside.length - again.length, retries: again.length };
    const ask = { ...given.ask, want, isMore: true };
    tell(false);
    const answer = gate.acquire(ask);
    given.asked?.(ask, answer);
    agenda.at(agenda.nowMs(), () => {
      if (isDead) return;
      isAsking = false;
      if (answer.kind === "granted") {
        const fresh = beside.filter((item) => !given.isRetry(item));
        const retries = again.slice(0, answer.retries);
        const more = [...retries, ...fresh.slice(0, answer.count - retries.length)];
        waiting.push(...more);
        beside.splice(0, beside.length, ...beside.filter((item) => !more.includes(item)));
        [grant, fromTurn] = [answer, turn];
      }
      pump();
    });
  }

  function begin(item: Item, by: Grant): void {
    if (isDead) return;
    if (isStopped) {
      underWay.delete(item);
      waiting.unshift(item);
      pump();
      return;
    }
    const kind = given.isRetry(item) ? "retries" : "fresh";
    const reply = given.send(item, by);
    askMore();
    agenda.at(agenda.nowMs() + reply.durationMs, () => {
      if (isDead) return;
      sent[kind] += 1;
      end(item, reply);
    });
  }

  function end(item: Item, reply: Reply): void {
    underWay.delete(item);
    outcomes[reply.kind] += 1;
    if (reply.kind === "ok") totalMs += reply.durationMs;
    if (reply.retryAfterMs !== undefined) {
      retryAfterMs = Math.max(retryAfterMs ?? 0, reply.retryAfterMs);
    }
    // Everybody should know of it at once.
    const isNews = reply.kind === "dropped" && !isStopped;
    if (reply.kind === "dropped") isStopped = true;
    if (underWay.size > 0 && (isNews || reply.retryAfterMs !== undefined)) tell(false);
    given.settle(item, reply);
    pump();
  }

  pump();
  return {
    die() {
      isDead = true;
      return [...underWay, ...waiting, ...beside];
    },
  };
}
